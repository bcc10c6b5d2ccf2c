// @ts-check
// Where pixels are: coordinate maps, receptive fields and crop offsets in exact fractions.

import { add, divide, fraction, multiply, subtract } from "./fractions.js";

/** @typedef {import("./fractions.js").Fraction} Fraction */
/** The centre of pixel i is at scale * i + shift. @typedef {{scale: Fraction, shift: Fraction}} CoordMap */
/** @typedef {import("./operations.js").Layer} Layer */

/** @param {Layer} layer @returns {CoordMap} */
export function windowMap({ kernel = 1, stride = 1, padding = 0, dilation = 1 }) {
  // The centre of window i of a convolution or pooling, in its input.
  return { scale: fraction(stride), shift: fraction(dilation * (kernel - 1) - 2 * padding, 2) };
}

/** @param {CoordMap} map @returns {CoordMap} */
export function inverse({ scale, shift }) {
  return { scale: divide(fraction(1), scale), shift: divide(fraction(-shift[0], shift[1]), scale) };
}

/** @param {CoordMap} outer @param {CoordMap} inner @returns {CoordMap} */
export function compose(outer, inner) {
  // outer(inner(i))
  return { scale: multiply(outer.scale, inner.scale),
    shift: add(multiply(outer.scale, inner.shift), outer.shift) };
}

/** @param {CoordMap} wide @param {CoordMap} narrow @returns {Fraction} */
export function cropOffset(wide, narrow) {
  // How many pixels to drop before `wide`, so that its next one is where pixel 0 of `narrow` is.
  // Both have the same scale. It fits if the result is whole and not negative.
  return divide(subtract(narrow.shift, wide.shift), wide.scale);
}

/** @param {Layer[]} layers */
export function receptiveField(layers) {
  // Each layer adds (kernel - 1) steps of the map that it reads.
  let size = 1;
  let map = /** @type {CoordMap} */ ({ scale: fraction(1), shift: fraction(0) });
  for (const layer of layers) {
    size += (layer.dilation ?? 1) * ((layer.kernel ?? 1) - 1) * map.scale[0];
    map = compose(map, windowMap(layer));
  }
  return { size, map };
}

/** @param {Layer[]} layers @returns {number[]} */
export function pathCounts(layers) {
  // How many paths lead from each pixel along one axis of the field to the feature's pixel, as a
  // share of all: with equal weights, and poolings that average, it is how much the pixel counts.
  let counts = [1];
  for (const { kernel = 1, stride = 1, dilation = 1 } of [...layers].reverse()) {
    const wider = new Array((counts.length - 1) * stride + dilation * (kernel - 1) + 1).fill(0);
    counts.forEach((count, i) => {
      for (let a = 0; a < kernel; a++) wider[i * stride + a * dilation] += count / kernel;
    });
    counts = wider;
  }
  return counts;
}
