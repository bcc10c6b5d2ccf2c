// @ts-check
// Chamber 2: bilinear interpolation in exact fractions, and its kernel to edit.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, element, formula, Grid, Inputs, Picture, row, show, slider } from "../drawing.js";
import { add, fraction, fractionText, multiply, readFraction, subtract, valueOf } from "../fractions.js";
import { tent, transposedByScattering } from "../operations.js";
import { greyPatch } from "../patch.js";

/** @typedef {import("../fractions.js").Fraction} Fraction */

Object.assign(TEXTS, {
  bilinear: ["Bilinear interpolation", "双线性插值"],
  "bilinear.idea": [
    "New pixels lie between the old ones; each takes the two nearest rows and columns, the nearer one with the larger weight. Edit the input, choose a rule, and move the cursor over the table.",
    "新像素位于旧像素之间；每个新像素取最近的两行、两列，离得近的权重大。请修改输入、选择规则，并在表格上移动光标。"],
  "bilinear.rule": ["Corners", "角点规则"],
  "bilinear.aligned": ["corner pixels stay (align_corners=True)", "角像素不动 (align_corners=True)"],
  "bilinear.edges": ["outer edges stay (align_corners=False)", "外边缘不动 (align_corners=False)"],
  "bilinear.factor": ["Factor", "倍数"],
  "bilinear.table": ["Table of the new pixels, exact", "新像素表（精确分数）"],
  "bilinear.at": [
    "New row {0} is at {1} of the old rows, new column {2} at {3} of the old columns.",
    "新的第 {0} 行位于旧行的 {1} 处，新的第 {2} 列位于旧列的 {3} 处。"],
  "bilinear.kernel": ["As a kernel", "写成卷积核"],
  "bilinear.kernelIdea": [
    "The same interpolation is a transposed convolution whose kernel is the outer product of these weights. Edit the weights and see the enlarged picture change. At its edges fewer summands arrive, so it fades there.",
    "同样的插值就是一次转置卷积，卷积核是下面这组权重与自身的外积。修改权重，看放大的图如何变化。边缘处的加数较少，所以会变暗。"],
  "bilinear.tent": ["Weights along one axis", "一个方向上的权重"],
  "bilinear.product": ["Kernel: their outer product", "卷积核：权重的外积"],
  "bilinear.small": ["The photo, reduced", "缩小后的照片"],
  "bilinear.large": ["The same, enlarged by this kernel", "用该卷积核放大的结果"],
  "bilinear.sum": [
    "Each new pixel gets weights that sum to {0} along an axis.",
    "每个新像素在一个方向上得到的权重之和为 {0}。"],
});

/** @param {number} length @param {number} size @param {boolean} aligned @returns {Fraction[]} */
export function newPositions(length, size, aligned) {
  // Where the new pixels lie among the old ones, whose centres are at 0, 1, 2, ...
  return Array.from({ length: size }, (_, i) => {
    if (aligned) return fraction(i * (length - 1), Math.max(size - 1, 1));
    const at = subtract(fraction((2 * i + 1) * length, 2 * size), fraction(1, 2));
    if (valueOf(at) < 0) return fraction(0); // outside of the centres: the outermost pixel
    return valueOf(at) > length - 1 ? fraction(length - 1) : at;
  });
}

/** @param {Fraction[][]} x @param {number[]} size @param {boolean} aligned @returns {Fraction[][]} */
export function bilinearTable(x, [height, width], aligned) {
  const rows = newPositions(x.length, height, aligned);
  const columns = newPositions(x[0].length, width, aligned);
  const between = (/** @type {Fraction} */ a, /** @type {Fraction} */ b, /** @type {Fraction} */ share) =>
    add(multiply(subtract(fraction(1), share), a), multiply(share, b));
  return rows.map((p) => {
    const top = Math.floor(valueOf(p));
    const bottom = Math.min(top + 1, x.length - 1);
    return columns.map((q) => {
      const left = Math.floor(valueOf(q));
      const right = Math.min(left + 1, x[0].length - 1);
      const across = subtract(q, fraction(left));
      return between(between(x[top][left], x[top][right], across),
        between(x[bottom][left], x[bottom][right], across), subtract(p, fraction(top)));
    });
  });
}

