// @ts-check
// PNG files: indexed ones are written, others are read to the exact values that they store.

import { pump } from "../../../pages/assets/bytes.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = /** @type {Record<number, number>} */ ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 });

let table = /** @type {Uint32Array | null} */ (null);

/** Return the CRC-32 of bytes, as in PNG and ZIP files. @param {Uint8Array} bytes */
export function crc32(bytes) {
  if (!table) {
    table = new Uint32Array(256);
    for (let n = 0; n < 256; n++) {
      let c = n;
      for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
      table[n] = c;
    }
  }
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** @param {string} type @param {Uint8Array} data */
function chunk(type, data) {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

/** Return parts as one array of bytes. @param {Uint8Array[]} parts */
export function join(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Write labels as an 8-bit indexed PNG whose values are the classes; 255 is shown in cream.
 * @param {Uint8Array} labels @param {number} width @param {number} height
 * @param {number[][]} palette one RGB colour for each class
 */
export async function encodeIndexed(labels, width, height, palette) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3], 8);
  const colours = new Uint8Array(768);
  palette.forEach((colour, index) => colours.set(colour, 3 * index));
  colours.set([224, 224, 192], 765);
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) {
    rows.set(labels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const packed = await pump(rows, new CompressionStream("deflate"));
  const parts = [chunk("IHDR", header), chunk("PLTE", colours), chunk("IDAT", packed)];
  return join([new Uint8Array(SIGNATURE), ...parts, chunk("IEND", new Uint8Array(0))]);
}

/**
 * Read the header of a PNG, and which chunks come before its pixels; null if it is none.
 * @param {Uint8Array} bytes
 */
export function pngHeader(bytes) {
  if (bytes.length < 33 || SIGNATURE.some((value, i) => bytes[i] !== value)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = /** @type {{type: string, data: Uint8Array}[]} */ ([]);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return {
    width: view.getUint32(16), height: view.getUint32(20),
    depth: bytes[24], type: bytes[25], interlaced: bytes[28] === 1,
    chunks, has: (/** @type {string} */ name) => chunks.some((part) => part.type === name),
  };
}

/** Undo the filters of rows of `stride` bytes, in place. */
function unfilter(/** @type {Uint8Array} */ raw, /** @type {number} */ rows,
  /** @type {number} */ stride, /** @type {number} */ step) {
  const out = new Uint8Array(rows * stride);
  for (let y = 0; y < rows; y++) {
    const filter = raw[y * (stride + 1)];
    if (filter > 4) throw new RangeError("damaged PNG");
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      const left = x < step ? 0 : out[i - step];
      const up = y ? out[i - stride] : 0;
      let add = filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : 0;
      if (filter === 4) {
        const corner = x < step || !y ? 0 : out[i - stride - step];
        const guess = left + up - corner;
        const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value));
        add = a <= b && a <= c ? left : b <= c ? up : corner;
      }
      out[i] = raw[y * (stride + 1) + 1 + x] + add;
    }
  }
  return out;
}

/** Round as Python and NumPy do: halves to the even neighbour. @param {number} value */
export function roundHalfEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/** Return the values of [0, 255] for all of 16 bits. */
function scaled(/** @type {number[]} */ [low, high]) {
  return Uint8Array.from({ length: 65536 }, (_, value) =>
    roundHalfEven(Math.min(1, Math.max(0, (value - low) / (high - low))) * 255));
}

/**
 * Decode a PNG that is not interlaced.
 * @param {Uint8Array} bytes
 * @param {number[] | null} range of 16-bit values, which become 0 and 255
 * @returns values as stored (H, W, channels); of an indexed PNG, the indices
 */
export async function decodePng(bytes, range = null) {
  const header = pngHeader(bytes);
  if (!header || (header.depth > 8 && !range) || header.interlaced || !CHANNELS[header.type]) {
    throw new RangeError("not a PNG that is read");
  }
  const { width, height, depth, type, chunks } = header;
  const channels = CHANNELS[type];
  const packed = join(chunks.filter((part) => part.type === "IDAT").map((part) => part.data));
  const raw = await pump(packed, new DecompressionStream("deflate"));
  const stride = Math.ceil((width * channels * depth) / 8);
  if (raw.length < height * (stride + 1)) throw new RangeError("damaged PNG");
  let data = unfilter(raw, height, stride, Math.max(1, (channels * depth) / 8));
  if (range && depth > 8) {
    const wide = data;
    const table = scaled(range);
    data = new Uint8Array(wide.length / 2).map((_, i) => table[256 * wide[2 * i] + wide[2 * i + 1]]);
  }
  if (depth < 8) {
    const values = new Uint8Array(width * height);
    const scale = type === 3 ? 1 : 255 / (2 ** depth - 1);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const bit = x * depth;
        const byte = data[y * stride + (bit >> 3)];
        values[y * width + x] = ((byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1)) * scale;
      }
    }
    data = values;
  }
  const palette = chunks.find((part) => part.type === "PLTE")?.data;
  return { width, height, channels, type, data, palette };
}

/** Return the colours of a decoded PNG as opaque RGBA, also under transparent pixels. */
export function opaqueRgba(/** @type {Awaited<ReturnType<typeof decodePng>>} */ picture) {
  const { data, channels, type, palette } = picture;
  const pixels = picture.width * picture.height;
  const rgba = new Uint8ClampedArray(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (channels > 2 ? c : 0)];
      rgba[4 * i + c] = type === 3 ? (palette?.[3 * value + c] ?? 0) : value;
    }
    rgba[4 * i + 3] = 255;
  }
  return rgba;
}
