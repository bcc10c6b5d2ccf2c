// @ts-check
// Labels as GeoJSON polygons along pixel edges, and as COCO's run lengths: what the output kinds
// geojson and coco of `fullconv predict` write.

import { VOID } from "./maps.js";

const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3]; // sides of a pixel, each directed to the next
const OUTWARD = [[-1, 0], [0, 1], [1, 0], [0, -1]];
const START = [[0, 0], [0, 1], [1, 1], [1, 0]]; // the corner that a side starts from

/** @typedef {{label: number, pixels: number, rings: number[][][]}} Polygon */

/**
 * Return the polygons of labels with their holes, by uppermost and then leftmost pixel.
 * @param {Uint8Array} labels @param {number} width @param {number} height
 * @returns {Polygon[]} corners are (column, row); no ring repeats its first
 */
export function polygonize(labels, width, height) {
  const stride = width + 2;
  const padded = new Uint8Array(stride * (height + 2)).fill(VOID);
  for (let y = 0; y < height; y++) {
    padded.set(labels.subarray(y * width, (y + 1) * width), (y + 1) * stride + 1);
  }
  const steps = OUTWARD.map(([row, column]) => row * stride + column);
  const pixels = /** @type {number[]} */ ([]);
  const sides = /** @type {number[]} */ ([]);
  const index = /** @type {Map<number, number>} */ (new Map());
  for (let side = TOP; side <= LEFT; side++) {
    for (let p = stride; p < padded.length - stride; p++) {
      if (padded[p] === VOID || padded[p] === padded[p + steps[side]]) continue;
      index.set(side * padded.length + p, pixels.length);
      pixels.push(p);
      sides.push(side);
    }
  }
  const edgeAt = (/** @type {number} */ pixel, /** @type {number} */ side) =>
    /** @type {number} */ (index.get((side % 4) * padded.length + pixel));
  const rings = traceRings(successors(padded, pixels, sides, steps, edgeAt), sides);
  return assemble(rings, padded, pixels, sides, stride);
}

/**
 * Return the edge that follows each edge. Two pixels of a class that only touch at a corner stay on
 * separate rings; if they are on one ring, it is cut in two there.
 */
function successors(/** @type {Uint8Array} */ padded, /** @type {number[]} */ pixels,
  /** @type {number[]} */ sides, /** @type {number[]} */ steps,
  /** @type {(pixel: number, side: number) => number} */ edgeAt) {
  const touching = /** @type {number[][]} */ ([]);
  const after = pixels.map((pixel, edge) => {
    const side = sides[edge];
    const ahead = pixel + steps[(side + 1) % 4];
    const aside = ahead + steps[side];
    const across = padded[aside] === padded[pixel];
    if (padded[ahead] !== padded[pixel]) {
      if (across) touching.push([edge, edgeAt(aside, side + 2)]);
      return edgeAt(pixel, side + 1);
    }
    return across ? edgeAt(aside, side + 3) : edgeAt(ahead, side);
  });
  if (touching.length) {
    const { ringOf } = traceRings(after, sides);
    const same = touching.filter(([edge, opposite]) => ringOf[edge] === ringOf[opposite]);
    const swapped = same.map(([, opposite]) => after[opposite]);
    same.forEach(([edge], i) => (after[edge] = swapped[i]));
  }
  return after;
}

/** Return the edges of each ring, from its first top edge on, and the ring of each edge. */
function traceRings(/** @type {number[]} */ after, /** @type {number[]} */ sides) {
  const ringOf = new Int32Array(after.length).fill(-1);
  const rings = /** @type {number[][]} */ ([]);
  for (let first = 0; first < after.length && sides[first] === TOP; first++) {
    if (ringOf[first] >= 0) continue;
    const ring = [];
    for (let edge = first; ringOf[edge] < 0; edge = after[edge]) {
      ringOf[edge] = rings.length;
      ring.push(edge);
    }
    rings.push(ring);
  }
  return { rings, ringOf };
}

/** Join outlines and holes. A hole belongs to the ring of the first edge to its left, or to that
 * ring's outline. */
