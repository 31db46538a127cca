// The whole verification: what `framecast evaluate` knows of the open files, as tables and charts.

import { choice, field, make, state, table } from "./dom.js";
import { clockOf, short } from "./numbers.js";
import { lines, ready } from "./charts.js";
import { alike } from "./window.js";

const COLOURS = ["--accent", "--other", "#009e73", "#cc79a7", "#7a5195", "#8a90a0", "#56b4e9"];
const DASHES = /** @type {(number[] | undefined)[]} */ ([
  undefined,
  [8, 4],
  [2, 3],
  [10, 3, 2, 3],
  [4, 4],
  [1, 3],
  [12, 5],
]);

/** @param {any} app @param {URLSearchParams} query @returns {Promise<HTMLElement>} */
export async function verification(app, query) {
  const { scores } = await app.source.verification("");
  const page = make("div", { class: "stack" });
  if (scores) {
    page.append(...show(app, scores, query));
    return page;
  }
  if (!app.library.files.length) return state("No forecast is open", "There is nothing to score.");
  const bar = make("progress", { max: 1, value: 0, hidden: true }),
    told = make("p", { class: "dim", role: "status" });
  const thresholds = make("input", {
    type: "text",
    placeholder: "such as 1, 5",
    "aria-describedby": "thresholds-help",
  });
  const boxes = app.library.files.map((/** @type {any} */ file, /** @type {number} */ k) =>
    make("input", { type: "checkbox", value: file.key, checked: k === 0 || alike(file, app.library.files[0]) }),
  );
  const start = make("button", { class: "primary", type: "button", onclick: () => run() }, "Score all windows");
  const cancel = make("button", { type: "button", hidden: true }, "Cancel");
  page.append(
    make(
      "section",
      { class: "card stack" },
      make("h1", {}, "Verification"),
      make(
        "p",
        {},
        "Scores forecasts against the observations and simple baselines, with intervals for every score; several are compared on the windows that they share. Every window is read, so this takes a while for large files. A report that exists already is shown at once: framecast view … --report DIR.",
      ),
      make(
        "fieldset",
        { class: "choices" },
        make("legend", {}, "Forecasts"),
        ...boxes.map((/** @type {any} */ box, /** @type {number} */ k) =>
          make(
            "label",
            {},
            box,
            " ",
            app.library.files[k].name,
            make("span", { class: "dim" }, ` ${app.library.files[k].file}`),
          ),
        ),
      ),
      make(
        "div",
        { class: "bar" },
        field(`Events: at least (${app.library.files[0].channels[0].unit || "unit of the images"})`, thresholds),
        start,
        cancel,
      ),
      bar,
      told,
    ),
  );
  async function run() {
    start.disabled = true;
    bar.hidden = false;
    cancel.hidden = false;
    try {
      const limits = thresholds.value
        .split(/[,;\s]+/)
        .filter(Boolean)
        .map(Number);
      if (limits.some(Number.isNaN)) throw new Error("Thresholds are numbers separated by commas.");
      let job = await app.source.send("verification", "POST", {
        files: boxes.filter((/** @type {any} */ box) => box.checked).map((/** @type {any} */ box) => box.value),
        thresholds: limits,
      });
      cancel.onclick = () => app.source.send(`jobs/${job.key}`, "DELETE");
      const key = job.key;
      for (;;) {
        const found = await app.source.verification(key);
        job = found.job;
        bar.value = job.part;
        told.textContent = job.told;
        if (found.scores) {
          page.replaceChildren(...show(app, found.scores, query));
          ready(page);
          return;
        }
        if (job.state === "failed" || job.state === "cancelled") throw new Error(job.told);
        if (!page.isConnected) {
          await app.source.send(`jobs/${key}`, "DELETE");
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      start.disabled = false;
      cancel.hidden = true;
      bar.hidden = true;
    }
  }
  return page;
}

/** @param {any} app @param {any} scores @param {URLSearchParams} query @returns {HTMLElement[]} */
function show(app, scores, query) {
  const names = Object.keys(scores.forecasts),
    look = Object.fromEntries(
      names.map((name, k) => [name, { stroke: COLOURS[k % COLOURS.length], dash: DASHES[k % DASHES.length] }]),
    );
  const label = (/** @type {string} */ name) => scores.forecasts[name].label || name;
  return [
    make(
      "section",
      { class: "card" },
      make("h1", {}, "Verification"),
      make(
        "p",
        { class: "dim" },
        `${scores.judged_samples} windows, ${scores.judged_pixels.toLocaleString("en")} pixels judged; intervals are 95 % from ${scores.bootstrap.replicates} bootstrap draws of ${scores.bootstrap.number_of_blocks} blocks (${scores.bootstrap.blocks}).`,
      ),
      totals(scores, names, label),
    ),
    ...(scores.differences.length && scores.models.length > 1 ? [paired(scores, label)] : []),
    make(
      "div",
      { class: "two" },
      byLead(app, scores, names, label, look, query),
      coverage(scores, label, look),
      ranks(scores, look),
      spread(scores, label, look),
      ...events(scores, label, look),
    ),
  ];
}

/** @param {any} estimate */
function interval(estimate) {
  const [low, high] = estimate["95"] ?? [null, null];
  return typeof low === "number" ? `${short(low)} to ${short(high)}` : "";
}

/** @param {any} scores @param {string[]} names @param {(name: string) => string} label */
function totals(scores, names, label) {
  const shown = Object.entries(scores.score_info).filter(
    ([name, info]) =>
      ["console", "report"].includes(/** @type {any} */ (info).shown ?? "") &&
      names.some((each) => typeof scores.forecasts[each].scores[name]?.total.value === "number"),
  );
  const rows = shown.map(([name, info]) => {
    const { label: text, unit, better, hint } = /** @type {any} */ (info);
    const values = names.map((each) => scores.forecasts[each].scores[name]?.total.value ?? null),
      known = values.filter((v) => v !== null);
    const best = better === "lower" ? Math.min(...known) : better === "higher" ? Math.max(...known) : NaN;
    return make(
      "tr",
      {},
      make("td", { title: hint }, text, unit ? make("span", { class: "dim" }, ` (${unit})`) : null),
      ...names.map((each, k) =>
        make(
          "td",
          {
            class: values[k] === best ? "best" : null,
            title: scores.forecasts[each].scores[name]
              ? `95 % interval ${interval(scores.forecasts[each].scores[name].total)}`
              : "",
          },
          short(values[k]),
        ),
      ),
    );
  });
  return table(["Score", ...names.map(label)], rows);
}

/** @param {any} scores @param {(name: string) => string} label */
function paired(scores, label) {
  const rows = [];
  for (const pair of scores.differences.filter(
    (/** @type {any} */ each) => scores.models.includes(each.first) && scores.models.includes(each.second),
  )) {
    for (const [name, found] of Object.entries(pair.scores)) {
      const info = scores.score_info[name],
        { total, verdict } = /** @type {any} */ (found);
      if (info?.shown !== "console" || typeof total.value !== "number") continue;
      rows.push(
        make(
          "tr",
          {},
          make("td", {}, `${label(pair.first)} − ${label(pair.second)}: ${info.label}`),
          make("td", {}, short(total.value)),
          make("td", {}, interval(total)),
          make("td", { class: verdict === "better" ? "best" : verdict === "worse" ? "worse" : "dim" }, verdict),
        ),
      );
    }
  }
  return make(
    "section",
    { class: "card" },
    make("h2", {}, "Paired differences on the same windows"),
    table(["Difference", "Value", "95 % interval", "Verdict"], rows),
  );
}

/** @param {any} scores @param {string[]} names @param {(name: string) => string} label @param {any} look */
function legend(scores, names, label, look) {
  const line = (/** @type {string} */ name) => {
    const mark = make("i", {});
    mark.style.background = look[name].stroke.startsWith("--") ? `var(${look[name].stroke})` : look[name].stroke;
    return make("span", {}, mark, label(name));
  };
  return make("div", { class: "legend" }, ...names.map(line));
}

/** @param {any} app @param {any} scores @param {string[]} names @param {(name: string) => string} label @param {any} look @param {URLSearchParams} query */
function byLead(app, scores, names, label, look, query) {
  const options = /** @type {[string, string][]} */ ([]);
  for (const base of [
    ...new Set(scores.models.flatMap((/** @type {string} */ name) => Object.keys(scores.forecasts[name].skill))),
  ])
    options.push([`skill:${base}`, `Skill against ${label(/** @type {string} */ (base)).toLowerCase()} (CRPS)`]);
  for (const [name, info] of Object.entries(scores.score_info))
    if (names.some((each) => scores.forecasts[each].scores[name]?.by_lead))
      options.push([
        name,
        `${/** @type {any} */ (info).label}${/** @type {any} */ (info).unit ? ` (${/** @type {any} */ (info).unit})` : ""}`,
      ]);
  let chosen = query.get("score") ?? options[0]?.[0] ?? "";
  const place = make("div", {}),
    clock = clockOf(3600 * Math.max(...scores.lead_times_h)),
    x = scores.lead_times_h.map((/** @type {number} */ h) => (3600 * h) / clock.seconds);
  const draw = () => {
    const base = chosen.startsWith("skill:") ? chosen.slice(6) : "";
    const found = names
      .map((name) => ({
        name,
        result: base
          ? scores.forecasts[name].skill[base]?.crps?.by_lead
          : scores.forecasts[name].scores[chosen]?.by_lead,
      }))
      .filter(({ result }) => result && Array.isArray(result.value));
    place.replaceChildren(
      legend(
        scores,
        found.map(({ name }) => name),
        label,
        look,
      ),
      lines(
        x,
        found.map(({ name, result }) => ({
          name: label(name),
          values: result.value,
          ...look[name],
          band: result["95"],
        })),
        {
          x: `Lead time (${clock.unit})`,
          y: base ? "Skill" : (options.find(([name]) => name === chosen)?.[1] ?? ""),
          zero: Boolean(base),
          height: 260,
        },
      ),
    );
    if (place.isConnected) ready(place);
  };
  draw();
  return make(
    "section",
    { class: "card" },
    make("h2", {}, "By lead time"),
    choice(options, chosen, (value) => {
      chosen = value;
      app.replace("verification", { score: value });
      draw();
    }),
    place,
  );
}

/** Observed against nominal coverage of derived quantities. @param {any} scores @param {(name: string) => string} label @param {any} look */
function coverage(scores, label, look) {
  const quantities = Object.entries(scores.quantity_info)
    .filter(([, info]) => /** @type {any} */ (info).headline)
    .map(([name]) => name);
  let chosen = quantities[0] ?? "";
  const place = make("div", {}),
    models = scores.models.filter(
      (/** @type {string} */ name) => scores.forecasts[name].members > 1 && scores.forecasts[name].quantities[chosen],
    );
  const draw = () => {
    const levels = Object.keys(scores.forecasts[models[0]].quantities[chosen].intervals),
      x = levels.map((level) => Number(level) / 100);
    const all = models.map((/** @type {string} */ name) => ({
      name: label(name),
      values: levels.map((level) => scores.forecasts[name].quantities[chosen].intervals[level].coverage.value),
      ...look[name],
    }));
    const recalibrated = models
      .filter((/** @type {string} */ name) => scores.forecasts[name].recalibrated?.quantities[chosen])
      .map((/** @type {string} */ name) => ({
        name: `${label(name)}, recalibrated`,
        values: levels.map(
          (level) => scores.forecasts[name].recalibrated.quantities[chosen][level]?.coverage.value ?? null,
        ),
        stroke: "#009e73",
        dash: [6, 3],
      }));
    place.replaceChildren(
      legend(scores, models, label, look),
      lines(x, [{ name: "perfect", values: x, stroke: "--dim", dash: [4, 4] }, ...all, ...recalibrated], {
        x: "Nominal coverage",
        y: "Observed",
        range: [0, 1.02],
        height: 260,
      }),
    );
    if (place.isConnected) ready(place);
  };
  if (!models.length)
    return make(
      "section",
      { class: "card" },
      make("h2", {}, "Reliability of intervals"),
      make("p", { class: "dim" }, "There is no ensemble with derived quantities."),
    );
  draw();
  return make(
    "section",
    { class: "card" },
    make("h2", {}, "Reliability of intervals"),
    choice(
      quantities.map((name) => [name, scores.quantity_info[name].label]),
      chosen,
      (value) => {
        chosen = value;
        draw();
      },
    ),
    place,
  );
}

/** @param {any} scores @param {any} look */
function ranks(scores, look) {
  const name = scores.models.find((/** @type {string} */ each) => scores.forecasts[each].ranks.length > 2);
  if (!name) return "";
  const found = scores.forecasts[name].ranks,
    x = found.map((/** @type {any} */ _, /** @type {number} */ k) => k + 1),
    flat = found.map(() => 1 / found.length);
  return make(
    "section",
    { class: "card" },
    make("h2", {}, "Rank histogram"),
    make("p", { class: "dim small" }, `${scores.forecasts[name].label}: flat for a reliable ensemble.`),
    lines(
      x,
      [
        { name: "flat", values: flat, stroke: "--dim", dash: [4, 4] },
        { name: "observed", values: found, ...look[name] },
      ],
      {
        x: "Rank of the truth among the members",
        y: "Fraction of pixels",
        range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ high) => [0, high * 1.1],
      },
    ),
  );
}

/** @param {any} scores @param {(name: string) => string} label @param {any} look */
function spread(scores, label, look) {
  const name = scores.models.find((/** @type {string} */ each) => scores.forecasts[each].spread.spread.length > 1);
  if (!name) return "";
  const found = scores.forecasts[name].spread;
  return make(
    "section",
    { class: "card" },
    make("h2", {}, "Spread-error relation"),
    make(
      "p",
      { class: "dim small" },
      `${label(name)}: error found by the spread that was predicted${scores.unit ? `, ${scores.unit}` : ""}.`,
    ),
    lines(
      found.spread,
      [
        { name: "as predicted", values: found.spread, stroke: "--dim", dash: [4, 4] },
        { name: "error", values: found.error, ...look[name] },
      ],
      { x: "Spread", y: "Error" },
    ),
  );
}

/** @param {any} scores @param {(name: string) => string} label @param {any} look */
function events(scores, label, look) {
  const name = scores.models[0];
  return Object.entries(scores.forecasts[name].events).map(([threshold, found]) => {
    const { probability, observed, base_rate } = /** @type {any} */ (found);
    return make(
      "section",
      { class: "card" },
      make("h2", {}, `Reliability of P(≥ ${threshold} ${scores.unit})`),
      make("p", { class: "dim small" }, `${label(name)}; it happens in ${short(100 * base_rate)} % of the pixels.`),
      lines(
        probability,
        [
          { name: "perfect", values: probability, stroke: "--dim", dash: [4, 4] },
          { name: "observed", values: observed.value, ...look[name] },
        ],
        { x: "Forecast probability", y: "Observed frequency", range: [0, 1.02] },
      ),
    );
  });
}
