// The page as a whole: what is shown is written in the address after "#", so that a link restores it.

import { learn } from "./colour.js";
import { loading, make, state, toast } from "./dom.js";
import { browse } from "./browse.js";
import { windowPage } from "./window.js";
import { verification } from "./verify.js";
import { live } from "./live.js";
import { ready } from "./charts.js";
import { Server } from "./source.js";
import { Static } from "./static.js";

class App {
  /** @param {any} source */
  constructor(source) {
    this.source = source;
    /** @type {any} */
    this.library = null;
    this.main = /** @type {HTMLElement} */ (document.getElementById("main"));
    /** @type {AbortController} */
    this.leaving = new AbortController();
    this.turn = 0;
  }

  /** An address within the application. @param {string} path @param {Record<string, any>} [query] */
  link(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    // Commas, colons and tildes stay readable.
    const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)]))
      .toString()
      .replace(/%2C/g, ",")
      .replace(/%3A/g, ":")
      .replace(/%7E/g, "~")
      .replace(/%40/g, "@");
    return `#/${path}${text ? `?${text}` : ""}`;
  }

  /** Go somewhere. @param {string} path @param {Record<string, any>} [query] */
  go(path, query) {
    location.hash = this.link(path, query);
  }

  /** Note in the address what is shown now, without going anywhere. @param {string} path @param {Record<string, any>} query */
  replace(path, query) {
    history.replaceState(null, "", this.link(path, query));
  }

  /** Listen until this page is left. @param {EventTarget} target @param {string} kind @param {(event: any) => void} heard */
  listen(target, kind, heard) {
    target.addEventListener(kind, heard, { signal: this.leaving.signal, passive: kind === "scroll" });
  }

  async show() {
    const turn = ++this.turn;
    this.leaving.abort();
    this.leaving = new AbortController();
    const [path, text] = location.hash.replace(/^#\/?/, "").split("?"),
      query = new URLSearchParams(text ?? ""),
      parts = path.split("/");
    this.navigate(parts[0]);
    const slow = setTimeout(() => {
      if (turn === this.turn) this.main.replaceChildren(loading("Reading…"));
    }, 150);
    try {
      this.library ??= await this.open();
      this.navigate(parts[0]);
      const page = await this.page(parts, query);
      if (turn !== this.turn) return;
      clearTimeout(slow);
      // What is not here yet of the page before would be waited for.
      for (const image of this.main.querySelectorAll("img")) if (!image.complete) image.removeAttribute("src");
      this.main.replaceChildren(page);
      /** @type {any} */ (page).mounted?.();
      ready(page);
      if (parts[0] !== "w") scrollTo(0, 0);
    } catch (error) {
      clearTimeout(slow);
      if (turn !== this.turn) return;
      if (!(error instanceof Error)) throw error;
      this.main.replaceChildren(state("This cannot be shown", error.message, true));
      if (error.name !== "Error") console.warn(error.message);
    }
  }

  async open(anew = false) {
    const library = await this.source.library(anew);
    learn(library.colours);
    this.library = library;
    return library;
  }

  /** @param {string[]} parts @param {URLSearchParams} query @returns {Promise<HTMLElement>} */
  page(parts, query) {
    document.title = "framecast view";
    if (parts[0] === "w") return windowPage(this, decodeURIComponent(parts[1] ?? ""), Number(parts[2]), query);
    if (parts[0] === "verification") return verification(this, query);
    if (parts[0] === "forecast") return live(this, query);
    return browse(this, query);
  }

  /** @param {string} here */
  navigate(here) {
    const nav = /** @type {HTMLElement} */ (document.getElementById("nav"));
    const pages = /** @type {[string, string][]} */ ([
      ["", "Windows"],
      ...(this.source.live ? [["verification", "Verification"]] : []),
      ...(this.library?.live ? [["forecast", "Forecast"]] : []),
    ]);
    nav.replaceChildren(
      ...pages.map(([path, name]) =>
        make(
          "a",
          { href: `#/${path}`, "aria-current": path === here || (here === "w" && path === "") ? "page" : null },
          name,
        ),
      ),
    );
  }
}

/** Switch between the system's colours, light and dark. */
function themes() {
  const button = /** @type {HTMLElement} */ (document.getElementById("theme"));
  const names = ["", "light", "dark"],
    own = document.documentElement.dataset;
  const tell = () => {
    button.title = `Colours: ${own.chosen || "system"}`;
  };
  button.addEventListener("click", () => {
    const next = (own.chosen = names[(names.indexOf(own.chosen ?? "") + 1) % 3]);
    dispatchEvent(new Event("chosen"));
    try {
      localStorage.setItem("framecast-theme", next);
    } catch {
      /* storage may be switched off */
    }
    tell();
    toast(next ? `${next[0].toUpperCase()}${next.slice(1)} colours` : "System colours");
    app.show();
  });
  tell();
}

const app = new App(/** @type {any} */ (globalThis).FRAMECAST ? new Static() : new Server());
themes();
addEventListener("hashchange", () => app.show());
app.show();
