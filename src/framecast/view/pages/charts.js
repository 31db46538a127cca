// Charts: series with intervals by uPlot, distributions and pictures for papers as SVG.

import { make } from "./dom.js";
import { clockOf, short } from "./numbers.js";

/* global uPlot */

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** What stands at the ticks. @param {any} _ @param {number[]} ticks */
function told(_, ticks) {
  return ticks.map(short);
}

/** The width that the longest of these takes. @param {any} _ @param {string[] | null} texts */
function room(_, texts) {
  return 28 + 7 * Math.max(2, ...(texts ?? []).map((text) => text.length));
}

/** @param {HTMLElement} place @param {any} options scales, series and bands of uPlot, and the labels `x` and `y` @param {any[]} data */
function plot(place, options, data) {
  const width = Math.max(260, place.clientWidth || 400);
  const axis = {
    stroke: colour("--dim"),
    grid: { stroke: colour("--plot-grid"), width: 1 },
    ticks: { stroke: colour("--plot-grid"), width: 1 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
  };
  const chart = new /** @type {any} */ (window).uPlot(
    {
      width,
      height: options.height ?? 210,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      ...options,
      axes: [
        { ...axis, values: told, label: options.x, labelSize: 24, size: 34 },
        { ...axis, values: told, label: options.y, labelSize: 20, size: room },
      ],
    },
    data,
    place,
  );
  const observer = new ResizeObserver(() => {
    if (!place.isConnected) return observer.disconnect();
    const wide = Math.max(260, place.clientWidth);
    if (Math.abs(wide - chart.width) > 2) chart.setSize({ width: wide, height: chart.height });
  });
  observer.observe(place);
  return chart;
}

/**
 * Series of every member with intervals, what came and what was seen.
 * @param {any} series what the server answered
 * @param {{others?: {name: string, series: any}[], frame?: () => number}} [more] series of other forecasts, and the present frame,
 *   to which `move` of the chart brings a line without drawing the rest anew
 */
export function fan(series, more = {}) {
  const clock = clockOf(Math.max(...series.times));
  const x = series.times.map((/** @type {number} */ t) => t / clock.seconds),
    past = series.past.length;
  const last = series.past[past - 1];
  const later = (/** @type {(number | null)[]} */ values) => [...Array(past - 1).fill(null), last, ...values];
  const data = [x],
    specs = [{}],
    add = (/** @type {any[]} */ values, /** @type {any} */ spec) => {
      data.push(values);
      specs.push({ points: { show: false }, ...spec });
      return data.length - 1;
    };
  /** @type {any[]} */
  const bands = [];
  for (const [level, fill] of [
    ["90", "--band90"],
    ["50", "--band50"],
  ]) {
    const [low, high] = series.intervals[level];
    const high_ = add(later(high), { stroke: "transparent" }),
      low_ = add(later(low), { stroke: "transparent" });
    bands.push({ series: [high_, low_], fill: colour(fill) });
  }
  for (const member of series.members.slice(0, 60)) add(later(member), { stroke: colour("--members"), width: 1 });
  add(later(series.median), { stroke: colour("--accent"), width: 2.2 });
  for (const other of more.others ?? [])
    add(later(other.series.median), { stroke: colour("--other"), width: 2.2, dash: [7, 4] });
  add([...series.past, ...series.truth], {
    stroke: colour("--truth"),
    width: 1.8,
    points: { show: true, size: 5, fill: colour("--truth"), stroke: colour("--truth") },
  });
  const now = make("i", { class: "now" });
  const place = make("div", { class: "chart", role: "img", "aria-label": describe(series, clock.unit) });
  place.move = (/** @type {any} */ u = place.chart) => {
    if (u && more.frame) now.style.transform = `translateX(${Math.round(u.valToPos(x[more.frame()], "x"))}px)`;
  };
  place.ready = () =>
    plot(
      place,
      {
        scales: { x: { time: false } },
        bands,
        series: specs,
        x: `Time from the last frame seen (${clock.unit})`,
        y: unitLabel(series),
        hooks: {
          init: [(/** @type {any} */ u) => more.frame && u.over.append(now)],
          draw: [issue, place.move],
        },
      },
      data,
    );
  return place;
}

/** @param {any} series */
function unitLabel(series) {
  return series.unit ? `${series.label} (${series.unit})` : series.label;
}

/** A line at the issue time. @param {any} u */
function issue(u) {
  const x = Math.round(u.valToPos(0, "x", true));
  stroke(u, [x, u.bbox.top, x, u.bbox.top + u.bbox.height], [4, 4]);
}

/** @param {any} u @param {number[]} ends x and y of both @param {number[]} [dash] */
function stroke(u, [x0, y0, x1, y1], dash = []) {
  const context = u.ctx;
  context.save();
  context.strokeStyle = colour("--dim");
  context.lineWidth = devicePixelRatio;
  context.setLineDash(dash.map((d) => d * devicePixelRatio));
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.restore();
}

/** @param {any} series @param {string} unit */
function describe(series, unit) {
  const last = series.median.length - 1,
    [low, high] = series.intervals["90"];
  return `${unitLabel(series)} over time: at the longest lead time the median is ${short(series.median[last])}, the 90 % interval ${short(low[last])} to ${short(high[last])}, times in ${unit}`;
}

/** Lines over lead times. @param {number[]} x @param {{name: string, values: (number | null)[], stroke?: string, dash?: number[], band?: [(number | null)[], (number | null)[]]}[]} lines @param {{x: string, y: string, height?: number, range?: any, zero?: boolean}} about */
export function lines(x, lines, about) {
  const data = [x],
    specs = [{}],
    bands = /** @type {any[]} */ ([]);
  for (const line of lines) {
    const stroke = line.stroke?.startsWith("--") ? colour(line.stroke) : (line.stroke ?? colour("--accent"));
    if (line.band) {
      data.push(/** @type {any} */ (line.band[1]), /** @type {any} */ (line.band[0]));
      specs.push(
        { stroke: "transparent", points: { show: false } },
        { stroke: "transparent", points: { show: false } },
      );
      bands.push({
        series: [data.length - 2, data.length - 1],
        fill: `color-mix(in srgb, ${stroke} 16%, transparent)`,
      });
    }
    data.push(/** @type {any} */ (line.values));
    specs.push({ stroke, width: 2, dash: line.dash, points: { show: x.length < 30, size: 6, fill: stroke, stroke } });
  }
  const place = make("div", {
    class: "chart",
    role: "img",
    "aria-label": `${about.y} by ${about.x}: ${lines.map((line) => line.name).join(", ")}`,
  });
  place.ready = () =>
    plot(
      place,
      {
        height: about.height ?? 220,
        bands,
        series: specs,
        scales: { x: { time: false }, y: about.range ? { range: about.range } : {} },
        x: about.x,
        y: about.y,
        hooks: about.zero ? { draw: [(/** @type {any} */ u) => level(u, 0)] } : {},
      },
      data,
    );
  return place;
}

/** @param {any} u @param {number} at */
function level(u, at) {
  const y = Math.round(u.valToPos(at, "y", true));
  if (y >= u.bbox.top && y <= u.bbox.top + u.bbox.height) stroke(u, [u.bbox.left, y, u.bbox.left + u.bbox.width, y]);
}

/** Draw the charts in an element that is now on the page. @param {ParentNode} root */
export function ready(root) {
  for (const place of root.querySelectorAll(".chart")) {
    const own = /** @type {any} */ (place);
    if (own.ready) {
      own.chart = own.ready();
      own.ready = null;
    }
  }
}

/** @param {string} name @param {Record<string, any>} attributes @param {...(Node | string)} children */
export function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** The members of one quantity on a line, with intervals, median and what was observed. @param {any} quantity */
export function distribution(quantity) {
  const known = quantity.members.filter((/** @type {number | null} */ v) => v !== null);
  const ends = [...known, ...Object.values(quantity.intervals).flat(), quantity.observed].filter((v) => v !== null);
  const low = Math.min(...ends),
    high = Math.max(...ends),
    span = high - low || 1;
  const x = (/** @type {number} */ value) => 8 + (284 * (value - low)) / span;
  const strip = svg("svg", {
    viewBox: "0 0 300 30",
    class: "strip",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  for (const level of ["90", "50"]) {
    const [a, b] = quantity.intervals[level];
    if (a !== null && b !== null)
      strip.append(
        svg("rect", { x: x(a), y: 5, width: Math.max(1, x(b) - x(a)), height: 20, rx: 3, class: `band${level}` }),
      );
  }
  for (const value of known)
    strip.append(svg("rect", { x: x(value) - 0.6, y: 9, width: 1.2, height: 12, class: "member" }));
  if (quantity.median !== null)
    strip.append(svg("rect", { x: x(quantity.median) - 1.2, y: 5, width: 2.4, height: 20, class: "median" }));
  if (quantity.observed !== null)
    strip.append(
      svg("path", { d: `M${x(quantity.observed)} 1l5 6h-10zM${x(quantity.observed)} 29l5 -6h-10z`, class: "observed" }),
    );
  return strip;
}

/** The fan chart as an SVG picture of its own. @param {any} series @param {string} title */
export function fanPicture(series, title) {
  const clock = clockOf(Math.max(...series.times)),
    past = series.past.length;
  const [width, height, left, right, top, bottom] = [640, 360, 70, 14, 34, 46];
  const every = [...series.past, ...series.truth, ...series.members.flat(), ...series.intervals["90"].flat()].filter(
    (v) => v !== null,
  );
  const low = Math.min(...every),
    high = Math.max(...every),
    span = high - low || 1;
  const first = series.times[0],
    length = series.times[series.times.length - 1] - first || 1;
  const x = (/** @type {number} */ t) => left + ((width - left - right) * (t - first)) / length;
  const y = (/** @type {number} */ v) => height - bottom - ((height - top - bottom) * (v - low)) / span;
  const leads = series.times.slice(past - 1),
    start = series.past[past - 1];
  const line = (/** @type {(number | null)[]} */ values, /** @type {number[]} */ times) => {
    let text = "",
      pen = "M";
    values.forEach((v, k) => {
      if (v === null) pen = "M";
      else {
        text += `${pen}${x(times[k]).toFixed(1)} ${y(v).toFixed(1)}`;
        pen = "L";
      }
    });
    return text;
  };
  const picture = svg(
    "svg",
    {
      xmlns: SVG,
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      "font-family": "Helvetica, Arial, sans-serif",
      "font-size": 12,
    },
    svg("rect", { width, height, fill: "white" }),
  );
  for (const [level, opacity] of [
    ["90", 0.16],
    ["50", 0.26],
  ]) {
    const [a, b] = series.intervals[level].map((/** @type {(number | null)[]} */ end) => [start, ...end]);
    if ([...a, ...b].every((v) => v !== null))
      picture.append(
        svg("path", {
          d: `${line(b, leads)}${line([...a].reverse(), [...leads].reverse()).replace("M", "L")}Z`,
          fill: "#0072B2",
          opacity,
        }),
      );
  }
  for (const member of series.members)
    picture.append(
      svg("path", {
        d: line([start, ...member], leads),
        fill: "none",
        stroke: "#0072B2",
        "stroke-width": 0.7,
        opacity: 0.3,
      }),
    );
  picture.append(
    svg("path", { d: line([start, ...series.median], leads), fill: "none", stroke: "#0072B2", "stroke-width": 2.2 }),
  );
  picture.append(
    svg("path", {
      d: line([...series.past, ...series.truth], series.times),
      fill: "none",
      stroke: "black",
      "stroke-width": 1.8,
    }),
  );
  for (let k = 0; k <= 4; k++) {
    const v = low + (span * k) / 4,
      t = first + (length * k) / 4;
    picture.append(
      svg("path", { d: `M${left} ${y(v)}H${width - right}`, stroke: "#e4e6ec" }),
      svg("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, short(v)),
      svg("text", { x: x(t), y: height - bottom + 18, "text-anchor": "middle" }, short(t / clock.seconds)),
    );
  }
  picture.append(
    svg("path", { d: `M${x(0)} ${top}V${height - bottom}`, stroke: "#8a90a0", "stroke-dasharray": "4 4" }),
    svg(
      "text",
      { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" },
      `Time from the last frame seen (${clock.unit})`,
    ),
    svg("text", { x: left, y: 20, "font-weight": "bold" }, `${title}: ${unitLabel(series)}`),
  );
  return picture;
}
