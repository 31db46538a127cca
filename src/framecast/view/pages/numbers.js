// Numbers and times as people read them.

/** @param {number | null | undefined} value @returns {string} */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e5 || size < 1e-3 ? Number(value.toPrecision(3)).toExponential() : String(Number(value.toPrecision(size >= 1000 ? 4 : 3)));
  return text.replace("-", "−");
}

/** The unit in which lead times are told. @param {number} longest seconds @returns {{unit: string, seconds: number}} */
export function clockOf(longest) {
  if (longest < 300) return { unit: "s", seconds: 1 };
  if (longest < 7200) return { unit: "min", seconds: 60 };
  if (longest <= 7 * 86400) return { unit: "h", seconds: 3600 };
  return { unit: "d", seconds: 86400 };
}

/** Seconds as a lead time with its sign: "+25 min". @param {number} seconds @param {{unit: string, seconds: number}} clock */
export function leadText(seconds, clock) {
  const value = Number((seconds / clock.seconds).toPrecision(3));
  return `${value > 0 ? "+" : ""}${value} ${clock.unit}`.replace("-", "−");
}

/** Rows as CSV; texts that a spreadsheet would compute get an apostrophe. @param {(string | number | null)[][]} rows */
export function csv(rows) {
  const cell = (/** @type {string | number | null} */ value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const plain = /^[=+\-@\t\r']/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
