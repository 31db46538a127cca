// From values to colours: a table of one colour for each of the 65536 codes of a video.

/** @typedef {{low: number, high: number, stretch: string, soft: number}} Light the range of values that is shown, and its curve */

/** @type {Map<string, Uint32Array>} */
const maps = new Map();

/** Take the colour maps that the server has. @param {Record<string, string>} tables hexadecimal rrggbb… */
export function learn(tables) {
  for (const [name, text] of Object.entries(tables)) {
    const table = new Uint32Array(256);
    for (let k = 0; k < 256; k++) {
      const [r, g, b] = [0, 2, 4].map((at) => parseInt(text.slice(6 * k + at, 6 * k + at + 2), 16));
      table[k] = (255 << 24) | (b << 16) | (g << 8) | r; // bytes r, g, b, a of a little-endian machine
    }
    maps.set(name, table);
  }
}

/** @returns {string[]} */
export function mapNames() {
  return [...maps.keys()];
}

/** @param {string} name */
export function mapOf(name) {
  return maps.get(name) ?? /** @type {Uint32Array} */ (maps.get("inferno"));
}

/** Where a value lies between the ends of the range, 0 to 1. @param {number} value @param {Light} light */
export function place(value, light) {
  const span = light.high - light.low || 1;
  let x = (value - light.low) / span;
  if (light.stretch === "asinh") {
    const bend = (light.soft || span / 20) / span;
    x = Math.asinh(x / bend) / Math.asinh(1 / bend);
  } else if (light.stretch === "log") {
    const least = light.low > 0 ? light.low : light.high / 1e3;
    x = Math.log(Math.max(value, least) / least) / Math.log(light.high / least || Math.E);
  }
  return x < 0 ? 0 : x > 1 ? 1 : x;
}

/** The value at a place between 0 and 1, the inverse of `place`. @param {number} x @param {Light} light */
export function valueAt(x, light) {
  const span = light.high - light.low || 1;
  if (light.stretch === "asinh") {
    const bend = (light.soft || span / 20) / span;
    return light.low + span * bend * Math.sinh(x * Math.asinh(1 / bend));
  }
  if (light.stretch === "log") {
    const least = light.low > 0 ? light.low : light.high / 1e3;
    return least * (light.high / least) ** x;
  }
  return light.low + x * span;
}

const MASKED = (255 << 24) | (96 << 16) | (90 << 8) | 88;

/** @param {Float32Array} values of the codes @param {string} map @param {Light} light @returns {Uint32Array} */
export function colourTable(values, map, light) {
  const colours = mapOf(map);
  const table = new Uint32Array(65536);
  for (let code = 0; code < 65535; code++) table[code] = colours[Math.round(255 * place(values[code], light))];
  table[65535] = MASKED;
  return table;
}
