// One video on a canvas: drawn from codes through a table of colours, zoomed, and asked with pointer and keys.

import { make } from "./dom.js";
import { short } from "./numbers.js";
import { colourTable, mapOf, valueAt } from "./colour.js";

/**
 * @typedef {{x: number, y: number, width: number}} View left and lower edge in pixels of the frame, and how many are seen
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Box pixels, both ends included, rows from the bottom
 */

const LEAST_PIXELS = 8;

export class Panel {
  /**
   * @param {{title: string, describe: string, removed: () => void, pointed: (x: number, y: number) => void, left: () => void,
   *   chosen: (box: Box) => void, viewed: (view: View) => void, moving: () => boolean}} on
   */
  constructor(on) {
    this.on = on;
    /** @type {import("./source.js").Video | null} */
    this.video = null;
    /** @type {Uint32Array | null} */
    this.table = null;
    this.frame = 0;
    /** @type {View} */
    this.view = { x: 0, y: 0, width: 1 };
    /** @type {Box | null} */
    this.box = null;
    /** @type {{x: number, y: number} | null} */
    this.cursor = null;
    this.title = make("h3", { title: on.title }, on.title);
    this.output = make("output", { "aria-hidden": "true" });
    this.canvas = make("canvas", { class: "image", tabIndex: 0, role: "img", "aria-label": on.describe });
    this.overlay = make("canvas", { class: "overlay", "aria-hidden": "true" });
    this.waiting = make("div", { class: "waiting" }, make("span", { class: "spinner" }));
    this.bar = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    this.low = make("span");
    this.high = make("span");
    this.element = make(
      "figure",
      { class: "panel" },
      make(
        "header",
        {},
        this.title,
        this.output,
        make(
          "button",
          { class: "quiet", type: "button", "aria-label": `Remove ${on.title}`, onclick: on.removed },
          "×",
        ),
      ),
      make("div", { class: "stage" }, this.canvas, this.overlay, this.waiting),
      make("footer", {}, this.low, this.bar, this.high),
    );
    this.listen();
  }

  /** Show a video. @param {import("./source.js").Video} video */
  show(video) {
    this.video = video;
    const [, height, width] = video.shape;
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.picture = new OffscreenCanvas(width, height);
    this.waiting.hidden = true;
    this.waiting.style.display = "none";
  }

  /** @param {string} text */
  fail(text) {
    this.waiting.replaceChildren(text);
    this.waiting.style.display = "flex";
  }

  /** @param {string} map @param {import("./colour.js").Light} light @param {string} unit */
  dress(map, light, unit) {
    if (!this.video) return;
    this.light = light;
    this.map = map;
    this.table = colourTable(this.video.values, map, light);
    this.low.textContent = short(light.low);
    this.high.textContent = `${short(light.high)} ${unit}`.trim();
    const colours = mapOf(map),
      strip = new ImageData(256, 1);
    new Uint32Array(strip.data.buffer).set(colours);
    this.bar.getContext("2d").putImageData(strip, 0, 0);
    this.bar.title = `Middle of the colour bar: ${short(valueAt(0.5, light))} ${unit}`;
    this.unit = unit;
  }

  /** The value of a pixel in the present frame. @param {number} x @param {number} y */
  value(x, y) {
    if (!this.video) return NaN;
    const [, height, width] = this.video.shape;
    return this.video.values[this.video.codes[(this.frame * height + y) * width + x]];
  }

  /** How many pixels of the screen the frame's shape asks for. */
  fit() {
    if (!this.video) return;
    const [, height, width] = this.video.shape;
    const dense = Math.min(window.devicePixelRatio || 1, 2),
      shown = Math.round((this.canvas.clientWidth || 250) * dense);
    const tall = Math.max(1, Math.round((shown * height) / width));
    if (this.canvas.width !== shown || this.canvas.height !== tall) {
      for (const canvas of [this.canvas, this.overlay]) {
        canvas.width = shown;
        canvas.height = tall;
      }
    }
  }

