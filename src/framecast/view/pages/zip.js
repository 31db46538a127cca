// Several files as one zip archive, stored as they are: how a folder of frames becomes one upload.

/** @type {Uint32Array | null} */
let table = null;

/** The checksum of zip archives. @param {Uint8Array} bytes */
export function crc32(bytes) {
  if (!table) {
    table = new Uint32Array(256);
    for (let n = 0; n < 256; n++) {
      let c = n;
      for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
      table[n] = c >>> 0;
    }
  }
  let crc = 0xffffffff;
  for (let k = 0; k < bytes.length; k++) crc = table[(crc ^ bytes[k]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Return the files, by their names alone, as one archive. @param {File[]} files @returns {Promise<Blob>} */
export async function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const file of files) {
    const content = new Uint8Array(await file.arrayBuffer());
    const name = new TextEncoder().encode(file.name);
    // Version 2.0, names in UTF-8, stored; time and date are left at 1980-01-01.
    const common = [u16(20), u16(0x0800), u16(0), u16(0), u16(0x21), u32(crc32(content)), u32(content.length)];
    const head = [...common, u32(content.length), u16(name.length), u16(0)];
    parts.push(...[u32(0x04034b50), ...head, name, content]);
    directory.push(u32(0x02014b50), u16(20), ...head, u16(0), u16(0), u16(0), u32(0), u32(offset), name);
    offset += 30 + name.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = u16(files.length);
  const end = [u32(0x06054b50), u16(0), u16(0), count, count, u32(size), u32(offset), u16(0)];
  return new Blob(/** @type {BlobPart[]} */ ([...parts, ...directory, ...end]), { type: "application/zip" });
}

/** The files that were dropped, those of folders among them. @param {DataTransfer} transfer @returns {Promise<File[]>} */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = (await Promise.all(entries.map(inside))).flat();
  return files.filter((file) => !file.name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @param {any} entry @returns {Promise<File[]>} */
async function inside(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(inside))).flat();
}

/** @param {number} value */
function u16(value) {
  return new Uint8Array([value & 255, (value >> 8) & 255]);
}

/** @param {number} value */
function u32(value) {
  return new Uint8Array([value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255]);
}
