// @ts-check
// Chamber 4: why transposed convolutions draw checkerboards, and when they do not.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, element, formula, Grid, heatColour, Picture, row, show, slider } from "../drawing.js";
import { tent, transposedByScattering } from "../operations.js";
import { greyPatch } from "../patch.js";

Object.assign(TEXTS, {
  checkerboard: ["Checkerboard", "棋盘格"],
  "checkerboard.idea": [
    "Each input pixel adds its multiple of the kernel to the output; where these overlap, an output pixel gets more summands. If the kernel's side is no multiple of the stride, the numbers of summands alternate: a checkerboard, even on a constant input. Move the sliders.",
    "每个输入像素把核的若干倍加到输出上；重叠之处，输出像素得到更多加数。若核的边长不是步长的整数倍，加数个数交替变化：即使输入是常数，也会出现棋盘格。请拖动滑块。"],
  "checkerboard.kernel": ["Side of the kernel", "卷积核边长"],
  "checkerboard.weights": ["Weights", "权重"],
  "checkerboard.ones": ["all equal", "全部相等"],
  "checkerboard.bilinear": ["bilinear (tent)", "双线性（三角形）"],
  "checkerboard.counts": ["Number of summands of each output pixel", "每个输出像素的加数个数"],
  "checkerboard.constant": ["Output for an input of ones", "输入全为 1 时的输出"],
  "checkerboard.photo": ["The photo, reduced and enlarged again", "照片缩小后再放大"],
  "checkerboard.even": [
    "{0} is a multiple of {1}: inside, every pixel gets {2} x {2} summands.",
    "{0} 是 {1} 的整数倍：内部每个像素都有 {2} x {2} 个加数。"],
  "checkerboard.uneven": [
    "{0} is no multiple of {1} (remainder {2}): inside, the numbers of summands vary between {3} and {4}.",
    "{0} 不是 {1} 的整数倍（余 {2}）：内部的加数个数在 {3} 与 {4} 之间变化。"],
  "checkerboard.flat": ["Inside, the output is flat.", "内部的输出是平坦的。"],
  "checkerboard.wavy": [
    "Inside, the output varies between {0} and {1}.", "内部的输出在 {0} 与 {1} 之间变化。"],
  "checkerboard.here": [
    "Output ({0}, {1}) gets {2} x {3} summands; its value is {4}.",
    "输出 ({0}, {1}) 有 {2} x {3} 个加数，值为 {4}。"],
});

const CHECKER_SIDE = 6; // pixels of the constant input

/** @param {number} length @param {number} kernel @param {number} stride @returns {number[]} */
export function summandCounts(length, kernel, stride) {
  // How many input pixels reach each output pixel, along one axis.
  const counts = new Array(stride * (length - 1) + kernel).fill(0);
  for (let i = 0; i < length; i++) {
    for (let a = 0; a < kernel; a++) counts[stride * i + a] += 1;
  }
  return counts;
}

export const checkerboardChamber = {
  id: "checkerboard",
  code: [summandCounts, tent, transposedByScattering],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    let [kernel, stride, kind] = [3, 2, "ones"];
    let at = [4, 4];
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [i, j];
      update();
    };
    const kernels = slider("checkerboard.kernel", 1, 8, kernel, (value) => {
      kernel = value;
      update();
    });
    const strides = slider("stride", 1, 4, stride, (value) => {
      stride = value;
      update();
    });
    const weights = choice("checkerboard.weights",
      [["ones", "checkerboard.ones"], ["bilinear", "checkerboard.bilinear"]], kind, (value) => {
        kind = value;
        update();
      });
    const counts = new Grid("checkerboard.counts", move);
    const constant = new Picture("checkerboard.constant", move);
    const photo = new Picture("checkerboard.photo");
    const [why, flat, here] = [element("p", { class: "verdict" }), element("p"), formula()];
    root.append(row(kernels.root, strides.root, weights.root), why, flat,
      row(counts.root, constant.root, photo.root), here);
    counts.root.classList.add("small");

    function update() {
      const along = summandCounts(CHECKER_SIDE, kernel, stride);
      at = at.map((n) => Math.min(n, along.length - 1));
      const most = Math.max(...along) ** 2;
      counts.update(along.map((a) => along.map((b) => show(a * b))), (i, j) =>
        `shade${Math.min(4, Math.ceil((4 * along[i] * along[j]) / most))}`, at);
      const y = onOnes(kernel, stride, kind);
      const high = Math.max(...y.flat());
      constant.draw(y.length, y[0].length, (n) =>
        heatColour(y[Math.floor(n / y[0].length)][n % y[0].length] / (high || 1)));
      constant.mark([], at);
      const inner = innerPart(along, kernel, stride);
      const [least, top] = [Math.min(...inner), Math.max(...inner)];
      why.textContent = kernel % stride === 0
        ? say("checkerboard.even", kernel, stride, kernel / stride)
        : say("checkerboard.uneven", kernel, stride, kernel % stride, least ** 2, top ** 2);
      const values = innerPart(y, kernel, stride).flatMap((line) => innerPart(line, kernel, stride));
      const [low, up] = [Math.min(...values), Math.max(...values)];
      flat.textContent = up - low < 1e-9 ? say("checkerboard.flat")
        : say("checkerboard.wavy", show(low), show(up));
      here.textContent = say("checkerboard.here", at[0], at[1], along[at[0]], along[at[1]],
        show(y[at[0]][at[1]]));
      const large = enlargedPhoto(model, kernel, stride, kind);
      const cells = large.flat();
      const gain = stride ** 2 / checkerKernel(kernel, kind).flat().reduce((sum, w) => sum + w, 0);
      photo.draw(large.length, large[0].length, (n) => {
        const grey = gain * cells[n]; // as bright as the photo in the mean
        return [grey, grey, grey];
      });
    }
    update();
    return {
      update,
      values: (/** @type {any} */ { kernel: k, stride: s, kind: name }) => ({
        counts: summandCounts(CHECKER_SIDE, k, s).map((a) =>
          summandCounts(CHECKER_SIDE, k, s).map((b) => a * b)),
        ones: onOnes(k, s, name),
        patch: greyPatch(model.photo, 96 / s).rows,
        photo: enlargedPhoto(model, k, s, name),
      }),
    };
  },
};

/** Return the positions that the ends of the map do not influence; all if there are none. */
function innerPart(/** @type {any[]} */ line, /** @type {number} */ kernel, /** @type {number} */ stride) {
  const inner = line.slice(kernel, line.length - kernel);
  return inner.length >= stride ? inner : line;
}

const checkerKernel = (/** @type {number} */ size, /** @type {string} */ kind) => {
  const along = kind === "ones" ? new Array(size).fill(1) : tent(size);
  return along.map((a) => along.map((b) => a * b));
};

const onOnes = (/** @type {number} */ kernel, /** @type {number} */ stride, /** @type {string} */ kind) =>
  transposedByScattering(Array.from({ length: CHECKER_SIDE }, () => new Array(CHECKER_SIDE).fill(1)),
    checkerKernel(kernel, kind), stride);

const enlargedPhoto = (/** @type {import("../model.js").Model} */ model, /** @type {number} */ kernel,
  /** @type {number} */ stride, /** @type {string} */ kind) =>
  transposedByScattering(greyPatch(model.photo, 96 / stride).rows, checkerKernel(kernel, kind), stride);
