// @ts-check
// Chamber 3: a transposed convolution in three views, under one cursor.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, element, factor, formula, Grid, Inputs, row, show, slider } from "../drawing.js";
import { readFraction, valueOf } from "../fractions.js";
import { insertZeros, timesVector, transposedByInsertion, transposedByScattering,
  transposedMatrix } from "../operations.js";

Object.assign(TEXTS, {
  transposed: ["Transposed convolution, three views", "转置卷积的三种看法"],
  "transposed.idea": [
    "A transposed convolution enlarges a map. Three descriptions give the same numbers. Move the cursor over any output: all views show where its number comes from.",
    "转置卷积把特征图放大。三种说法得到同样的数。在任意一个输出上移动光标，三种看法会同时标出这个数的来历。"],
  "transposed.size": ["Side of the kernel", "卷积核边长"],
  "transposed.insertion": ["1. Insert zeros, convolve with the rotated kernel", "1. 插零，再与旋转 180° 的核做卷积"],
  "transposed.dilated": ["Input with zeros", "插零后的输入"],
  "transposed.rotated": ["Kernel, rotated by 180°", "旋转 180° 的核"],
  "transposed.scattering": ["2. Each pixel adds its multiple of the kernel", "2. 每个像素把核的若干倍加到输出上"],
  "transposed.stamp": ["{0} x kernel, from pixel ({1}, {2})", "{0} x 核，来自像素 ({1}, {2})"],
  "transposed.sum": ["Their sum: the output", "它们之和：输出"],
  "transposed.matrix": ["3. The transposed matrix times the flattened input", "3. 转置矩阵乘以展平的输入"],
  "transposed.rows": ["Matrix: one row per output pixel", "矩阵：每行对应一个输出像素"],
  "transposed.vector": ["Flattened input", "展平的输入"],
  "transposed.row": ["row", "行"],
  "transposed.equal": ["All three views: {0}.", "三种看法的结果都是 {0}。"],
  "transposed.differ": ["The views differ: {0}.", "三种看法不一致：{0}。"],
});

const TRANSPOSED_KERNELS = /** @type {Record<string, string[][]>} */ ({
  2: [["1", "2"], ["3", "4"]],
  3: [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]],
  4: [["1", "3", "3", "1"], ["3", "9", "9", "3"], ["3", "9", "9", "3"], ["1", "3", "3", "1"]],
});

/** Read a number that is written as a fraction, too. */
export const readNumber = (/** @type {string} */ text) => {
  const found = readFraction(text);
  return found && valueOf(found);
};