function assemble(/** @type {{rings: number[][], ringOf: Int32Array}} */ { rings, ringOf },
  /** @type {Uint8Array} */ padded, /** @type {number[]} */ pixels, /** @type {number[]} */ sides,
  /** @type {number} */ stride) {
  const areas = rings.map((ring) => ring.reduce((sum, edge) => {
    const column = pixels[edge] % stride;
    return sum + (sides[edge] === RIGHT ? column + 1 : sides[edge] === LEFT ? -column : 0);
  }, 0));
  const above = rings.map((ring) => ring.reduce((least, edge) =>
    sides[edge] === BOTTOM ? Math.min(least, pixels[edge]) : least, padded.length));
  const firstLeft = sides.indexOf(LEFT);
  const outline = /** @type {Map<number, number>} */ (new Map());
  const holes = [...areas.keys()].filter((ring) => areas[ring] < 0);
  holes.sort((one, other) => above[one] - above[other]);
  for (const ring of holes) {
    const meets = ringOf[lastUpTo(pixels, firstLeft, above[ring])];
    outline.set(ring, outline.get(meets) ?? meets);
  }
  const inside = /** @type {Map<number, number[]>} */ (new Map());
  for (const ring of holes.sort((one, other) => one - other)) {
    const owner = /** @type {number} */ (outline.get(ring));
    inside.set(owner, [...(inside.get(owner) ?? []), ring]);
  }
  const corners = (/** @type {number} */ number) => {
    const ring = rings[number];
    return ring
      .filter((edge, i) => sides[edge] !== sides[ring[(i || ring.length) - 1]])
      .map((edge) => {
        const [row, column] = START[sides[edge]];
        const pixel = pixels[edge];
        return [(pixel % stride) - 1 + column, Math.floor(pixel / stride) - 1 + row];
      });
  };
  const polygons = /** @type {Polygon[]} */ ([]);
  areas.forEach((area, ring) => {
    if (area < 0) return;
    const all = [ring, ...(inside.get(ring) ?? [])];
    const total = all.reduce((sum, one) => sum + areas[one], 0);
    polygons.push({ label: padded[pixels[rings[ring][0]]], pixels: total, rings: all.map(corners) });
  });
  return polygons;
}

/** Return the last index from `low` on whose value is at most `value`. */
function lastUpTo(/** @type {number[]} */ sorted, /** @type {number} */ low, /** @type {number} */ value) {
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Return a colour as in CSS. @param {number[]} colour */
export const hex = (colour) =>
  `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;

/**
 * Return the text of a GeoJSON file in image coordinates.
 * @param {Uint8Array} labels @param {number} width @param {number} height
 * @param {string[]} classes @param {number[][]} palette
 */
export function geojson(labels, width, height, classes, palette) {
  const features = polygonize(labels, width, height).map(({ label, pixels, rings }) => {
    return JSON.stringify({
      type: "Feature",
      properties: { class: classes[label], label, pixels, fill: hex(palette[label]) },
      geometry: { type: "Polygon", coordinates: rings.map((ring) => [...ring, ring[0]]) },
    });
  });
  const lines = features.map((feature) => `\n${feature}`).join(",");
  return `{"type":"FeatureCollection","features":[${lines}\n]}\n`;
}

/**
 * Return the text of a COCO file of one photo: each class that occurs as compressed run lengths.
 * @param {Uint8Array} labels @param {number} width @param {number} height
 * @param {string[]} classes @param {string} name of the photo
 */
export function coco(labels, width, height, classes, name) {
  const runs = /** @type {Map<number, {counts: number[], end: number, area: number, box: number[]}>} */ (new Map());
  for (let x = 0, at = 0; x < width; x++) {
    for (let y = 0; y < height; y++, at++) {
      const label = labels[y * width + x];
      if (label === VOID) continue;
      let run = runs.get(label);
      if (!run) {
        run = { counts: [], end: 0, area: 0, box: [x, y, x, y] };
        runs.set(label, run);
      }
      if (run.counts.length && run.end === at) run.counts[run.counts.length - 1]++;
      else run.counts.push(at - run.end, 1);
      run.end = at + 1;
      run.area++;
      const [left, top, right, bottom] = run.box;
      run.box = [left, Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
  }
  const present = [...runs].sort(([one], [other]) => one - other);
  const annotations = present.map(([label, { counts, end, area, box }], i) => {
    if (end < width * height) counts.push(width * height - end);
    return {
      id: i + 1, image_id: 1, category_id: label, iscrowd: 0, area,
      bbox: [box[0], box[1], box[2] + 1 - box[0], box[3] + 1 - box[1]],
      segmentation: { size: [height, width], counts: compress(counts) },
    };
  });
  const images = [{ id: 1, file_name: name, height, width }];
  const categories = classes.map((title, id) => ({ id, name: title }));
  return `${JSON.stringify({ images, annotations, categories })}\n`;
}

/** Encode run lengths as COCO does: five bits per character, from the fourth on as differences. */
function compress(/** @type {number[]} */ counts) {
  let text = "";
  counts.forEach((count, i) => {
    let value = i > 2 ? count - counts[i - 2] : count;
    for (let more = true; more; ) {
      const bits = value & 31;
      value >>= 5;
      more = value !== (bits & 16 ? -1 : 0);
      text += String.fromCharCode(48 + bits + (more ? 32 : 0));
    }
  });
  return text;
}
