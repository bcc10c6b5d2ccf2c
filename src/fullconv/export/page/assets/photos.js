// @ts-check
// What is known of photos before they are decoded, or why a file is refused.

import { join, pngHeader } from "./png.js";

/** An error whose message is a key of `messages.js`, with what to put in. */
export class Refused extends Error {
  /** @param {string} key @param {...(string | number)} values */
  constructor(key, ...values) {
    super(key);
    this.values = values;
  }
}

/**
 * @typedef {object} Photo
 * @property {number} width
 * @property {number} height
 * @property {ImageBitmap | null} bitmap
 * @property {Uint8ClampedArray | null} rgba instead of a bitmap
 * @property {string} note key of a message, or ""
 */

const ascii = (/** @type {Uint8Array} */ bytes, /** @type {number} */ start, /** @type {number} */ end) =>
  String.fromCharCode(...bytes.subarray(start, end));

/**
 * Return the kind of a file by its content.
 * @param {Uint8Array} bytes
 * @returns {{kind: string, alpha: boolean, tinted?: boolean, deep?: boolean, plain?: boolean}}
 *   tinted: whether it describes its colours; deep: more than 8 bits; plain: whether `decodePng`
 *   reads it as it is
 */
export function identify(bytes) {
  if (!bytes.length) throw new Refused("emptyFile");
  const png = pngHeader(bytes);
  if (png) {
    if (png.has("acTL")) throw new Refused("animated");
    const deep = png.depth > 8;
    const plain = !png.interlaced && !png.has("eXIf") && !(deep && png.type === 4);
    const tinted = ["gAMA", "cHRM", "iCCP"].some(png.has);
    return { kind: "PNG", alpha: png.type >= 4 || png.has("tRNS"), tinted, deep, plain };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return { kind: "JPEG", alpha: false };
  if (ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 12) === "WEBP") {
    const extended = ascii(bytes, 12, 16) === "VP8X";
    if (extended && bytes[20] & 2) throw new Refused("animated");
    const lossless = ascii(bytes, 12, 16) === "VP8L" && (bytes[24] & 0x10) > 0;
    return { kind: "WebP", alpha: lossless || (extended && (bytes[20] & 16) > 0) };
  }
  if (ascii(bytes, 0, 2) === "BM") return { kind: "BMP", alpha: false };
  if (ascii(bytes, 4, 12) === "ftypavif") return { kind: "AVIF", alpha: false };
  throw new Refused("notAPhoto");
}

/**
 * Return a JPEG file without its colour profile, which WebKit would apply.
 * @param {Uint8Array} bytes
 */
export function withoutProfile(bytes) {
  const parts = [];
  let kept = 0;
  for (let at = 2; at + 4 < bytes.length && bytes[at + 1] !== 0xda; ) {
    const end = at + 2 + 256 * bytes[at + 2] + bytes[at + 3];
    if (bytes[at + 1] === 0xe2 && ascii(bytes, at + 4, at + 15) === "ICC_PROFILE") {
      parts.push(bytes.subarray(kept, at));
      kept = end;
    }
    at = end;
  }
  return join([...parts, bytes.subarray(kept)]);
}

/** @param {number} pixels */
export function megapixels(pixels) {
  return Math.round(pixels / 1e6);
}

/**
 * Return a function that reads RGBA rows of a photo; for a bitmap through a small canvas.
 * @param {Photo} photo
 * @returns {import("./scaling.js").ReadRows}
 */
export function rowReader({ width, bitmap, rgba }) {
  if (rgba) return (top, rows) => rgba.subarray(4 * top * width, 4 * (top + rows) * width);
  return (top, rows) => {
    const canvas = new OffscreenCanvas(width, rows);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      canvas.getContext("2d", { willReadFrequently: true }));
    context.drawImage(/** @type {ImageBitmap} */ (bitmap), 0, -top);
    return context.getImageData(0, 0, width, rows).data;
  };
}