  /** Draw the present frame. */
  draw() {
    const { video, table, image, pixels, picture } = this;
    if (!video || !table || !image || !pixels || !picture) return;
    const [, height, width] = video.shape;
    const start = this.frame * height * width,
      codes = video.codes;
    for (let y = 0; y < height; y++) {
      // rows of a frame run upwards
      let from = start + (height - 1 - y) * width,
        to = y * width;
      for (const end = to + width; to < end; to++, from++) pixels[to] = table[codes[from]];
    }
    /** @type {any} */ (picture.getContext("2d")).putImageData(image, 0, 0);
    const context = this.canvas.getContext("2d"),
      view = this.view;
    const tall = (view.width * height) / width;
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#0b0e13";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(
      picture,
      view.x,
      height - view.y - tall,
      view.width,
      tall,
      0,
      0,
      this.canvas.width,
      this.canvas.height,
    );
  }

  /** Draw the box that was chosen and the cross under the pointer. */
  mark() {
    const context = this.overlay.getContext("2d");
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (!this.video) return;
    const scale = this.overlay.width / this.view.width;
    const outline = (/** @type {Box} */ box, /** @type {string} */ colour) => {
      const x = (box.x0 - this.view.x) * scale,
        high = this.overlay.height - (box.y1 + 1 - this.view.y) * scale;
      const wide = (box.x1 - box.x0 + 1) * scale,
        tall = (box.y1 - box.y0 + 1) * scale;
      context.strokeStyle = "#000a";
      context.lineWidth = 4;
      context.strokeRect(x, high, wide, tall);
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(x, high, wide, tall);
    };
    if (this.box) outline(this.box, "#fff");
    if (this.cursor) outline({ x0: this.cursor.x, y0: this.cursor.y, x1: this.cursor.x, y1: this.cursor.y }, "#6cc1ff");
  }

  /** The pixel under the pointer. @param {{clientX: number, clientY: number}} event */
  pixel(event) {
    const area = this.canvas.getBoundingClientRect();
    const [, height, width] = this.video ? this.video.shape : [1, 1, 1];
    const x = this.view.x + ((event.clientX - area.left) / area.width) * this.view.width;
    const y = this.view.y + ((area.bottom - event.clientY) / area.width) * this.view.width;
    return {
      x: Math.min(width - 1, Math.max(0, Math.floor(x))),
      y: Math.min(height - 1, Math.max(0, Math.floor(y))),
      px: x,
      py: y,
    };
  }

  /** Zoom around a place of the frame. @param {number} factor @param {number} px @param {number} py */
  zoom(factor, px, py) {
    if (!this.video) return;
    const [, height, width] = this.video.shape,
      old = this.view;
    const wide = Math.min(width, Math.max(LEAST_PIXELS, old.width * factor)),
      part = wide / old.width;
    this.on.viewed(clamp({ x: px - (px - old.x) * part, y: py - (py - old.y) * part, width: wide }, width, height));
  }

  /** Move what is seen. @param {number} dx pixels of the frame @param {number} dy */
  pan(dx, dy) {
    if (!this.video) return;
    const [, height, width] = this.video.shape;
    this.on.viewed(clamp({ x: this.view.x + dx, y: this.view.y + dy, width: this.view.width }, width, height));
  }

  listen() {
    const canvas = this.canvas;
    /** @type {{x: number, y: number, px: number, py: number, box: boolean, moving: boolean} | null} */
    let held = null;
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0 || !this.video) return;
      held = { ...this.pixel(event), box: false, moving: this.on.moving() };
      if (event.pointerType !== "touch" || held.moving) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!this.video) return;
      const at = this.pixel(event);
      if (held?.moving) this.pan(held.px - at.px, held.py - at.py);
      else if (held && (held.box || Math.abs(at.x - held.x) + Math.abs(at.y - held.y) > 1)) {
        held.box = true;
        this.box = ordered(held, at);
        this.mark();
      }
      this.on.pointed(at.x, at.y);
    });
    canvas.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      if (held && !held.moving) this.on.chosen(held.box ? ordered(held, this.pixel(event)) : ordered(held, held));
      held = null;
    });
    canvas.addEventListener("pointercancel", () => {
      held = null;
    });
    canvas.addEventListener("pointerleave", () => this.on.left());
    canvas.addEventListener(
      "wheel",
      (/** @type {WheelEvent} */ event) => {
        if (!event.ctrlKey && !this.on.moving() && document.activeElement !== canvas) return; // the page scrolls
        event.preventDefault();
        const at = this.pixel(event);
        this.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at.px, at.py);
      },
      { passive: false },
    );
    canvas.addEventListener("dblclick", (/** @type {MouseEvent} */ event) => {
      const at = this.pixel(event);
      this.zoom(0.5, at.px, at.py);
    });
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (!this.video || event.altKey || event.ctrlKey || event.metaKey) return;
      const [, height, width] = this.video.shape;
      const at = this.cursor ?? { x: Math.floor(width / 2), y: Math.floor(height / 2) };
      const steps = /** @type {Record<string, [number, number]>} */ ({
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
        ArrowUp: [0, 1],
        ArrowDown: [0, -1],
      });
      if (event.key in steps) {
        const far = event.shiftKey ? 10 : 1,
          [dx, dy] = steps[event.key];
        this.on.pointed(
          Math.min(width - 1, Math.max(0, at.x + dx * far)),
          Math.min(height - 1, Math.max(0, at.y + dy * far)),
        );
      } else if (event.key === "Enter") this.on.chosen({ x0: at.x, y0: at.y, x1: at.x, y1: at.y });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b @returns {Box} */
function ordered(a, b) {
  return { x0: Math.min(a.x, b.x), y0: Math.min(a.y, b.y), x1: Math.max(a.x, b.x), y1: Math.max(a.y, b.y) };
}

/** Keep what is seen within the frame. @param {View} view @param {number} width @param {number} height @returns {View} */
function clamp(view, width, height) {
  const tall = (view.width * height) / width;
  return {
    width: view.width,
    x: Math.min(width - view.width, Math.max(0, view.x)),
    y: Math.min(height - tall, Math.max(0, view.y)),
  };
}
