// An export that was opened from disk: the data are scripts beside the page, and what is asked is computed here.

import { Refused, unpack } from "./source.js";

export class Static {
  constructor() {
    this.live = false;
    this.data = /** @type {any} */ (globalThis).FRAMECAST;
    /** @type {Map<string, Promise<any>>} */
    this.loading = new Map();
    /** @type {Map<string, any>} */
    this.videos = new Map();
  }

  async library() {
    return this.data.library.library;
  }

  /** @param {any} file */
  async windows(file) {
    return this.data.library.windows[file.key];
  }

  /** @param {any} file */
  async positions(file) {
    return this.data.library.positions[file.key];
  }

  /** @param {any} file @param {number} channel */
  async scores(file, channel) {
    return this.data.library.scores[file.key][channel];
  }

  /** @param {any} file @param {number} number @param {number} channel */
  thumbnail(file, number, channel) {
    return `data/${file.key}/${number}-${channel}.webp`;
  }

  /** Load the script of one window. @param {any} file @param {number} number @param {number} channel @returns {Promise<any>} */
  window(file, number, channel) {
    const name = `${file.key}/${number}-${channel}`;
    let asked = this.loading.get(name);
    if (!asked) {
      asked = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => {
          resolve(this.data[name]);
          script.remove();
        };
        script.onerror = () =>
          reject(new Refused(`The file ${script.getAttribute("src")} is missing: copy the whole folder.`));
        document.head.append(script);
      });
      this.loading.set(name, asked);
    }
    return asked;
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} what @param {string} [minus] @returns {Promise<import("./source.js").Video>} */
  async video(file, number, channel, what, minus) {
    const own = await this.window(file, number, channel),
      name = minus ? `${what}~${minus}` : what;
    if (what.startsWith("above-")) return this.above(file, number, channel, Number(what.slice(6)));
    if (!own.videos[name]) throw new Refused("This is not part of the export.");
    const key = `${file.key}/${number}/${channel}/${name}`;
    if (!this.videos.has(key)) {
      if (this.videos.size > 80) this.videos.delete(this.videos.keys().next().value ?? "");
      const bytes = Uint8Array.from(atob(own.videos[name]), (letter) => letter.charCodeAt(0));
      this.videos.set(key, unpack(bytes.buffer));
    }
    return this.videos.get(key);
  }

  /** @param {any} file @param {number} number @param {number} channel @returns {Promise<import("./source.js").Video[]>} */
  members(file, number, channel) {
    return Promise.all(
      Array.from({ length: file.members }, (_, k) => this.video(file, number, channel, `member-${k + 1}`)),
    );
  }

  /** The fraction of the members that reach a threshold. @param {any} file @param {number} number @param {number} channel @param {number} limit */
  async above(file, number, channel, limit) {
    const members = await this.members(file, number, channel),
      size = members[0].codes.length,
      codes = new Uint16Array(size);
    for (let k = 0; k < size; k++) {
      let known = 0,
        reached = 0;
      for (const { codes: own, values } of members) {
        const value = values[own[k]];
        if (!Number.isNaN(value)) {
          known++;
          if (value >= limit) reached++;
        }
      }
      codes[k] = known ? Math.round((65534 * reached) / known) : 65535;
    }
    const values = Float32Array.from({ length: 65536 }, (_, code) => code / 65534);
    values[65535] = NaN;
    return { shape: members[0].shape, codes, values, shown: { low: 0, high: 1, soft: 0 }, colours: "Blues", unit: "" };
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} [box] */
  async series(file, number, channel, box) {
    const own = await this.window(file, number, channel);
    if (!box) return own.series;
    const [x0, y0, x1 = x0, y1 = y0] = box.split(",").map(Number);
    const over = (/** @type {any} */ { shape: [times, height, width], codes, values }) =>
      Array.from({ length: times }, (_, t) => {
        let sum = 0,
          share = 0;
        for (let y = y0; y <= y1; y++)
          for (let x = x0; x <= x1; x++) {
            const value = values[codes[(t * height + y) * width + x]],
              area = own.weights ? own.weights[y] : 1;
            if (!Number.isNaN(value)) {
              sum += area * value;
              share += area;
            }
          }
        return share ? sum / share : null;
      });
    const truth = over(await this.video(file, number, channel, "truth")),
      members = (await this.members(file, number, channel)).map((video) => over(video).slice(own.past));
    const sorted = members[0].map((_, k) =>
      /** @type {number[]} */ (members.map((member) => member[k]).filter((v) => v !== null)).sort((a, b) => a - b),
    );
    const ends = (/** @type {number} */ level) =>
      [(1 - level) / 2, (1 + level) / 2].map((p) => sorted.map((values) => quantile(values, p)));
    return {
      ...own.series,
      label: x0 === x1 && y0 === y1 ? "Pixel" : "Mean of the box",
      unit: file.channels[channel].unit,
      calibrated: false,
      past: truth.slice(0, own.past),
      truth: truth.slice(own.past),
      members,
      median: sorted.map((values) => quantile(values, 0.5)),
      intervals: { 50: ends(0.5), 90: ends(0.9) },
    };
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} [box] */
  async quantities(file, number, channel, box) {
    return box ? [] : (await this.window(file, number, channel)).quantities;
  }

  /** @param {any} file @param {number} number */
  async windowScores(file, number) {
    return (await this.window(file, number, 0)).scores;
  }
}

/** Definition 6 of Hyndman and Fan (1996), as the server has it. @param {number[]} sorted @param {number} p */
function quantile(sorted, p) {
  if (!sorted.length) return null;
  const position = Math.min(sorted.length, Math.max(1, p * (sorted.length + 1))),
    left = Math.floor(position);
  return sorted[left - 1] + (position - left) * (sorted[Math.min(left, sorted.length - 1)] - sorted[left - 1]);
}