export const transposedChamber = {
  id: "transposed",
  code: [insertZeros, transposedByInsertion, transposedByScattering, transposedMatrix, timesVector],
  /** @param {any} root */
  start(root) {
    let stride = 2;
    let at = [2, 2];
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [i, j];
      update();
    };
    const input = new Inputs("input", readNumber, () => update());
    const kernel = new Inputs("kernel", readNumber, () => update());
    input.fill([["1", "2"], ["3", "4"]]);
    kernel.fill(TRANSPOSED_KERNELS[3]);
    const sizes = choice("transposed.size", [["2", "2"], ["3", "3"], ["4", "4"]], "3", (value) => {
      kernel.fill(TRANSPOSED_KERNELS[value]);
      update();
    });
    const strides = slider("stride", 1, 3, stride, (value) => {
      stride = value;
      update();
    });
    const [dilated, rotated] = [new Grid("transposed.dilated"), new Grid("transposed.rotated")];
    const first = new Grid("output", move);
    const stamps = [0, 1, 2, 3].map(() => new Grid("output", move));
    const second = new Grid("transposed.sum", move);
    const matrix = new Grid("transposed.rows");
    const vector = new Grid("transposed.vector");
    const third = new Grid("output", move);
    const lines = [formula(), formula(), formula()];
    const verdict = element("p", { class: "verdict" });
    root.append(row(input.root, kernel.root), sizes.root, strides.root,
      element("h3", { text: "transposed.insertion" }), row(dilated.root, rotated.root, first.root),
      lines[0], element("h3", { text: "transposed.scattering" }), row(...stamps.map((one) => one.root), second.root),
      lines[1], element("h3", { text: "transposed.matrix" }),
      row(matrix.root, vector.root, third.root), lines[2], verdict);
    for (const one of [...stamps, matrix]) one.root.classList.add("small");
    matrix.root.classList.add("tall");
    Object.assign(matrix.root, { tabIndex: 0 });

    function update() {
      const [x, w] = [input.values, kernel.values];
      const size = w.length;
      const outputs = threeViews(x, w, stride);
      const y = outputs.insertion;
      at = [Math.min(at[0], y.length - 1), Math.min(at[1], y[0].length - 1)];
      const [i, j] = at;
      const text = (/** @type {number[][]} */ rows) => rows.map((line) => line.map(show));
      /** Which weight an input pixel reaches the cursor by, or null. */
      const weight = (/** @type {number} */ a, /** @type {number} */ b) =>
        w[i - stride * a]?.[j - stride * b] ?? null;

      const wide = insertZeros(x, size, stride);
      const inside = (/** @type {number} */ a, /** @type {number} */ b) =>
        a >= i && a < i + size && b >= j && b < j + size;
      const pixel = (/** @type {number} */ a, /** @type {number} */ b) =>
        (a - size + 1) % stride === 0 && (b - size + 1) % stride === 0
        && x[(a - size + 1) / stride]?.[(b - size + 1) / stride] !== undefined;
      dilated.update(text(wide), (a, b) =>
        `${pixel(a, b) ? "blue" : "soft"}${inside(a, b) ? " framed" : ""}`);
      rotated.update(text(w.map((line) => [...line].reverse()).reverse()), () => "orange framed");
      first.update(text(y), () => "green", at);
      const reached = x.flatMap((line, a) => line.map((value, b) => ({ a, b, value, w: weight(a, b) })))
        .filter((one) => one.w !== null);
      lines[0].textContent = sumText(reached.map((one) => `${factor(one.value)}·${factor(one.w)}`),
        outputs.insertion[i][j]);

      stamps.forEach((stamp, n) => {
        const [a, b] = [Math.floor(n / x[0].length), n % x[0].length];
        const one = y.map((line, p) => line.map((_, q) => w[p - stride * a]?.[q - stride * b]));
        stamp.update(one.map((line) => line.map((v) => (v === undefined ? "" : show(v * x[a][b])))),
          (p, q) => (one[p][q] === undefined ? "" : "orange"), at);
        stamp.caption.textContent = say("transposed.stamp", show(x[a][b]), a, b);
      });
      second.update(text(outputs.scattering), () => "green", at);
      lines[1].textContent = sumText(reached.map((one) =>
        `x(${one.a}, ${one.b})·w(${i - stride * one.a}, ${j - stride * one.b})`),
      outputs.scattering[i][j]);

      const rows = transposedMatrix(x.length, x[0].length, w, stride);
      const here = i * y[0].length + j;
      matrix.update(text(rows), (a, b) =>
        `${rows[a][b] ? "orange" : "soft"}${a === here ? " framed" : ""}`);
      const cell = matrix.cells.children[here * rows[0].length];
      matrix.root.scrollTop = cell.offsetTop - matrix.root.offsetTop - matrix.root.clientHeight / 2;
      vector.update(x.flat().map((value) => [show(value)]), (a) => (rows[here][a] ? "blue" : ""));
      third.update(text(outputs.matrix), () => "green", at);
      lines[2].textContent = `${say("transposed.row")} ${here}: ` + sumText(rows[here].map((value, n) =>
        `${factor(value)}·${factor(x.flat()[n])}`), outputs.matrix[i][j]);
      const results = Object.values(outputs).map((one) => one[i][j]);
      const same = results.every((value) => Math.abs(value - results[0]) < 1e-9);
      verdict.textContent = say(same ? "transposed.equal" : "transposed.differ",
        [...new Set(results.map(show))].join(", "));
    }
    update();
    return {
      update,
      values: (/** @type {any} */ given) => threeViews(given.input, given.kernel, given.stride),
    };
  },
};

const sumText = (/** @type {string[]} */ terms, /** @type {number} */ value) =>
  `${terms.length ? terms.join(" + ") : "0"} = ${show(value)}`;

/** @param {number[][]} x @param {number[][]} w @param {number} stride */
function threeViews(x, w, stride) {
  const columns = stride * (x[0].length - 1) + w.length;
  const flat = timesVector(transposedMatrix(x.length, x[0].length, w, stride), x.flat());
  return {
    insertion: transposedByInsertion(x, w, stride),
    scattering: transposedByScattering(x, w, stride),
    matrix: Array.from({ length: flat.length / columns }, (_, i) =>
      flat.slice(i * columns, (i + 1) * columns)),
  };
}
