// @ts-check
// Chamber 5: max pooling remembers where each maximum was, and un-pooling puts it back.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { element, formula, Grid, Inputs, Picture, row, show } from "../drawing.js";
import { bilinearUpsample, interpolate, mapOf, maxPool, rowsOf, unpool } from "../operations.js";
import { greyPatch } from "../patch.js";
import { readNumber } from "./transposed.js";

Object.assign(TEXTS, {
  unpooling: ["Un-pooling with indices", "带索引的反池化"],
  "unpooling.idea": [
    "Max pooling keeps the largest value of each window and, as an index, where it was. Un-pooling puts each value back there; everything else is 0. Bilinear interpolation spreads the same values instead. Edit the input, and let the values fly back.",
    "最大池化保留每个窗口的最大值，并用索引记住它原来的位置。反池化把每个值放回原处，其余为 0；双线性插值则把同样的值摊开。请修改输入，并让数值飞回去。"],
  "unpooling.pooled": ["Maxima", "最大值"],
  "unpooling.indices": ["Indices, counted row by row from 0", "索引，从 0 起逐行计数"],
  "unpooling.back": ["Un-pooled", "反池化"],
  "unpooling.bilinear": ["Bilinear, for comparison", "双线性插值（对照）"],
  "unpooling.fly": ["Let the values fly back", "让数值飞回去"],
  "unpooling.here": [
    "Window ({0}, {1}): the maximum of {2} is {3}, at index {4} = row {5}, column {6}.",
    "窗口 ({0}, {1})：{2} 的最大值是 {3}，索引 {4} = 第 {5} 行、第 {6} 列。"],
  "unpooling.errors": [
    "Mean distance from the input: {0} after un-pooling, {1} after bilinear interpolation.",
    "与输入的平均差：反池化 {0}，双线性插值 {1}。"],
  "unpooling.photo": ["The same on the photo", "在照片上做同样的事"],
  "unpooling.reduced": ["The photo, reduced", "缩小后的照片"],
  "unpooling.photoPooled": ["Maxima of 2 x 2 pixels", "2 x 2 像素的最大值"],
});

const POOL = { name: "pool", kind: "pool", kernel: 2, stride: 2, ceil: true };
const DOUBLE = { name: "up", kind: "bilinear", factor: 2, kernel: 4 };

export const unpoolingChamber = {
  id: "unpooling",
  code: [maxPool, unpool, interpolate, bilinearUpsample],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    let at = [0, 0];
    const input = new Inputs("input", readNumber, () => update());
    input.fill([["1", "2", "6", "3"], ["3", "5", "2", "1"], ["1", "2", "2", "1"], ["7", "3", "4", "8"]]);
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [i, j];
      update();
    };
    const [pooled, indices] = [new Grid("unpooling.pooled", move), new Grid("unpooling.indices")];
    const [back, smooth] = [new Grid("unpooling.back"), new Grid("unpooling.bilinear")];
    const [line, errors] = [formula(), element("p")];
    const fly = element("button", { class: "main", text: "unpooling.fly", onclick: flyBack });
    root.append(row(input.root, pooled.root, indices.root, back.root, smooth.root), fly, line, errors,
      element("h3", { text: "unpooling.photo" }));
    const pictures = ["unpooling.reduced", "unpooling.photoPooled", "unpooling.back",
      "unpooling.bilinear"].map((key) => new Picture(key));
    root.append(row(...pictures.map((one) => one.root)));
    const patch = greyPatch(model.photo, 48).maps;

    function update() {
      const x = input.values;
      const found = poolAndBack(mapOf(x));
      const width = x[0].length;
      const text = (/** @type {number[][]} */ rows) => rows.map((one) => one.map(show));
      const where = new Set(found.indices);
      const inputs = input.cells.children;
      [...inputs].forEach((cell, n) => {
        const window = Math.floor(n / width / 2) === at[0] && Math.floor((n % width) / 2) === at[1];
        cell.className = `${where.has(n) ? "orange" : ""}${window ? " framed" : ""}`;
      });
      pooled.update(text(rowsOf(found.pooled)), () => "orange", at);
      const numbers = rowsOf({ ...found.pooled, data: Float32Array.from(found.indices) });
      indices.update(text(numbers), () => "blue");
      back.update(text(rowsOf(found.unpooled)), (i, j) => (where.has(i * width + j) ? "orange" : "soft"));
      smooth.update(text(rowsOf(found.smooth)), () => "green");
      const index = found.indices[at[0] * found.pooled.width + at[1]];
      const window = x.slice(2 * at[0], 2 * at[0] + 2)
        .flatMap((one) => one.slice(2 * at[1], 2 * at[1] + 2));
      line.textContent = say("unpooling.here", at[0], at[1], window.map(show).join(", "),
        show(Math.max(...window)), index, Math.floor(index / width), index % width);
      const distance = (/** @type {Float32Array} */ data) => data.reduce((sum, value, n) =>
        sum + Math.abs(value - x.flat()[n]), 0) / data.length;
      errors.textContent = say("unpooling.errors", show(distance(found.unpooled.data)),
        show(distance(found.smooth.data)));
      const large = poolAndBack(patch);
      [patch, large.pooled, large.unpooled, large.smooth].forEach((map, n) =>
        pictures[n].draw(map.height, map.width, (one) => new Array(3).fill(map.data[one])));
    }

    /** Move a copy of each maximum from its place in the pooled map to the one in the output. */
    function flyBack() {
      const found = poolAndBack(mapOf(input.values));
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
      found.indices.forEach((index, n) => {
        const [from, to] = [pooled.cells.children[n], back.cells.children[index]]
          .map((cell) => cell.getBoundingClientRect());
        const copy = element("span", { class: "flying orange" }, show(found.pooled.data[n]));
        copy.style.left = `${from.left + scrollX}px`;
        copy.style.top = `${from.top + scrollY}px`;
        copy.style.width = `${from.width}px`;
        copy.style.height = `${from.height}px`;
        document.body.append(copy);
        const path = [{ translate: "0 0" },
          { translate: `${to.left - from.left}px ${to.top - from.top}px` }];
        copy.animate(path, { duration: 900, delay: 250 * n, easing: "ease-in-out", fill: "both" })
          .onfinish = () => copy.remove();
      });
    }
    update();
    return {
      update,
      values: (/** @type {any} */ given) => {
        const found = poolAndBack(mapOf(given.input));
        const own = poolAndBack(patch);
        return { pooled: rowsOf(found.pooled), indices: [...found.indices],
          unpooled: rowsOf(found.unpooled), smooth: rowsOf(found.smooth), patch: rowsOf(patch),
          photo: rowsOf(own.unpooled), photoSmooth: rowsOf(own.smooth) };
      },
    };
  },
};

/** @param {import("../operations.js").Maps} x */
function poolAndBack(x) {
  const { maps: pooled, indices } = maxPool(x, POOL);
  // The upsampled map has a margin of one pixel, which belongs to pixels outside.
  const large = rowsOf(bilinearUpsample(pooled, DOUBLE));
  const inner = large.slice(1, x.height + 1).map((line) => line.slice(1, x.width + 1));
  return { pooled, indices, unpooled: unpool(pooled, indices, x.height, x.width),
    smooth: mapOf(inner) };
}
