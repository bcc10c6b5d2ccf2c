// @ts-check
// From scores to maps of labels and probabilities at the photo's size.

export const VOID = 255; // the label of pixels without a class

/**
 * @typedef {object} Maps
 * @property {Uint8Array} labels the class of each pixel, the first of those with the largest score
 * @property {Uint8Array | null} confidence its probability times 255
 * @property {Uint8Array | null} second the class with the second largest score
 * @property {Uint8Array | null} secondConfidence its probability times 255
 */

/** Return positions of a bilinear interpolation with corners not aligned. */
function positions(/** @type {number} */ source, /** @type {number} */ size) {
  const low = new Int32Array(size);
  const high = new Int32Array(size);
  const share = new Float32Array(size);
  const scale = Math.fround(source / size);
  for (let i = 0; i < size; i++) {
    const at = Math.max(0, Math.fround(Math.fround(scale * (i + 0.5)) - 0.5));
    low[i] = Math.min(Math.floor(at), source - 1);
    high[i] = Math.min(low[i] + 1, source - 1);
    share[i] = at - low[i];
  }
  return { low, high, share };
}

/**
 * Enlarge scores (K, h, w) to (height, width) row by row, and find the two best classes.
 * @param {Float32Array} scores
 * @param {number} classes @param {number} h @param {number} w
 * @param {number} height @param {number} width
 * @returns {Maps}
 */
export function mapsFromScores(scores, classes, h, w, height, width) {
  const size = height * width;
  const maps = {
    labels: new Uint8Array(size),
    confidence: new Uint8Array(size),
    second: new Uint8Array(size),
    secondConfidence: new Uint8Array(size),
  };
  const rows = positions(h, height);
  const columns = positions(w, width);
  const line = new Float32Array(w);
  const best = new Float32Array(width);
  const next = new Float32Array(width);
  const values = new Float32Array(classes * width);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    best.fill(-Infinity);
    next.fill(-Infinity);
    for (let k = 0; k < classes; k++) {
      const upper = (k * h + rows.low[y]) * w;
      const lower = (k * h + rows.high[y]) * w;
      const part = rows.share[y];
      for (let x = 0; x < w; x++) {
        line[x] = part ? scores[upper + x] * (1 - part) + scores[lower + x] * part : scores[upper + x];
      }
      for (let x = 0; x < width; x++) {
        const share = columns.share[x];
        const low = line[columns.low[x]];
        const value = share ? Math.fround(low * (1 - share) + line[columns.high[x]] * share) : low;
        values[k * width + x] = value;
        if (value > best[x]) {
          next[x] = best[x];
          maps.second[start + x] = maps.labels[start + x];
          best[x] = value;
          maps.labels[start + x] = k;
        } else if (value > next[x]) {
          next[x] = value;
          maps.second[start + x] = k;
        }
      }
    }
    for (let x = 0; x < width; x++) {
      let total = 0;
      for (let k = 0; k < classes; k++) total += Math.exp(values[k * width + x] - best[x]);
      if (!(total >= 1)) throw new RangeError("the network's scores are not numbers");
      maps.confidence[start + x] = Math.round(255 / total);
      maps.secondConfidence[start + x] = Math.round((255 * Math.exp(next[x] - best[x])) / total);
    }
  }
  return maps;
}

/** Return the number of pixels of each of 256 labels. @param {Uint8Array} labels */
export function countLabels(labels) {
  const counts = new Array(256).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts;
}
