// @ts-check
// A small grey part of the photo, for chambers that show single pixels.

import { newMaps, rowsOf } from "./operations.js";

const PATCH = 32; // pixels; the longer side

/** Return the photo in grey at a small size: each pixel is a mean. @param {import("./operations.js").Maps} photo */
export function greyPatch(photo, side = PATCH) {
  const step = Math.ceil(Math.max(photo.height, photo.width) / side);
  const small = newMaps(1, Math.floor(photo.height / step) || 1, Math.floor(photo.width / step) || 1);
  const plane = photo.height * photo.width;
  for (let i = 0; i < small.height; i++) {
    for (let j = 0; j < small.width; j++) {
      let [sum, count] = [0, 0];
      for (let a = step * i; a < Math.min(step * (i + 1), photo.height); a++) {
        for (let b = step * j; b < Math.min(step * (j + 1), photo.width); b++, count++) {
          const at = a * photo.width + b;
          sum += 0.299 * photo.data[at] + 0.587 * photo.data[plane + at]
            + 0.114 * photo.data[2 * plane + at];
        }
      }
      small.data[i * small.width + j] = sum / count;
    }
  }
  return { maps: small, rows: rowsOf(small) };
}
