// One window: panels that play on one clock, and what a person asks of it.

import { choice, field, make, save, plainName, state, table, toast } from "./dom.js";
import { clockOf, csv, leadText, short } from "./numbers.js";
import { mapNames } from "./colour.js";
import { Panel } from "./panel.js";
import { asPng, asSvg, picture } from "./picture.js";
import { distribution, fan, fanPicture, lines, ready } from "./charts.js";

const SPEEDS = /** @type {[string, string][]} */ ([
  ["1", "1 frame/s"],
  ["3", "3 frames/s"],
  ["6", "6 frames/s"],
  ["12", "12 frames/s"],
  ["24", "24 frames/s"],
]);
const STRETCHES = /** @type {[string, string][]} */ ([
  ["", "automatic"],
  ["linear", "linear"],
  ["log", "logarithmic"],
  ["asinh", "asinh"],
]);

/**
 * What a panel shows, as it is written in the address: `mean`, `member-3~truth` (its difference from the truth), `mean@other`
 * (of another file).
 * @param {string} text
 */
function parse(text) {
  const [rest, key = ""] = text.split("@"),
    [what, minus = ""] = rest.split("~");
  return { what, minus, key };
}

/** @param {string} what @param {string} minus @param {string} unit */
function titleOf(what, minus, unit) {
  const fixed = /** @type {Record<string, string>} */ ({
    truth: "Observed",
    mean: "Ensemble mean",
    spread: "Spread",
    persistence: "Persistence",
  });
  let name = fixed[what];
  if (what.startsWith("member-")) name = `Member ${what.slice(7)}`;
  if (what.startsWith("quantile-"))
    name = what === "quantile-0.5" ? "Median" : `${Number((100 * Number(what.slice(9))).toPrecision(3))} % quantile`;
  if (what.startsWith("above-")) name = `P(≥ ${short(Number(what.slice(6)))} ${unit})`;
  return minus ? `${name} − ${minus}` : (name ?? what);
}

/** @param {any} app @param {string} key @param {number} number @param {URLSearchParams} query @returns {Promise<HTMLElement>} */
export async function windowPage(app, key, number, query) {
  const file = app.library.files.find((/** @type {any} */ each) => each.key === key);
  if (!file)
    return state(
      "There is no such forecast",
      "It is not among the files that were opened. Go back to the windows.",
      true,
    );
  if (!(number >= 0 && number < file.windows))
    return state("There is no such window", `${file.name} has the windows 0 to ${file.windows - 1}.`, true);
  const [table, positions] = await Promise.all([app.source.windows(file), app.source.positions(file)]);
  const found = await Promise.all(
    app.library.files
      .filter((/** @type {any} */ each) => each !== file && alike(each, file))
      .map(async (/** @type {any} */ other) => ({
        file: other,
        number: twin(table, number, await app.source.windows(other)),
      })),
  );
  return new WindowPage(
    app,
    file,
    number,
    table,
    positions,
    query,
    found.filter((each) => each.number >= 0),
  ).element;
}

/** Whether two files forecast the same frames. @param {any} one @param {any} other */
export function alike(one, other) {
  const about = (/** @type {any} */ file) =>
    JSON.stringify([
      file.height,
      file.width,
      file.leads,
      file.channels.map((/** @type {any} */ channel) => [channel.name, channel.unit]),
    ]);
  return about(one) === about(other);
}

/** The number of the same window in another file, -1 if it has none. @param {any} table @param {number} number @param {any} other */
function twin(table, number, other) {
  const place = other.sequences.indexOf(table.sequences[table.sequence[number]]),
    seconds = table.seconds[number];
  return place < 0
    ? -1
    : other.sequence.findIndex(
        (/** @type {number} */ s, /** @type {number} */ k) => s === place && other.seconds[k] === seconds,
      );
}

class WindowPage {
  /** @param {any} app @param {any} file @param {number} number @param {any} table @param {any} positions @param {URLSearchParams} query @param {{file: any, number: number}[]} others the same window in other files */
  constructor(app, file, number, table, positions, query, others) {
    this.app = app;
    this.file = file;
    this.number = number;
    this.table = table;
    this.positions = positions;
    this.others = others;
    this.channel = Math.min(Number(query.get("channel") ?? 0) || 0, file.channels.length - 1);
    this.unit = file.channels[this.channel].unit;
    this.times = [...file.past, ...file.leads];
    this.clock = clockOf(Math.max(...file.leads));
    this.issued = file.past.length - 1;
    this.sequence = table.sequences[table.sequence[number]];
    this.time = table.issue[number] + table.suffix;
    this.frame = Math.min(this.times.length - 1, Math.max(0, Number(query.get("t") ?? this.issued + 1) || 0));
    this.map = query.get("map") ?? "";
    this.stretch = query.get("stretch") ?? "";
    /** @type {number[]} */
    this.range = (query.get("range") ?? "").split(",").map(Number);
    if (this.range.length !== 2 || this.range.some(Number.isNaN)) this.range = [];
    this.speed = query.get("speed") ?? "6";
    this.threshold = query.has("above") ? Number(query.get("above")) : NaN;
    this.asked = query.get("box") ?? "";
    const view = (query.get("view") ?? "").split(",").map(Number);
    this.view =
      view.length === 3 && view.every(Number.isFinite)
        ? { x: view[0], y: view[1], width: view[2] }
        : { x: 0, y: 0, width: file.width };
    /** @type {{low: number, high: number, soft: number}} */
    this.scale = { low: 0, high: 1, soft: 0 };
    this.moving = false;
    this.playing = 0;
    /** @type {{spec: string, panel: Panel}[]} */
    this.panels = [];
    this.specs = query.get("p")?.split(",").filter(Boolean) ?? this.standard();
    document.title = `${this.sequence} ${this.time} · framecast view`;
    this.element = this.build();
    this.element.mounted = () => this.mounted();
  }

