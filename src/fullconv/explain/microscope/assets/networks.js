// @ts-check
// The geometry of networks: the user's, and the paper's on VGG-16, with any padding.

import { fraction, valueOf } from "./fractions.js";
import { compose, cropOffset, inverse, receptiveField, windowMap } from "./geometry.js";

/** @typedef {import("./geometry.js").CoordMap} CoordMap */
/** @typedef {import("./operations.js").Layer} Layer */
/**
 * @typedef {object} Geometry
 * @property {Layer[] | null} layers from the image to the coarsest feature, if they are a chain
 * @property {{name: string, size: number, map: CoordMap, bounded: boolean}[]} features fine to coarse
 * @property {string[]} skips coarse to fine @property {string} top
 * @property {{name: string, factor: number, kernel: number}[]} ups coarse to fine; the last one
 *   reaches the image
 * @property {string} kind "cascade" or "sum"
 */

const VGG_BLOCKS = [2, 2, 3, 3, 3];
const PAPER_SKIPS = /** @type {Record<string, string[]>} */ ({
  "32s": [], "16s": ["pool4"], "8s": ["pool4", "pool3"] });

/** Return the layers of VGG-16 from the image to fc7 (paper: padding 100). @param {number} padding */
export function vgg16(padding) {
  /** @type {Layer[]} */
  const layers = [];
  VGG_BLOCKS.forEach((depth, block) => {
    for (let n = 1; n <= depth; n++) {
      const around = layers.length ? 1 : padding;
      layers.push({ name: `conv${block + 1}_${n}`, kind: "conv", kernel: 3, stride: 1, padding: around });
    }
    layers.push({ name: `pool${block + 1}`, kind: "pool", kernel: 2, stride: 2, padding: 0, ceil: true });
  });
  layers.push({ name: "fc6", kind: "conv", kernel: 7, stride: 1, padding: 0 });
  layers.push({ name: "fc7", kind: "conv", kernel: 1, stride: 1, padding: 0 });
  return layers;
}

/** @param {string} name "32s", "16s" or "8s" @param {number} padding @returns {Geometry} */
export function paperNetwork(name, padding) {
  const layers = vgg16(padding);
  const skips = PAPER_SKIPS[name];
  const wanted = [...skips].reverse().concat("fc7");
  const features = wanted.map((one) => ({ name: one, bounded: true,
    ...receptiveField(layers.slice(0, layers.findIndex((layer) => layer.name === one) + 1)) }));
  const last = 32 >> skips.length;
  const ups = [{ name: "upscore2", factor: 2, kernel: 4 }, { name: "upscore_pool4", factor: 2, kernel: 4 }]
    .slice(0, skips.length);
  ups.push({ name: skips.length ? `upscore${last}` : "upscore", factor: last, kernel: 2 * last });
  return { layers, features, skips, top: "fc7", ups, kind: "cascade" };
}

/** @param {Geometry} network */
export function alignments({ features, skips, top, ups, kind }) {
  // Compose the maps from coarse to fine. Where two maps meet, the larger one is cropped until its
  // first pixel lies where the first pixel of the other one does.
  const place = (/** @type {string} */ name) => /** @type {any} */ (
    features.find((one) => one.name === name)).map;
  const image = { scale: fraction(1), shift: fraction(0) };
  let score = place(top);
  return ups.map(({ name, factor, kernel }, n) => {
    const upsampled = compose(score, inverse(windowMap({ name, kind: "", kernel, stride: factor })));
    const toImage = kind === "sum" || n === ups.length - 1;
    const [target, map] = toImage ? ["image", image] : [skips[n], place(skips[n])];
    const ahead = cropOffset(map, upsampled);
    const skipIsWide = valueOf(ahead) > 0;
    score = kind === "sum" ? place(skips[n] ?? top) : skipIsWide ? upsampled : map;
    return skipIsWide
      ? { upscore: name, target, cropped: target, offset: ahead, wide: map, other: name, narrow: upsampled }
      : { upscore: name, target, cropped: name, offset: fraction(-ahead[0], ahead[1]),
        wide: upsampled, other: target, narrow: map };
  });
}