export const bilinearChamber = {
  id: "bilinear",
  code: [newPositions, bilinearTable, tent, transposedByScattering],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    let [times, aligned] = [2, true];
    let at = [1, 0];
    const input = new Inputs("input", readFraction, () => update());
    input.fill([["1", "2"], ["3", "4"]]);
    const table = new Grid("bilinear.table", (i, j) => {
      at = [i, j];
      update();
    });
    const rule = choice("bilinear.rule", [["aligned", "bilinear.aligned"], ["edges", "bilinear.edges"]],
      "aligned", (value) => {
        aligned = value === "aligned";
        update();
      });
    const factors = slider("bilinear.factor", 2, 4, times, (value) => {
      times = value;
      resetTent();
      update();
    });
    const [place, line] = [element("p"), formula()];
    const weights = new Inputs("bilinear.tent", readFraction, () => update());
    const kernel = new Grid("bilinear.product");
    const [small, large] = [new Picture("bilinear.small"), new Picture("bilinear.large")];
    const sums = element("p");
    const reset = element("button", { text: "reset", onclick: () => {
      resetTent();
      update();
    } });
    root.append(factors.root, rule.root, row(input.root, table.root), place, line,
      element("h3", { text: "bilinear.kernel" }), element("p", { text: "bilinear.kernelIdea" }),
      row(weights.root, reset), sums, row(kernel.root, small.root, large.root));

    function resetTent() {
      const size = 2 * times - (times % 2);
      const divisor = 2 * Math.ceil(size / 2);
      weights.fill([tent(size).map((w) =>
        fractionText(fraction(Math.round(w * divisor), divisor)))]);
    }
    function update() {
      const x = input.values;
      const size = [times * x.length, times * x[0].length];
      at = [Math.min(at[0], size[0] - 1), Math.min(at[1], size[1] - 1)];
      const values = bilinearTable(x, size, aligned);
      const [rows, columns] = [newPositions(x.length, size[0], aligned),
        newPositions(x[0].length, size[1], aligned)];
      const whole = (/** @type {Fraction} */ p) => p[1] === 1;
      table.update(values.map((line) => line.map(fractionText)),
        (i, j) => (whole(rows[i]) && whole(columns[j]) ? "blue" : ""), at);
      place.textContent = say("bilinear.at", at[0], fractionText(rows[at[0]]), at[1],
        fractionText(columns[at[1]]));
      line.textContent = explain(x, rows[at[0]], columns[at[1]], values[at[0]][at[1]]);
      drawKernel();
    }
    function drawKernel() {
      const along = weights.values[0];
      kernel.update(along.map((/** @type {Fraction} */ a) =>
        along.map((/** @type {Fraction} */ b) => fractionText(multiply(a, b)))), () => "orange");
      const phases = Array.from({ length: times }, (_, phase) => along
        .filter((_, /** @type {number} */ n) => n % times === phase)
        .reduce(add, fraction(0)));
      sums.textContent = say("bilinear.sum", [...new Set(phases.map(fractionText))].join(", "));
      const patch = greyPatch(model.photo);
      const y = enlarged(patch.rows, along.map(valueOf), times);
      const grey = (/** @type {number[][]} */ rows) => {
        const flat = rows.flat();
        return [rows.length, rows[0].length, (/** @type {number} */ n) => [flat[n], flat[n], flat[n]]];
      };
      small.draw(.../** @type {[any, any, any]} */ (grey(patch.rows)));
      large.draw(.../** @type {[any, any, any]} */ (grey(y)));
    }
    resetTent();
    update();
    return {
      update,
      values: (/** @type {any} */ given) => {
        const exact = given.input.map((/** @type {number[]} */ line) => line.map((v) => fraction(v)));
        const patch = greyPatch(model.photo).rows;
        return {
          table: bilinearTable(exact, given.size, given.aligned).map((line) => line.map(valueOf)),
          patch,
          enlarged: enlarged(patch, given.tent, given.factor),
        };
      },
    };
  },
};

/** Write the value of a new pixel as the sum of its summands. */
function explain(/** @type {Fraction[][]} */ x, /** @type {Fraction} */ p, /** @type {Fraction} */ q,
  /** @type {Fraction} */ value) {
  const shares = (/** @type {Fraction} */ at) => {
    const low = Math.floor(valueOf(at));
    const share = subtract(at, fraction(low));
    return [[low, subtract(fraction(1), share)], [low + 1, share]].filter(([, w]) =>
      /** @type {Fraction} */ (w)[0]);
  };
  const terms = shares(p).flatMap(([i, down]) => shares(q).map(([j, across]) => {
    const [a, b] = [/** @type {Fraction} */ (down), /** @type {Fraction} */ (across)];
    return `${fractionText(a)}·${fractionText(b)}·${fractionText(x[Number(i)][Number(j)])}`;
  }));
  return `${terms.join(" + ")} = ${fractionText(value)} \u2248 ${show(valueOf(value))}`;
}

/** Enlarge a picture by the kernel with these weights along each axis. */
function enlarged(/** @type {number[][]} */ x, /** @type {number[]} */ along, /** @type {number} */ times) {
  const y = transposedByScattering(x, along.map((a) => along.map((b) => a * b)), times);
  const from = Math.floor((along.length - times) / 2); // the edges get fewer summands
  const [height, width] = [times * x.length, times * x[0].length];
  return y.slice(from, from + height).map((line) => line.slice(from, from + width));
}
