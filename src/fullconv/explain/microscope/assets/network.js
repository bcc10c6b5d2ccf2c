// @ts-check
// The user's network: its layers one after another, and its scores fused at the photo's size.

import { batchNorm, bilinearUpsample, convolution, cornerResize, crop, maxPool, newMaps, relu, sum,
  transposedConvolution } from "./operations.js";

/** @typedef {import("./operations.js").Maps} Maps */
/** @typedef {import("./operations.js").Layer} Layer */

/** @param {Maps} image RGB in [0, 255] @param {any} settings @returns {Maps} */
export function normalize(image, { mean, std, order }) {
  // (value - mean) / std; some networks want the channels in the order BGR.
  const plane = image.height * image.width;
  const y = newMaps(3, image.height, image.width);
  for (let c = 0; c < 3; c++) {
    const out = order === "bgr" ? 2 - c : c;
    for (let at = 0; at < plane; at++) {
      y.data[out * plane + at] = (image.data[c * plane + at] - mean[c]) / std[c];
    }
  }
  return y;
}

/** @param {Maps} x @param {Layer} layer @returns {Maps} */
export function runLayer(x, layer) {
  switch (layer.kind) {
    case "conv": return convolution(x, layer);
    case "norm": return batchNorm(x, layer);
    case "relu": return relu(x);
    case "pool": return maxPool(x, layer).maps;
    case "times": return { ...x, data: x.data.map((value) => value * (layer.factor ?? 1)) };
    default: throw new RangeError(layer.kind);
  }
}

/** @param {Maps} x @param {Layer} layer @param {number} height @param {number} width */
export function upsample(x, layer, height, width) {
  switch (layer.kind) {
    case "transposed": return transposedConvolution(x, layer);
    case "bilinear": return bilinearUpsample(x, layer);
    case "corners": return cornerResize(x, height, width);
    default: throw new RangeError(layer.kind);
  }
}

/** @param {Maps[]} scores @param {any} fusion @param {number} height @param {number} width */
export function fuse(scores, fusion, height, width) {
  // FCN-8s: up8(up2(up2(score) + skip) + skip). All steps are linear, so the contribution of one
  // stride is what comes out if the scores of all others are zeros.
  let score = scores[0];
  const parts = [];
  fusion.steps.forEach((/** @type {any} */ step, /** @type {number} */ n) => {
    const skip = scores[n + 1];
    if (fusion.kind === "sum") { // each score is upsampled to the photo alone
      const large = upsample(score, fusion.layers[step.upscore], height, width);
      parts.push(crop(large, step.scoreOffset, height, width));
      score = skip;
      return;
    }
    const large = upsample(score, fusion.layers[step.upscore], skip.height, skip.width);
    score = step.skipOffset
      ? sum(large, crop(skip, step.skipOffset, large.height, large.width))
      : sum(crop(large, step.scoreOffset, skip.height, skip.width), skip);
  });
  const large = upsample(score, fusion.layers[fusion.final], height, width);
  parts.push(crop(large, fusion.offset, height, width));
  return parts.reduce(sum);
}

/** @param {Maps} x @param {Layer} layer @param {number} k @param {number} i @param {number} j */
export function neuron(x, layer, k, i, j) {
  // The numbers behind one output of a convolution: its window of every input channel, the weights,
  // and the sum of their products.
  const { weight, bias, kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1 } = layer;
  const inputs = x.channels / groups;
  const first = Math.floor(k / ((layer.channels ?? 1) / groups)) * inputs;
  let total = bias ? bias[k] : 0;
  const terms = Array.from({ length: inputs }, (_, c) => {
    const rows = Array.from({ length: kernel }, (_, a) => Array.from({ length: kernel }, (_, b) => {
      const [row, column] = [stride * i + a * dilation - padding, stride * j + b * dilation - padding];
      const inside = row >= 0 && column >= 0 && row < x.height && column < x.width;
      const value = inside ? x.data[((first + c) * x.height + row) * x.width + column] : 0;
      return { value, weight: weight[((k * inputs + c) * kernel + a) * kernel + b] };
    }));
    const part = rows.flat().reduce((sum, one) => sum + one.value * one.weight, 0);
    total += part;
    return { channel: first + c, rows, part };
  });
  return { bias: bias ? bias[k] : 0, terms, total };
}
