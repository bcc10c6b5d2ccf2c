// @ts-check
// The size that the network gets a photo at, and Pillow's antialiased bilinear filter.

import { roundHalfEven } from "./png.js";

const BITS = 22; // of Pillow's fixed-point weights
const STRIP = 256; // rows that are read at a time

/** @typedef {(top: number, rows: number) => Uint8Array | Uint8ClampedArray} ReadRows */

/**
 * Return the [height, width] that a photo is scaled to.
 * @param {number} height @param {number} width
 * @param {number[] | null} limit (height, width) that it has to fit into
 * @param {number} factor scale after that
 */
export function workingSize(height, width, limit, factor) {
  const fit = limit ? Math.min(1, limit[0] / height, limit[1] / width) : 1;
  return [
    Math.max(1, roundHalfEven(height * fit * factor)),
    Math.max(1, roundHalfEven(width * fit * factor)),
  ];
}

/**
 * Return the first pixel and the fixed-point weights of each scaled pixel: Pillow's
 * `precompute_coeffs` for a triangle as wide as two pixels of the coarser side.
 * @param {number} source @param {number} size
 */
function weights(source, size) {
  const step = source / size;
  const width = Math.max(step, 1);
  const taps = Math.ceil(width) * 2 + 1;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const fixed = new Int32Array(size * taps);
  const found = new Float64Array(taps);
  for (let i = 0; i < size; i++) {
    const centre = (i + 0.5) * step;
    const low = Math.max(0, Math.trunc(centre - width + 0.5));
    const high = Math.min(source, Math.trunc(centre + width + 0.5));
    let total = 0;
    for (let x = 0; x < high - low; x++) {
      const distance = Math.abs((x + low - centre + 0.5) * (1 / width));
      found[x] = Math.max(0, 1 - distance);
      total += found[x];
    }
    for (let x = 0; x < high - low; x++) {
      fixed[i * taps + x] = Math.trunc(0.5 + (found[x] / total) * 2 ** BITS);
    }
    first[i] = low;
    count[i] = high - low;
  }
  return { first, count, fixed, taps };
}

/** Scale RGBA rows of `from` pixels to RGB rows of `to` pixels. */
function scaleRows(/** @type {Uint8Array | Uint8ClampedArray} */ rgba, /** @type {number} */ rows,
  /** @type {number} */ from, /** @type {number} */ to, /** @type {Uint8Array} */ out,
  /** @type {number} */ offset) {
  if (from === to) {
    for (let i = 0, j = offset; i < rows * from * 4; i += 4, j += 3) {
      out[j] = rgba[i];
      out[j + 1] = rgba[i + 1];
      out[j + 2] = rgba[i + 2];
    }
    return;
  }
  const { first, count, fixed, taps } = weights(from, to);
  for (let y = 0, j = offset; y < rows; y++) {
    for (let x = 0; x < to; x++, j += 3) {
      let red = 1 << (BITS - 1);
      let green = red;
      let blue = red;
      let i = (y * from + first[x]) * 4;
      for (let k = x * taps; k < x * taps + count[x]; k++, i += 4) {
        const weight = fixed[k];
        red += rgba[i] * weight;
        green += rgba[i + 1] * weight;
        blue += rgba[i + 2] * weight;
      }
      out[j] = red >> BITS; // weights are positive and add up to 1: no clipping is needed
      out[j + 1] = green >> BITS;
      out[j + 2] = blue >> BITS;
    }
  }
}

/**
 * Return a photo as RGB (h, w, 3), scaled as `scale_image` does: the width first.
 * @param {ReadRows} read returns RGBA rows of the photo
 * @param {number} height @param {number} width of the photo
 * @param {number} h @param {number} w of the result
 */
export function scalePhoto(read, height, width, h, w) {
  const wide = new Uint8Array(height * w * 3);
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    scaleRows(read(top, rows), rows, width, w, wide, top * w * 3);
  }
  if (h === height) return wide;
  const { first, count, fixed, taps } = weights(height, h);
  const out = new Uint8Array(h * w * 3);
  const sums = new Int32Array(w * 3);
  for (let y = 0; y < h; y++) {
    sums.fill(1 << (BITS - 1));
    for (let k = 0; k < count[y]; k++) {
      const weight = fixed[y * taps + k];
      const row = (first[y] + k) * w * 3;
      for (let x = 0; x < w * 3; x++) sums[x] += wide[row + x] * weight;
    }
    for (let x = 0; x < w * 3; x++) out[y * w * 3 + x] = sums[x] >> BITS;
  }
  return out;
}

/** Return RGB (h, w, 3) as the network's float32 (3, h, w). @param {Uint8Array} rgb */
export function toPlanes(rgb) {
  const pixels = rgb.length / 3;
  const planes = new Float32Array(rgb.length);
  for (let i = 0, j = 0; i < pixels; i++, j += 3) {
    planes[i] = rgb[j];
    planes[pixels + i] = rgb[j + 1];
    planes[2 * pixels + i] = rgb[j + 2];
  }
  return planes;
}
