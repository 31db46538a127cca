// Where the page gets what it shows from: the server, one small request for each thing, kept while there is room.

/**
 * @typedef {{shape: [number, number, number], codes: Uint16Array, values: Float32Array, shown: {low: number, high: number, soft: number}, colours: string, unit: string | null}} Video
 * A video `[time, y, x]` as codes; `values` is what each of the 65536 codes stands for, NaN for the last.
 */

const MOST_BYTES = 256 * 2 ** 20;

/** An error whose text is for the reader. */
export class Refused extends Error {}

export class Server {
  constructor() {
    /** @type {Map<string, Promise<any>>} */
    this.kept = new Map();
    /** @type {Map<string, {video: Promise<Video>, bytes: number}>} */
    this.videos = new Map();
    this.live = true;
    this.page = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
  }

  /** @param {string} path @param {Record<string, any>} [query] */
  address(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
    return `api/${path}${text ? `?${text}` : ""}`;
  }

  /** @param {string} address @param {RequestInit} [options] @returns {Promise<Response>} */
  async ask(address, options) {
    let answer;
    try {
      answer = await fetch(address, options);
    } catch {
      throw new Refused("The server does not answer. Is framecast view still running?");
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new Refused(told.error ?? `The server answered ${answer.status}.`);
  }

  /** @param {string} address @param {boolean} [keep] @returns {Promise<any>} */
  json(address, keep = true) {
    const found = keep ? this.kept.get(address) : undefined;
    if (found) return found;
    const asked = this.ask(address).then((answer) => answer.json());
    if (keep) {
      this.kept.set(address, asked);
      asked.catch(() => this.kept.delete(address));
      if (this.kept.size > 400) this.kept.delete(this.kept.keys().next().value ?? "");
    }
    return asked;
  }

  /** @param {boolean} [anew] */
  library(anew = false) {
    if (anew) this.kept.clear();
    return this.json("api/library", !anew);
  }

  /** Ask for something to be done. @param {string} path @param {string} method @param {any} [body] a Blob, or JSON values */
  async send(path, method, body) {
    const json = body !== undefined && !(body instanceof Blob);
    const answer = await this.ask(`api/${path}`, {
      method,
      headers: { "x-page": this.page, ...(json ? { "content-type": "application/json" } : {}) },
      body: json ? JSON.stringify(body) : body,
    });
    return answer.json();
  }

  /** @param {string} job */
  async verification(job) {
    return job ? this.send(`verification?job=${job}`, "GET") : this.json("api/verification");
  }

  /** @param {any} file */
  windows(file) {
    return this.json(this.address(`files/${file.key}/windows`, { v: file.version }));
  }

  /** @param {any} file */
  positions(file) {
    return this.json(this.address(`files/${file.key}/positions`, { v: file.version }));
  }

  /** @param {any} file @param {number} channel */
  scores(file, channel) {
    return this.json(this.address(`files/${file.key}/scores`, { channel }), false);
  }

  /** @param {any} file @param {number} number @param {number} channel */
  thumbnail(file, number, channel) {
    return this.address(`files/${file.key}/windows/${number}/thumbnail.webp`, { channel, v: file.version });
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} [box] */
  series(file, number, channel, box) {
    return this.json(this.address(`files/${file.key}/windows/${number}/series`, { channel, box, v: file.version }));
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} [box] */
  quantities(file, number, channel, box) {
    return this.json(this.address(`files/${file.key}/windows/${number}/quantities`, { channel, box, v: file.version }));
  }

  /** @param {any} file @param {number} number */
  windowScores(file, number) {
    return this.json(this.address(`files/${file.key}/windows/${number}/scores`, { v: file.version }));
  }

  /** @param {any} file @param {number} number @param {number} channel @param {string} what @param {string} [minus] @returns {Promise<Video>} */
  video(file, number, channel, what, minus) {
    const address = this.address(`files/${file.key}/windows/${number}/video`, {
      channel,
      what,
      minus,
      v: file.version,
    });
    const found = this.videos.get(address);
    if (found) {
      this.videos.delete(address);
      this.videos.set(address, found);
      return found.video;
    }
    const entry = { video: this.ask(address).then(async (answer) => unpack(await answer.arrayBuffer())), bytes: 0 };
    this.videos.set(address, entry);
    entry.video.then(
      (video) => {
        entry.bytes = video.codes.byteLength;
        this.trim();
      },
      () => this.videos.delete(address),
    );
    return entry.video;
  }

  trim() {
    let bytes = 0;
    for (const entry of this.videos.values()) bytes += entry.bytes;
    for (const [address, entry] of this.videos) {
      if (bytes <= MOST_BYTES) break;
      bytes -= entry.bytes;
      this.videos.delete(address);
    }
  }
}

/** Return the video in what the server sent. @param {ArrayBuffer} content @returns {Video} */
export function unpack(content) {
  const length = new DataView(content).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)));
  return withValues(header, new Uint16Array(content, 4 + length));
}

/** Return the video with the table of what its codes stand for. @param {any} header @param {Uint16Array} codes @returns {Video} */
export function withValues(header, codes) {
  const values = new Float32Array(65536);
  for (let code = 0; code < 65535; code++) {
    const place = code * header.step;
    values[code] = header.low + (header.soft ? header.soft * Math.sinh(place) : place);
  }
  values[65535] = NaN;
  return { shape: header.shape, codes, values, shown: header.shown, colours: header.colours, unit: header.unit };
}