  /** What is shown at first. */
  standard() {
    if (this.file.members === 1) return ["truth", "member-1", "member-1~truth"];
    return innerWidth < 560
      ? ["truth", "mean", "member-1", "spread"]
      : ["truth", "member-1", "member-2", "mean", "spread", `above-auto`];
  }

  build() {
    const { app, file, number, table } = this;
    const others = table.sequence
      .map((/** @type {number} */ s, /** @type {number} */ k) => k)
      .filter((/** @type {number} */ k) => table.sequence[k] === table.sequence[number])
      .sort((/** @type {number} */ a, /** @type {number} */ b) => table.seconds[a] - table.seconds[b]);
    const place = others.indexOf(number);
    const step = (/** @type {number} */ by, /** @type {string} */ text, /** @type {string} */ label) =>
      make(
        "button",
        {
          type: "button",
          disabled: others[place + by] === undefined,
          "aria-label": label,
          title: label,
          onclick: () => app.go(`w/${file.key}/${others[place + by]}`, this.state()),
        },
        text,
      );
    this.grid = make("div", { class: "panels" });
    this.readout = make("p", { class: "readout small dim", "aria-live": "off" });
    this.slider = make("input", {
      type: "range",
      min: 0,
      max: this.times.length - 1,
      step: 1,
      value: this.frame,
      "aria-label": "Frame",
      oninput: () => this.to(Number(this.slider.value)),
    });
    this.lead = make("output", {});
    this.play = make(
      "button",
      { class: "primary", type: "button", onclick: () => this.toggle(), "aria-keyshortcuts": "Space" },
      "▶ Play",
    );
    this.answers = make("aside", { class: "answers", "aria-label": "Answers" });
    this.limit = make("input", {
      type: "range",
      min: 0,
      max: 1000,
      value: 0,
      "aria-label": `Threshold in ${this.unit || "units of the images"}`,
      oninput: () => this.threshold_(Number(this.limit.value)),
      onchange: () => this.remember(),
    });
    this.limitText = make("output", {});
    this.limitField = make(
      "label",
      { class: "field threshold" },
      make("span", {}, "Threshold ", this.limitText),
      this.limit,
    );
    const low = make("input", {
      class: "range",
      type: "number",
      step: "any",
      placeholder: "auto",
      value: this.range[0] ?? "",
      "aria-label": "Lowest value",
      onchange: () => set(),
    });
    const high = make("input", {
      class: "range",
      type: "number",
      step: "any",
      placeholder: "auto",
      value: this.range[1] ?? "",
      "aria-label": "Highest value",
      onchange: () => set(),
    });
    const set = () => {
      this.range =
        low.value !== "" && high.value !== "" && Number(high.value) > Number(low.value)
          ? [Number(low.value), Number(high.value)]
          : [];
      this.dressAll();
      this.remember();
    };
    const move = make(
      "button",
      {
        type: "button",
        "aria-pressed": "false",
        title: "Drag to move, wheel to zoom (M)",
        onclick: () => this.mode(!this.moving),
      },
      "✥ Move",
    );
    this.moveButton = move;
    const zoom = (/** @type {number} */ factor) => {
      const panel = this.panels[0]?.panel;
      if (panel)
        panel.zoom(
          factor,
          this.view.x + this.view.width / 2,
          this.view.y + (this.view.width * file.height) / file.width / 2,
        );
    };
    return make(
      "div",
      {},
      make(
        "div",
        { class: "window-head" },
        make(
          "a",
          {
            class: "button",
            href: app.link("", { file: app.library.files.length > 1 ? file.key : "" }),
            "aria-label": "Back to the windows",
          },
          "←",
        ),
        make(
          "div",
          {},
          make("h1", {}, this.sequence),
          make(
            "div",
            { class: "dim" },
            `issued ${this.time}`,
            ` · ${file.name} · ${file.members === 1 ? "1 member" : `${file.members} members`}`,
          ),
        ),
        make(
          "div",
          { class: "move" },
          this.taking(),
          step(-1, "‹ earlier", "Earlier window of this sequence"),
          step(1, "later ›", "Later window of this sequence"),
        ),
      ),
      make(
        "div",
        { class: "window-page" },
        make(
          "section",
          { "aria-label": "Panels" },
          make(
            "div",
            { class: "bar tools" },
            this.adding(),
            this.comparing(),
            file.channels.length > 1
              ? field(
                  "Channel",
                  choice(
                    file.channels.map((/** @type {any} */ own, /** @type {number} */ k) => [String(k), own.name]),
                    String(this.channel),
                    (value) =>
                      app.go(`w/${file.key}/${number}`, { ...this.state(), channel: value, range: "", above: "" }),
                  ),
                )
              : null,
            this.limitField,
            make(
              "details",
              { class: "display", open: innerWidth >= 560 },
              make("summary", { class: "button" }, "Display"),
              make(
                "div",
                { class: "bar" },
                field(
                  "Colours",
                  choice(
                    [["", "automatic"], ...mapNames().map((name) => /** @type {[string, string]} */ ([name, name]))],
                    this.map,
                    (value) => {
                      this.map = value;
                      this.dressAll();
                      this.remember();
                    },
                  ),
                ),
                field(
                  "Stretch",
                  choice(STRETCHES, this.stretch, (value) => {
                    this.stretch = value;
                    this.dressAll();
                    this.remember();
                  }),
                ),
                make(
                  "div",
                  { class: "field" },
                  make("span", { class: "dim small" }, `Range${this.unit ? ` (${this.unit})` : ""}`),
                  make("div", { class: "bar" }, low, high),
                ),
                make(
                  "div",
                  { class: "bar", role: "group", "aria-label": "Zoom" },
                  make("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(1 / 1.5) }, "+"),
                  make("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(1.5) }, "−"),
                  make(
                    "button",
                    { type: "button", onclick: () => this.viewed({ x: 0, y: 0, width: file.width }) },
                    "Whole",
                  ),
                  move,
                ),
              ),
            ),
          ),
          this.grid,
          this.readout,
          make(
            "div",
            { class: "clock card", role: "group", "aria-label": "Clock" },
            this.play,
            make(
              "button",
              {
                type: "button",
                "aria-label": "One frame back",
                title: "One frame back (,)",
                onclick: () => this.to(this.frame - 1),
              },
              "‹",
            ),
            make(
              "button",
              {
                type: "button",
                "aria-label": "One frame on",
                title: "One frame on (.)",
                onclick: () => this.to(this.frame + 1),
              },
              "›",
            ),
            this.slider,
            this.lead,
            make(
              "span",
              {},
              choice(SPEEDS, this.speed, (value) => {
                this.speed = value;
                this.remember();
              }),
            ),
          ),
        ),
        this.answers,
      ),
    );
  }

  /** The menu that adds panels. */
  adding() {
    const { file } = this;
    const entry = (/** @type {string} */ spec, /** @type {string} */ text) =>
      make(
        "button",
        {
          type: "button",
          onclick: () => {
            this.add(spec);
            menu.open = false;
          },
        },
        text,
      );
    const member = make(
      "select",
      {
        "aria-label": "Member",
        onchange: () => {
          if (member.value) this.add(`member-${member.value}`);
          member.value = "";
          menu.open = false;
        },
      },
      make("option", { value: "" }, "Member …"),
    );
    for (let k = 1; k <= file.members; k++) member.append(make("option", { value: k }, `Member ${k}`));
    const several = file.members > 1;
    const menu = make(
      "details",
      { class: "menu" },
      make("summary", { class: "button", role: "button" }, "+ Panel"),
      make(
        "div",
        {},
        entry("truth", "Observed"),
        several ? entry("mean", "Ensemble mean") : null,
        member,
        several ? entry("spread", "Spread") : null,
        several ? entry("quantile-0.5", "Median") : null,
        several ? entry("quantile-0.05", "5 % quantile") : null,
        several ? entry("quantile-0.95", "95 % quantile") : null,
        entry("above-auto", "Probability of exceeding the threshold"),
        entry("persistence", "Persistence"),
        entry(several ? "mean~truth" : "member-1~truth", `${several ? "Mean" : "Forecast"} − truth`),
        entry(several ? "mean~persistence" : "member-1~persistence", `${several ? "Mean" : "Forecast"} − persistence`),
        entry("truth~persistence", "Observed − persistence"),
      ),
    );
    this.app.listen(document, "click", (/** @type {any} */ event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    this.app.listen(menu, "keydown", (/** @type {any} */ event) => {
      if (event.key === "Escape") {
        menu.open = false;
        menu.querySelector("summary").focus();
        event.stopPropagation();
      }
    });
    return menu;
  }

  /** The menu of what can be taken away. */
  taking() {
    const name = plainName(`${this.sequence}-${this.table.issue[this.number]}`);
    const entry = (/** @type {string} */ text, /** @type {() => any} */ done) =>
      make(
        "button",
        {
          type: "button",
          onclick: async () => {
            menu.open = false;
            try {
              await done();
            } catch (error) {
              toast(error instanceof Error ? error.message : String(error));
            }
          },
        },
        text,
      );
    const fetched = (/** @type {string} */ text, /** @type {string} */ ending, /** @type {() => string} */ address) =>
      this.app.source.live
        ? entry(text, async () => {
            toast("Making the file …");
            save(await (await this.app.source.ask(address())).blob(), `${name}.${ending}`);
          })
        : null;
    const place = `files/${this.file.key}/windows/${this.number}`;
    const animated = (/** @type {string} */ kind) =>
      this.app.source.address(`${place}/animation.${kind}`, {
        panels: this.panels.map(({ spec }) => this.full(spec)).join(","),
        channel: this.channel,
        map: this.map,
        stretch: this.stretch,
        low: this.range[0],
        high: this.range[1],
        speed: this.speed,
      });
    const menu = make(
      "details",
      { class: "menu right" },
      make("summary", { class: "button", role: "button" }, "Save"),
      make(
        "div",
        {},
        entry("Picture, PNG", async () => save(await asPng(this.picture()), `${name}.png`)),
        entry("Picture, SVG", () => save(asSvg(this.picture()), `${name}.svg`)),
        fetched("Animation, MP4", "mp4", () => animated("mp4")),
        fetched("Animation, WebP", "webp", () => animated("webp")),
        fetched("Animation, GIF", "gif", () => animated("gif")),
        fetched("Ensemble, NetCDF", "nc", () => this.app.source.address(`${place}/ensemble.nc`)),
        entry("Copy a link to this view", async () => {
          this.app.replace(`w/${this.file.key}/${this.number}`, this.state());
          await navigator.clipboard.writeText(location.href);
          toast("The link is in the clipboard.");
        }),
      ),
    );
    this.app.listen(document, "click", (/** @type {any} */ event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    return menu;
  }

  /** A panel with all that decides it. @param {string} spec */
  full(spec) {
    const { what, minus, key } = parse(spec),
      other = this.elsewhere(key);
    return `${what === "above-auto" ? `above-${this.threshold}` : what}${minus ? `~${minus}` : ""}${key && other ? `@${key}/${other.number}` : ""}`;
  }

  /** The panels as a picture. */
  picture() {
    const shown = this.panels.filter(({ panel }) => panel.video && panel.light);
    if (!shown.length) throw new Error("No panel is shown.");
    return picture(
      shown.map(({ panel }) => ({ panel, map: panel.map ?? "", unit: panel.unit ?? "" })),
      { title: `${this.sequence}, ${this.time}`, seconds: this.times[this.frame], clock: this.clock },
    );
  }

  /** The menu of other forecasts of this window. */
  comparing() {
    if (!this.others.length) return null;
    const menu = make(
      "details",
      { class: "menu" },
      make("summary", { class: "button", role: "button" }, "Compare"),
      make(
        "div",
        {},
        ...this.others.map(({ file }) =>
          make(
            "button",
            {
              type: "button",
              onclick: () => {
                this.compare(file.key);
                menu.open = false;
              },
            },
            file.name,
          ),
        ),
      ),
    );
    this.app.listen(document, "click", (/** @type {any} */ event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    return menu;
  }

  mounted() {
    const shown = this.specs.map((spec) => this.add(spec, false));
    this.to(this.frame);
    this.arrange();
    this.app.listen(window, "resize", () => this.drawAll());
    this.app.listen(document, "keydown", (/** @type {any} */ event) => this.key(event));
    this.app.listen(document, "visibilitychange", () => {
      if (document.hidden) this.pause();
    });
    this.app.leaving.signal.addEventListener("abort", () => this.pause());
    Promise.all([...shown, this.range_()]).then(() => this.ask(this.asked, false)); // pictures come first
  }

  /** Find the range of the threshold from the images. */
  async range_() {
    try {
      const video = await this.app.source.video(
        this.file,
        this.number,
        this.channel,
        this.file.members > 1 ? "mean" : "member-1",
        "",
      );
      this.scale = { low: video.shown.low, high: video.shown.high, soft: video.shown.soft };
      if (Number.isNaN(this.threshold))
        this.threshold = Number(
          (video.shown.low + (video.shown.high - video.shown.low) * (video.shown.soft ? 0.25 : 0.5)).toPrecision(2),
        );
    } catch {
      this.scale = { low: 0, high: 1, soft: 0 };
      if (Number.isNaN(this.threshold)) this.threshold = 0.5;
    }
    const { low, high } = this.scale;
    this.limit.value = String(Math.round((1000 * (this.threshold - low)) / (high - low || 1)));
    this.tellThreshold();
    for (const entry of this.panels) if (entry.spec.startsWith("above-auto")) this.load(entry);
  }

  tellThreshold() {
    this.limitText.textContent = `${short(this.threshold)} ${this.unit}`.trim();
  }

  /** @param {number} place 0 to 1000 */
  threshold_(place) {
    const { low, high } = this.scale;
    this.threshold = Number((low + ((high - low) * place) / 1000).toPrecision(3));
    this.tellThreshold();
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      for (const entry of this.panels) if (entry.spec.startsWith("above-auto")) this.load(entry);
      this.probability();
    }, 60);
  }

  /** What the address says of all that is shown. */
  state() {
    const view = this.view,
      whole = view.width >= this.file.width - 1e-6;
    const standard = this.standard().join(","),
      specs =
        this.panels.length || this.started ? this.panels.map((each) => each.spec).join(",") : this.specs.join(",");
    return {
      p: specs === standard ? "" : specs,
      t: this.frame,
      channel: this.channel || "",
      map: this.map,
      stretch: this.stretch,
      range: this.range.join(","),
      speed: this.speed === "6" ? "" : this.speed,
      above: Number.isNaN(this.threshold) ? "" : this.threshold,
      box: this.asked,
      view: whole ? "" : [view.x, view.y, view.width].map((v) => Number(v.toFixed(2))).join(","),
    };
  }

  remember() {
    clearTimeout(this.noting);
    this.noting = setTimeout(() => {
      if (this.element.isConnected) this.app.replace(`w/${this.file.key}/${this.number}`, this.state());
    }, 150);
  }

  /** Add a panel; the promise is that of its video. @param {string} spec @param {boolean} [now] */
  add(spec, now = true) {
    const { what, minus, key } = parse(spec);
    const title = titleOf(what === "above-auto" ? "above-" : what, minus, this.unit);
    const entry = { spec, panel: /** @type {Panel} */ (/** @type {any} */ (null)) };
    entry.panel = new Panel({
      title,
      describe: `${title} of ${this.sequence}; arrow keys move the marked pixel, Enter asks for its series`,
      removed: () => {
        this.panels = this.panels.filter((each) => each !== entry);
        entry.panel.element.remove();
        this.arrange();
        this.remember();
      },
      pointed: (x, y) => this.pointed(x, y),
      left: () => this.left(),
      chosen: (box) =>
        this.ask(
          box.x0 === box.x1 && box.y0 === box.y1 ? `${box.x0},${box.y0}` : `${box.x0},${box.y0},${box.x1},${box.y1}`,
        ),
      viewed: (view) => this.viewed(view),
      moving: () => this.moving,
    });
    entry.panel.view = this.view;
    entry.panel.box = boxOf(this.asked);
    this.panels.push(entry);
    this.started = true;
    this.grid.append(entry.panel.element);
    this.arrange();
    if (now) this.remember();
    return what !== "above-auto" || !Number.isNaN(this.threshold) ? this.load(entry) : undefined;
  }

  arrange() {
    this.grid.classList.toggle("single", this.panels.length === 1);
    this.drawAll();
  }

  /** Fetch what a panel shows. @param {{spec: string, panel: Panel}} entry */
  async load(entry) {
    const { what, minus, key } = parse(entry.spec);
    const auto = what === "above-auto";
    if (auto)
      entry.panel.title.textContent = entry.panel.title.title = titleOf(`above-${this.threshold}`, "", this.unit);
    const other = this.elsewhere(key);
    try {
      if (!other) throw new Error("This file has no such window.");
      if (key)
        entry.panel.title.textContent =
          entry.panel.title.title = `${other.file.name}: ${entry.panel.title.title.split(": ").pop()}`;
      const video = await this.app.source.video(
        other.file,
        other.number,
        this.channel,
        auto ? `above-${this.threshold}` : what,
        minus,
      );
      if (!this.element.isConnected) return;
      entry.panel.show(video);
      if (what === "truth" && !minus && unknown(video, this.issued)) entry.panel.title.textContent = "Not observed yet";
      this.dress(entry);
      entry.panel.frame = this.frame;
      this.drawPanel(entry.panel);
    } catch (error) {
      entry.panel.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** The same window in another file. @param {string} key @returns {{file: any, number: number} | null} */
  elsewhere(key) {
    return !key || key === this.file.key
      ? { file: this.file, number: this.number }
      : (this.others.find((each) => each.file.key === key) ?? null);
  }

  /** The other forecasts that are compared now: those of which a panel is shown. */
  compared() {
    return this.others.filter(({ file }) => this.panels.some((each) => parse(each.spec).key === file.key));
  }

  /** Show another forecast beside this one, or no longer. @param {string} key */
  compare(key) {
    const own = this.panels.filter((each) => parse(each.spec).key === key);
    if (own.length) {
      for (const each of own) each.panel.element.remove();
      this.panels = this.panels.filter((each) => !own.includes(each));
    } else {
      const other = this.others.find((each) => each.file.key === key),
        single = other?.file.members === 1;
      for (const spec of single ? ["member-1"] : ["mean", "spread"]) this.add(`${spec}@${key}`, false);
    }
    this.arrange();
    this.remember();
    this.ask(this.asked, false);
  }

  /** @param {{spec: string, panel: Panel}} entry */
  dress(entry) {
    const { panel } = entry,
      video = panel.video;
    if (!video) return;
    const { what, minus } = parse(entry.spec),
      image = !minus && what !== "spread" && !what.startsWith("above-");
    const stretch = !image
      ? video.shown.soft
        ? "asinh"
        : "linear"
      : this.stretch || (video.shown.soft ? "asinh" : "linear");
    const [low, high] = image && this.range.length ? this.range : [video.shown.low, video.shown.high];
    panel.dress(
      image ? this.map || this.file.channels[this.channel].colours : video.colours,
      { low, high, stretch, soft: video.shown.soft },
      video.unit ?? this.unit,
    );
  }

  dressAll() {
    for (const entry of this.panels) this.dress(entry);
    this.drawAll();
  }

  /** @param {Panel} panel */
  drawPanel(panel) {
    panel.view = this.view;
    panel.fit();
    panel.draw();
    panel.mark();
    panel.element.classList.toggle("future", this.frame > this.issued);
  }

  drawAll() {
    for (const { panel } of this.panels) this.drawPanel(panel);
  }

  /** Go to a frame. @param {number} frame */
  to(frame) {
    const count = this.times.length;
    this.frame = ((frame % count) + count) % count;
    for (const { panel } of this.panels) {
      panel.frame = this.frame;
      panel.draw();
      panel.element.classList.toggle("future", this.frame > this.issued);
    }
    this.slider.value = String(this.frame);
    const seconds = this.times[this.frame],
      text = leadText(seconds, this.clock);
    this.lead.textContent = text;
    this.slider.setAttribute(
      "aria-valuetext",
      seconds > 0 ? `forecast ${text}` : seconds < 0 ? `seen ${text}` : "last frame seen",
    );
    this.tell();
    this.chart?.move();
    if (!this.playing) this.remember();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  start() {
    let last = performance.now();
    const tick = (/** @type {number} */ now) => {
      const wait = 1000 / Number(this.speed),
        hold = this.frame === this.times.length - 1 ? 2 : 1;
      if (now - last >= wait * hold - 4) {
        last = now - ((now - last) % wait > wait / 2 ? 0 : (now - last) % wait);
        this.to(this.frame + 1);
      }
      this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.play.textContent = "❚❚ Pause";
  }

  pause() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.play.textContent = "▶ Play";
    this.remember();
  }

  /** @param {any} event */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName))
      return;
    const onButton = event.target.closest?.("button, a, summary");
    const count = this.times.length;
    if (event.key === " " && !onButton) this.toggle();
    else if (event.key === "ArrowRight" || event.key === ".") this.to(this.frame + 1);
    else if (event.key === "ArrowLeft" || event.key === ",") this.to(this.frame - 1);
    else if (event.key === "Home") this.to(0);
    else if (event.key === "End") this.to(count - 1);
    else if (event.key === "m") this.mode(!this.moving);
    else if (event.key === "Escape" && this.asked) this.ask("");
    else return;
    event.preventDefault();
  }

  /** @param {boolean} moving */
  mode(moving) {
    this.moving = moving;
    this.moveButton.setAttribute("aria-pressed", String(moving));
    for (const { panel } of this.panels) panel.canvas.classList.toggle("moving", moving);
  }

  /** @param {import("./panel.js").View} view */
  viewed(view) {
    this.view = view;
    this.drawAll();
    this.remember();
  }

  /** @param {number} x @param {number} y */
  pointed(x, y) {
    for (const { panel } of this.panels) {
      panel.cursor = { x, y };
      panel.mark();
    }
    this.tell();
  }

  left() {
    for (const { panel } of this.panels) {
      panel.cursor = null;
      panel.mark();
      panel.output.textContent = "";
    }
    this.readout.textContent = "";
  }

  /** Say what is under the pointer. */
  tell() {
    const at = this.panels[0]?.panel.cursor;
    if (!at) return;
    for (const { panel } of this.panels) panel.output.textContent = panel.video ? short(panel.value(at.x, at.y)) : "";
    this.readout.textContent = [`pixel ${at.x}, ${at.y}`, ...this.coordinates(at.x, at.y)].join(" · ");
  }

  /** @param {number} x @param {number} y @returns {string[]} */
  coordinates(x, y) {
    return Object.values(this.positions).map((/** @type {any} */ own) => {
      const value = own.axes.length === 2 ? own.values[y]?.[x] : own.values[own.axes[0] === "x" ? x : y];
      return `${own.name} ${value === undefined ? "–" : Number(value.toPrecision(6))}${own.unit ? ` ${own.unit.replace(/^degrees?(_\w+)?$/, "°")}` : ""}`;
    });
  }

  /** Ask for the series of a pixel or a box, or of the whole frame. @param {string} box @param {boolean} [now] */
  async ask(box, now = true) {
    this.asked = box;
    for (const { panel } of this.panels) {
      panel.box = boxOf(box);
      panel.mark();
    }
    if (now) this.remember();
    const { source } = this.app,
      { file, number, channel } = this;
    const fan_ = make("section", { class: "card" }, make("span", { class: "spinner" }));
    const event = make("section", { class: "card", hidden: true }),
      values = make("section", { class: "card", hidden: true }),
      scores = make("section", { class: "card", hidden: true });
    if (!this.answers.children.length) this.answers.replaceChildren(fan_, event, values, scores);
    const [one, two, three, four] = this.answers.children;
    const turn = (this.asking = (this.asking ?? 0) + 1);
    try {
      const [series, quantities, judged] = await Promise.all([
        source.series(file, number, channel, box),
        source.quantities(file, number, channel, box),
        source.windowScores(file, number),
      ]);
      const others = await Promise.all(
        this.compared().map(async (other) => ({
          name: other.file.name,
          series: await source.series(other.file, other.number, channel, box),
          scores: await source.windowScores(other.file, other.number),
        })),
      );
      if (turn !== this.asking || !this.element.isConnected) return;
      this.series = series;
      this.showSeries(one, series, others);
      this.showQuantities(three, quantities, box);
      this.showScores(four, judged, others);
      this.event = two;
      this.probability();
    } catch (error) {
      one.replaceChildren(state("No answer", error instanceof Error ? error.message : String(error), true));
    }
  }

  /** Name of what was asked for. */
  where() {
    const box = boxOf(this.asked);
    if (!box) return "Whole frame";
    return box.x0 === box.x1 && box.y0 === box.y1
      ? `Pixel ${box.x0}, ${box.y0}`
      : `Box ${box.x0}–${box.x1}, ${box.y0}–${box.y1}`;
  }

  /** @param {any} place @param {any} series @param {{name: string, series: any}[]} others */
  showSeries(place, series, others) {
    const chart = fan(series, { frame: () => this.frame, others });
    this.chart = chart;
    const legend = make(
      "div",
      { class: "legend" },
      make("span", {}, make("i"), "observed"),
      make("span", {}, make("i", { class: "median" }), "median"),
      make("span", {}, make("i", { class: "band50" }), "50 %"),
      make("span", {}, make("i", { class: "band90" }), "90 % interval"),
      make("span", {}, make("i", { class: "members" }), "members"),
      ...others.map(({ name }) => make("span", {}, make("i", { class: "other" }), `${name}, median`)),
    );
    const calibrated = series.calibrated
      ? "Intervals are recalibrated."
      : series.members.length > 1 && series.attainable["90"] < 0.9
        ? `${series.members.length} members reach a coverage of at most ${Math.round(100 * series.attainable["90"])} %.`
        : "";
    const name = plainName(`${this.sequence}-${this.table.issue[this.number]}-${this.where()}`);
    place.replaceChildren(
      make(
        "div",
        { class: "bar spread-apart" },
        make("h2", {}, this.where()),
        this.asked
          ? make("button", { class: "quiet", type: "button", onclick: () => this.ask("") }, "Whole frame")
          : make("span", { class: "dim small" }, "Click a pixel or draw a box"),
      ),
      chart,
      legend,
      make("p", { class: "dim small" }, calibrated),
      make(
        "div",
        { class: "bar" },
        make(
          "button",
          {
            type: "button",
            onclick: () => save(new Blob([csv(seriesRows(series))], { type: "text/csv" }), `${name}.csv`),
          },
          "CSV",
        ),
        make(
          "button",
          {
            type: "button",
            onclick: () =>
              navigator.clipboard
                .writeText(csv(seriesRows(series)).replaceAll(",", "\t"))
                .then(() => toast("The numbers are in the clipboard.")),
          },
          "Copy",
        ),
        make(
          "button",
          {
            type: "button",
            onclick: () =>
              save(
                new Blob(
                  [
                    new XMLSerializer().serializeToString(
                      fanPicture(series, `${this.sequence}, ${this.time}, ${this.where()}`),
                    ),
                  ],
                  { type: "image/svg+xml" },
                ),
                `${name}.svg`,
              ),
          },
          "SVG",
        ),
      ),
    );
    ready(place);
  }

  /** The probability of exceeding the threshold by lead time. */
  probability() {
    const { event, series } = this;
    if (!event || !series || !this.asked) {
      if (event) event.hidden = true;
      return;
    }
    const count = series.members.length,
      limit = this.threshold;
    const values = series.truth.map((/** @type {any} */ _, /** @type {number} */ k) => {
      const known = series.members.map((/** @type {any} */ m) => m[k]).filter((/** @type {any} */ v) => v !== null);
      return known.length ? known.filter((/** @type {number} */ v) => v >= limit).length / known.length : null;
    });
    const times = this.file.leads.map((/** @type {number} */ t) => t / this.clock.seconds);
    event.hidden = false;
    event.replaceChildren(
      make("h3", {}, `Probability of at least ${short(limit)} ${this.unit}`),
      lines(times, [{ name: `fraction of ${count} members`, values }], {
        x: `Lead time (${this.clock.unit})`,
        y: "Probability",
        height: 150,
        range: [0, 1.02],
      }),
    );
    ready(event);
  }

  /** @param {any} place @param {any[]} quantities @param {string} box */
  showQuantities(place, quantities, box) {
    const rows = quantities.map((own) =>
      make(
        "tr",
        {},
        make(
          "td",
          {},
          own.label,
          own.unit ? make("span", { class: "dim" }, ` (${own.unit})`) : null,
          own.calibrated
            ? make(
                "span",
                { class: "tag", title: "Recalibrated on windows that the model was not trained on" },
                "calibrated",
              )
            : null,
          distribution(own),
        ),
        make("td", {}, short(own.median)),
        make("td", {}, `${short(own.intervals["90"][0])} to ${short(own.intervals["90"][1])}`),
        make("td", {}, short(own.observed)),
      ),
    );
    place.hidden = !rows.length;
    const numbers = [
      [
        "quantity",
        "unit",
        "median",
        "low_50",
        "high_50",
        "low_90",
        "high_90",
        "observed",
        ...(quantities[0]?.members.map((/** @type {any} */ _, /** @type {number} */ k) => `member_${k + 1}`) ?? []),
      ],
      ...quantities.map((own) => [
        own.label,
        own.unit,
        own.median,
        ...own.intervals["50"],
        ...own.intervals["90"],
        own.observed,
        ...own.members,
      ]),
    ];
    place.replaceChildren(
      make(
        "div",
        { class: "bar spread-apart" },
        make("h2", {}, "Derived quantities"),
        make(
          "button",
          {
            type: "button",
            "aria-label": "Derived quantities as CSV",
            onclick: () =>
              save(
                new Blob([csv(numbers)], { type: "text/csv" }),
                `${plainName(`${this.sequence}-${this.table.issue[this.number]}-quantities`)}.csv`,
              ),
          },
          "CSV",
        ),
      ),
      make("p", { class: "dim small" }, box ? `Of ${this.where().toLowerCase()}.` : "Of the whole frame."),
      table(["Quantity", "Median", "90 % interval", "Observed"], rows),
    );
  }

  /** @param {any} place @param {any} judged @param {{name: string, scores: any}[]} others */
  showScores(place, judged, others) {
    const names = /** @type {[string, string, number][]} */ ([
      ["crps", "CRPS", -1],
      ["skill", "Skill against persistence", 1],
      ["mae", "MAE of the mean", -1],
      ["rmse", "RMSE of the mean", -1],
      ["spread", "Spread", 0],
    ]);
    const all = [{ name: this.file.name, scores: judged }, ...others],
      known = judged.total.crps[this.channel] !== null;
    place.hidden = false;
    const rows = names.map(([name, text, better]) => {
      const values = all.map(({ scores }) => scores.total[name][this.channel]),
        best = better ? better * Math.max(...values.map((v) => (v ?? -better * Infinity) * better)) : NaN;
      return make(
        "tr",
        {},
        make("td", {}, text),
        ...values.map((v) =>
          make(
            "td",
            { class: all.length > 1 && v === best ? "best" : null },
            name === "skill" ? `${short(v === null ? null : 100 * v)} %` : `${short(v)} ${this.unit}`,
          ),
        ),
      );
    });
    place.replaceChildren(
      make("h2", {}, "Scores of this window"),
      known
        ? table(all.length > 1 ? ["", ...all.map(({ name }) => name)] : null, rows)
        : make("p", { class: "dim small" }, "The observations are not available yet."),
    );
  }
}

/** Whether no frame of the future has a value. @param {import("./source.js").Video} video @param {number} issued */
function unknown(video, issued) {
  const [, height, width] = video.shape;
  return video.codes.subarray((issued + 1) * height * width).every((code) => code === 65535);
}

/** @param {string} text @returns {import("./panel.js").Box | null} */
function boxOf(text) {
  const numbers = text.split(",").map(Number);
  if (!text || numbers.some(Number.isNaN)) return null;
  const [x0, y0, x1 = x0, y1 = y0] = numbers;
  return { x0, y0, x1, y1 };
}

/** A series as rows of a table: a row for each time. @param {any} series */
export function seriesRows(series) {
  const past = series.past.length;
  const rows = [
    [
      "seconds",
      "observed",
      "median",
      "low_50",
      "high_50",
      "low_90",
      "high_90",
      ...series.members.map((/** @type {any} */ _, /** @type {number} */ k) => `member_${k + 1}`),
    ],
  ];
  series.times.forEach((/** @type {number} */ time, /** @type {number} */ k) => {
    const j = k - past;
    rows.push(
      j < 0
        ? [time, series.past[k], ...Array(5 + series.members.length).fill(null)]
        : [
            time,
            series.truth[j],
            series.median[j],
            ...["50", "90"].flatMap((level) => [series.intervals[level][0][j], series.intervals[level][1][j]]),
            ...series.members.map((/** @type {any} */ m) => m[j]),
          ],
    );
  });
  return rows;
}
