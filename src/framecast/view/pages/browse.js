// The list of windows: filtered and sorted columns, of which only the cards that are seen are on the page.

import { choice, field, make, state } from "./dom.js";
import { short } from "./numbers.js";

const SORTS = /** @type {[string, string][]} */ ([
  ["time", "time"],
  ["newest", "newest first"],
  ["best", "best skill"],
  ["median", "median skill"],
  ["worst", "worst skill"],
  ["crps", "largest CRPS"],
  ["spread", "largest spread"],
  ["event", "largest event"],
]);
const GAP = 14,
  TALL = 192;

/** @param {any} app @param {URLSearchParams} query @returns {Promise<HTMLElement>} */
export async function browse(app, query) {
  const { source, library } = app;
  const file = library.files.find((/** @type {any} */ each) => each.key === query.get("file")) ?? library.files[0];
  if (!file)
    return state(
      "No forecast is open",
      library.live ? "Draw one on the page “Forecast”." : "Start with: framecast view forecast.zarr",
    );
  const table = await source.windows(file);
  const channel = Math.min(Number(query.get("channel") ?? 0), file.channels.length - 1);
  let sort = query.get("sort") ?? "time",
    search = query.get("q") ?? "",
    from = query.get("from") ?? "",
    until = query.get("until") ?? "";
  /** @type {any} */
  let scores = null;
  const count = make("p", { class: "dim small", role: "status" });
  const list = make("div", { class: "browse-list", role: "list", "aria-label": "Windows" });
  const none = state("No window matches", "Search for less, or choose a longer time.");
  none.append(make("a", { class: "button", href: app.link("", { file: file.key, sort }) }, "Show all windows"));
  /** @type {number[]} */
  let shown = [];

  const remember = () =>
    app.replace("", {
      file: library.files.length > 1 ? file.key : "",
      sort: sort === "time" ? "" : sort,
      q: search,
      from,
      until,
      channel: channel || "",
    });

  function select() {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean),
      names = table.sequences.map((/** @type {string} */ name) => name.toLowerCase());
    shown = [];
    for (let k = 0; k < file.windows; k++) {
      const time = table.issue[k];
      if (from && time < from.replace("T", " ")) continue;
      if (until && time > until.replace("T", " ")) continue;
      const text = `${names[table.sequence[k]]} ${time} ${table.label?.[k]?.toLowerCase() ?? ""}`;
      if (words.every((word) => text.includes(word))) shown.push(k);
    }
    const column = { best: "skill", worst: "skill", median: "skill", crps: "crps", spread: "spread", event: "event" }[
      sort
    ];
    if (sort === "newest") shown.sort((a, b) => table.seconds[b] - table.seconds[a]);
    else if (!column)
      shown.sort((a, b) => table.seconds[a] - table.seconds[b] || table.sequence[a] - table.sequence[b]);
    else if (scores) {
      const values = scores.columns[column];
      const known = shown.filter((k) => values[k] !== null),
        unknown = shown.filter((k) => values[k] === null);
      known.sort((a, b) => values[b] - values[a]);
      if (sort === "worst") known.reverse();
      if (sort === "median") {
        const middle = values[known[Math.floor(known.length / 2)]] ?? 0;
        known.sort((a, b) => Math.abs(values[a] - middle) - Math.abs(values[b] - middle));
      }
      shown = [...known, ...unknown];
    }
    tell();
    paint(true);
  }

  function tell() {
    const parts = [
      shown.length === file.windows ? `${file.windows} windows` : `${shown.length} of ${file.windows} windows`,
    ];
    if (scores && scores.done < scores.total) parts.push(`scored ${scores.done} of ${scores.total}`);
    if (scores?.fault) parts.push(scores.fault);
    count.textContent = parts.join(" · ");
  }

  /** @param {number} k */
  function card(k) {
    const found = scores?.columns,
      skill = found?.skill?.[k],
      details = [];
    if (skill !== null && skill !== undefined) details.push(`skill ${Math.round(100 * skill)} %`);
    else if (found && found.crps[k] !== null) details.push(`CRPS ${short(found.crps[k])}`);
    if (sort === "spread" && found) details.push(`spread ${short(found.spread[k])}`);
    if (sort === "event" && found) details.push(`largest ${short(found.event[k])} ${file.channels[channel].unit}`);
    if (sort === "crps" && found) details.push(`CRPS ${short(found.crps[k])}`);
    const name = table.sequences[table.sequence[k]],
      time = table.issue[k] + table.suffix;
    return make(
      "a",
      {
        class: "window-card",
        role: "listitem",
        href: app.link(`w/${file.key}/${k}`, { channel: channel || "" }),
        "aria-label": `${name}, ${time}`,
      },
      make(
        "div",
        { class: "thumb" },
        make("img", { alt: "", loading: "lazy", decoding: "async", src: source.thumbnail(file, k, channel) }),
      ),
      make(
        "div",
        { class: "words" },
        make("strong", {}, time),
        make("div", { class: "dim small" }, name),
        make(
          "div",
          { class: "small" },
          table.label?.[k] ? make("span", { class: "tag" }, table.label[k]) : null,
          " ",
          details.join(" · ") || "\u00a0",
        ),
      ),
    );
  }

  /** @type {Map<number, HTMLElement>} */
  const cards = new Map();
  /** Put the cards that are seen on the page. @param {boolean} [anew] */
  function paint(anew = false) {
    if (!list.isConnected) return;
    none.hidden = shown.length > 0;
    if (anew) {
      cards.clear();
      list.replaceChildren();
    }
    const width = list.clientWidth,
      columns = Math.max(1, Math.floor((width + GAP) / (width < 520 ? 170 : 254))),
      wide = (width - GAP * (columns - 1)) / columns;
    const rows = Math.ceil(shown.length / columns);
    list.style.height = `${Math.max(0, rows * (TALL + GAP))}px`;
    const top = -list.getBoundingClientRect().top,
      first = Math.max(0, Math.floor((top - 500) / (TALL + GAP))),
      last = Math.min(rows, Math.ceil((top + innerHeight + 500) / (TALL + GAP)));
    const wanted = new Set();
    for (let place = first * columns; place < Math.min(shown.length, last * columns); place++) {
      const k = shown[place];
      wanted.add(k);
      let own = cards.get(k);
      if (!own) {
        own = card(k);
        cards.set(k, /** @type {HTMLElement} */ (own));
        list.append(own);
      }
      Object.assign(/** @type {HTMLElement} */ (own).style, {
        left: `${(place % columns) * (wide + GAP)}px`,
        top: `${Math.floor(place / columns) * (TALL + GAP)}px`,
        width: `${wide}px`,
        height: `${TALL}px`,
      });
    }
    for (const [k, own] of cards)
      if (!wanted.has(k)) {
        own.remove();
        cards.delete(k);
      }
  }

  let drawn = 0;
  async function score() {
    while (list.isConnected) {
      scores = await source.scores(file, channel);
      const finished = scores.done >= scores.total;
      if (finished || Date.now() - drawn > 3000) {
        drawn = Date.now();
        select();
      } else tell();
      if (finished) return;
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  }

  const find = make("input", {
    type: "search",
    value: search,
    placeholder: "sequence, date, label",
    oninput: () => {
      search = find.value;
      select();
      remember();
    },
  });
  const time = (
    /** @type {string} */ label,
    /** @type {string} */ value,
    /** @type {(value: string) => void} */ set,
  ) => {
    const input = make("input", {
      type: "datetime-local",
      value,
      onchange: () => {
        set(input.value);
        select();
        remember();
      },
    });
    return field(label, input);
  };
  const page = make(
    "div",
    {},
    make(
      "div",
      { class: "bar" },
      library.files.length > 1
        ? field(
            "Forecast",
            choice(
              library.files.map((/** @type {any} */ each) => [each.key, each.name]),
              file.key,
              (key) => app.go("", { file: key, sort, q: search }),
            ),
          )
        : null,
      file.channels.length > 1
        ? field(
            "Channel",
            choice(
              file.channels.map((/** @type {any} */ own, /** @type {number} */ k) => [String(k), own.name]),
              String(channel),
              (value) => app.go("", { file: file.key, sort, q: search, channel: value }),
            ),
          )
        : null,
      field("Search", find),
      field(
        "Sort by",
        choice(SORTS, sort, (value) => {
          sort = value;
          select();
          remember();
        }),
      ),
      table.dated
        ? time("From", from, (value) => {
            from = value;
          })
        : null,
      table.dated
        ? time("Until", until, (value) => {
            until = value;
          })
        : null,
    ),
    count,
    none,
    list,
    about(file),
  );
  page.mounted = () => {
    select();
    score().catch((error) => {
      count.textContent = error.message;
    });
  };
  app.listen(window, "scroll", () => paint());
  app.listen(window, "resize", () => paint());
  return page;
}

/** What a file says of itself. @param {any} file */
function about(file) {
  const facts = make("dl", { class: "facts" });
  const all = {
    File: file.file,
    Members: file.members,
    Frames: `${file.past.length} past, ${file.leads.length} future, ${file.height} × ${file.width} pixels`,
    Calibration: file.calibrated ? "valid for this forecast" : (file.objection ?? "none"),
    ...file.attributes,
  };
  for (const [name, value] of Object.entries(all)) facts.append(make("dt", {}, name), make("dd", {}, String(value)));
  return make("details", { class: "card", "data-about": "file" }, make("summary", {}, `About ${file.name}`), facts);
}
