// Elements from plain text: nothing that came from a file is ever read as HTML.

/**
 * Make an element. Properties that begin with "on" are listeners, `class` and those with a dash are attributes.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name.includes("-") || name === "for" || name === "role")
      element.setAttribute(name, String(value));
    else /** @type {any} */ (element)[name] = value;
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** A field with its label above it. @param {string} label @param {HTMLElement} control */
export function field(label, control) {
  return make("label", { class: "field" }, label, control);
}

/**
 * A choice among named values.
 * @param {[string, string][]} options value and text of each
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
export function choice(options, chosen, changed) {
  const select = make("select", { onchange: () => changed(select.value) });
  for (const [value, text] of options) select.append(make("option", { value, selected: value === chosen }, text));
  return select;
}

/** Say something in passing. @param {string} text */
export function toast(text) {
  const place = /** @type {HTMLElement} */ (document.getElementById("toast"));
  const shown = make("div", {}, text);
  place.replaceChildren(shown);
  setTimeout(() => shown.remove(), 5000);
}

/** What stands where something is loading. @param {string} text */
export function loading(text) {
  return make("p", { class: "state", role: "status" }, make("span", { class: "spinner" }), " ", text);
}

/** What stands where something failed or nothing is. @param {string} title @param {string} text @param {boolean} [bad] */
export function state(title, text, bad = false) {
  return make(
    "div",
    { class: bad ? "state bad" : "state", role: bad ? "alert" : "status" },
    make("h2", {}, title),
    make("p", {}, text),
  );
}

/** A table that scrolls sideways where there is no room. @param {string[] | null} heads @param {HTMLElement[]} rows */
export function table(heads, rows) {
  const head = heads ? make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", {}, text)))) : null;
  return make("div", { class: "table-scroll" }, make("table", {}, head, make("tbody", {}, ...rows)));
}

/** Let the browser save something. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 30000);
}

/** A file name of letters, digits and dashes. @param {string} text */
export function plainName(text) {
  return (
    text
      .replace(/[^A-Za-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 80) || "framecast"
  );
}
