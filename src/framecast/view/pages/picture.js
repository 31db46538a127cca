// What is seen as a picture: one SVG with the panels, their names, colour bars and units; PNG is made of it.

import { leadText, short } from "./numbers.js";
import { mapOf, valueAt } from "./colour.js";
import { svg } from "./charts.js";

const WIDE = 300,
  GAP = 16,
  HEAD = 58,
  NAME = 26,
  FOOT = 34;

/**
 * The panels at the present frame as one SVG picture.
 * @param {{panel: import("./panel.js").Panel, map: string, unit: string}[]} panels @param {{title: string, seconds: number, clock: {unit: string, seconds: number}}} about
 */
export function picture(panels, about) {
  const [, height, width] = /** @type {import("./source.js").Video} */ (panels[0].panel.video).shape;
  const tall = Math.round((WIDE * height) / width),
    columns = Math.min(4, panels.length),
    rows = Math.ceil(panels.length / columns);
  const [w, h] = [columns * (WIDE + GAP) + GAP, HEAD + rows * (NAME + tall + FOOT + GAP)];
  const root = svg(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${w} ${h}`,
      width: w,
      height: h,
      "font-family": "Helvetica, Arial, sans-serif",
    },
    svg("rect", { width: w, height: h, fill: "white" }),
    svg("text", { x: GAP, y: 26, "font-size": 17, "font-weight": "bold", fill: "#1b2430" }, about.title),
    svg(
      "text",
      { x: GAP, y: 46, "font-size": 13, fill: "#586274" },
      about.seconds > 0
        ? `forecast ${leadText(about.seconds, about.clock)}`
        : about.seconds < 0
          ? `seen ${leadText(about.seconds, about.clock)}`
          : "last frame seen",
    ),
  );
  panels.forEach(({ panel, map, unit }, k) => {
    const x = GAP + (k % columns) * (WIDE + GAP),
      y = HEAD + Math.floor(k / columns) * (NAME + tall + FOOT + GAP);
    root.append(
      svg("text", { x, y: y + 17, "font-size": 14, fill: "#1b2430" }, panel.title.textContent ?? ""),
      svg("image", {
        x,
        y: y + NAME,
        width: WIDE,
        height: tall,
        href: crop(panel),
        preserveAspectRatio: "none",
        "image-rendering": "pixelated",
      }),
    );
    const light = /** @type {import("./colour.js").Light} */ (panel.light),
      colours = mapOf(map);
    for (let step = 0; step < 64; step++) {
      const c = colours[Math.min(255, step * 4 + 2)];
      root.append(
        svg("rect", {
          x: x + (WIDE * step) / 64,
          y: y + NAME + tall + 6,
          width: WIDE / 64 + 0.4,
          height: 8,
          fill: `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`,
        }),
      );
    }
    for (const [at, anchor] of /** @type {[number, string][]} */ ([
      [0, "start"],
      [0.5, "middle"],
      [1, "end"],
    ]))
      root.append(
        svg(
          "text",
          { x: x + WIDE * at, y: y + NAME + tall + 27, "font-size": 11, "text-anchor": anchor, fill: "#586274" },
          `${short(valueAt(at, light))}${at === 1 && unit ? ` ${unit}` : ""}`,
        ),
      );
  });
  return root;
}

/** What a panel shows, one pixel for each of the frame, as the address of a PNG. @param {import("./panel.js").Panel} panel */
function crop(panel) {
  const [, height, width] = /** @type {import("./source.js").Video} */ (panel.video).shape,
    view = panel.view,
    tall = (view.width * height) / width;
  const canvas = document.createElement("canvas"),
    scale = Math.max(1, Math.round(600 / view.width));
  canvas.width = Math.round(view.width * scale);
  canvas.height = Math.round(tall * scale);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingEnabled = false;
  context.drawImage(
    /** @type {OffscreenCanvas} */ (panel.picture),
    view.x,
    height - view.y - tall,
    view.width,
    tall,
    0,
    0,
    canvas.width,
    canvas.height,
  );
  return canvas.toDataURL("image/png");
}

/** @param {Element} root @returns {Blob} */
export function asSvg(root) {
  return new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" });
}

/** @param {Element} root @returns {Promise<Blob>} */
export async function asPng(root) {
  const image = new Image(),
    address = URL.createObjectURL(asSvg(root)),
    scale = 2;
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = scale * Number(root.getAttribute("width"));
  canvas.height = scale * Number(root.getAttribute("height"));
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large."))), "image/png"),
  );
}
