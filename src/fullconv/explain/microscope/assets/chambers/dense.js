// @ts-check
// Chamber 1: a fully connected layer becomes a convolution, and one score a map of scores.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { element, factor, formula, Grid, heatColour, photoColour, Picture, row, show, signed,
  slider } from "../drawing.js";
import { convolution, fullyConnected, mapOf, rowsOf } from "../operations.js";

Object.assign(TEXTS, {
  dense: ["Fully connected → 1 x 1 convolution", "全连接 → 1 x 1 卷积"],
  "dense.idea": [
    "A fully connected layer multiplies all pixels of its input by weights. Written as a convolution with a kernel of that size, the same weights work on an input of any size: one score becomes a map of scores. Enlarge the input, and move the cursor over the scores.",
    "全连接层把输入的全部像素与权重相乘。把同样的权重写成同样大小的卷积核，就能用于任意大小的输入：一个得分变成一张得分图。请放大输入，并在得分上移动光标。"],
  "dense.size": ["Side of the input", "输入边长"],
  "dense.weights": ["Weights of the fully connected layer: 9 numbers", "全连接层的权重：9 个数"],
  "dense.vector": ["Pixels under the cursor, in a row", "光标处的像素，排成一行"],
  "dense.kernel": ["The same weights as a kernel", "同样的权重，写成卷积核"],
  "dense.scores": ["Scores", "得分"],
  "dense.one": ["One score: the classifier.", "一个得分：分类网络。"],
  "dense.many": ["{0} x {0} scores from the same 9 weights.", "同样 9 个权重，得到 {0} x {0} 个得分。"],
  "dense.full": ["fully connected", "全连接"],
  "dense.conv": ["convolution", "卷积"],
  "dense.own": ["Your network: its last layer is a 1 x 1 convolution", "你的网络：最后一层就是 1 x 1 卷积"],
  "dense.ownIdea": [
    "At each position of the coarse map, {0} numbers are multiplied by {0} weights per class: a fully connected layer, the same everywhere.",
    "在粗特征图的每个位置上，{0} 个数与每个类别的 {0} 个权重相乘：一个全连接层，处处相同。"],
  "dense.map": ["Score of the class at each position", "该类别在每个位置的得分"],
  "dense.photo": ["Photo, with the cell of the position", "照片，以及该位置对应的格子"],
  "dense.scores": ["Scores at the cursor", "光标处的得分"],
  "dense.terms": ["Largest summands of {0}", "“{0}”最大的几项"],
  "dense.rest": ["all other channels together", "其余所有通道之和"],
});

const DENSE_INPUT = [ // a bright T
  [5, 5, 5, 5, 5, 5, 0, 0], [5, 5, 5, 5, 5, 5, 0, 0], [0, 0, 5, 5, 0, 0, 0, 0], [0, 0, 5, 5, 0, 0, 0, 0],
  [0, 0, 5, 5, 0, 0, 0, 0], [0, 0, 5, 5, 0, 0, 0, 0], [0, 0, 5, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]];
const DENSE_WEIGHT = [[1, 0, -1], [2, 0, -2], [1, 0, -1]];

/** Cut a square of three pixels out, as a vector. @param {number[][]} x @param {number} i @param {number} j */
const windowOf = (x, i, j) => x.slice(i, i + 3).flatMap((line) => line.slice(j, j + 3));

export const denseChamber = {
  id: "dense",
  code: [fullyConnected, convolution],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    let size = 3;
    let at = [0, 0];
    const weights = DENSE_WEIGHT.flat();
    const layer = { name: "", kind: "conv", weight: weights, bias: [1], kernel: 3, channels: 1 };
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [Math.min(i, size - 3), Math.min(j, size - 3)];
      update();
    };
    const input = new Grid("input", move);
    const [vector, pixels] = [new Grid("dense.weights"), new Grid("dense.vector")];
    const kernel = new Grid("dense.kernel");
    const scores = new Grid("dense.scores", move);
    const count = element("p");
    const [byVector, byKernel] = [formula(), formula()];
    const sizes = slider("dense.size", 3, 8, size, (value) => {
      size = value;
      move(at[0], at[1]);
    });
    root.append(sizes.root, row(input.root, kernel.root, scores.root), count,
      row(pixels.root, vector.root), byVector, byKernel);

    const crop = () => DENSE_INPUT.slice(0, size).map((line) => line.slice(0, size));
    const result = () => rowsOf(convolution(mapOf(crop()), layer));
    function update() {
      const x = crop();
      const y = result();
      const seen = (/** @type {number} */ i, /** @type {number} */ j) =>
        (i >= at[0] && i < at[0] + 3 && j >= at[1] && j < at[1] + 3 ? "blue" : "");
      input.update(x.map((line) => line.map(show)), seen, at);
      vector.update([weights.map(show)], () => "orange");
      kernel.update(DENSE_WEIGHT.map((line) => line.map(show)), () => "orange");
      scores.update(y.map((line) => line.map(show)), () => "green", at);
      count.textContent = size === 3 ? say("dense.one") : say("dense.many", size - 2);
      const values = windowOf(x, at[0], at[1]);
      pixels.update([values.map(show)], () => "blue");
      const [full] = fullyConnected(values, [weights], [1]);
      const terms = values.map((value, n) => `${factor(weights[n])}·${show(value)}`).join(" + ");
      byVector.textContent = `${say("dense.full")}: 1 + ${terms} = ${show(full)}`;
      byKernel.textContent =
        `${say("dense.conv")}: y(${at[0]}, ${at[1]}) = ${show(y[at[0]][at[1]])}`;
      own.update();
    }
    const own = ownScores(root, model);
    update();
    return {
      update,
      /** For tests: what this chamber computes. */
      values: (/** @type {any} */ given) => ({
        scores: rowsOf(convolution(mapOf(given.input), { ...layer, weight: given.weight.flat() })),
        own: own.values(),
      }),
      ready: own.ready,
    };
  },
};

/** The score layer of the network, at each position. @param {any} root @param {import("../model.js").Model} model */
function ownScores(root, model) {
  const { dense, classes } = model.data;
  let [k, at, maps] = [0, [0, 0], /** @type {any} */ (null)];
  const move = (/** @type {number} */ i, /** @type {number} */ j) => {
    at = [i, j];
    update();
  };
  const picture = new Picture("dense.map", move);
  const photo = new Picture("dense.photo");
  const bars = element("table", { class: "bars" });
  const terms = element("table", { class: "terms" });
  const title = element("h4");
  const line = formula();
  const idea = element("p");
  root.append(element("h3", { text: "dense.own" }), idea, row(picture.root, photo.root),
    row(element("div", {}, element("h4", { text: "dense.scores" }), bars),
      element("div", {}, title, terms)), line);
  photo.draw(model.photo.height, model.photo.width, photoColour(model.photo));

  const vectorAt = (/** @type {number} */ position) => Array.from({ length: maps.channels },
    (_, c) => maps.data[c * maps.height * maps.width + position]);
  /** The scores of all classes at a position: b + W x, and what channels add that were left out. */
  function scoresAt(/** @type {number} */ position) {
    const plane = maps.height * maps.width;
    const weight = dense.bias.length && Array.from(dense.bias, (_, n) =>
      [...dense.weight.subarray(n * maps.channels, (n + 1) * maps.channels)]);
    const rest = (/** @type {number} */ n) => (dense.rest ? dense.rest[n * plane + position] : 0);
    return fullyConnected(vectorAt(position), weight, Array.from(dense.bias, (b, n) => b + rest(n)));
  }
  function update() {
    if (!maps) return;
    idea.textContent = say("dense.ownIdea", dense.total);
    const { height, width } = maps;
    const plane = height * width;
    const all = Array.from({ length: plane }, (_, position) => scoresAt(position));
    const values = all.map((scores) => scores[k]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    picture.draw(height, width, (n) => heatColour((values[n] - low) / (high - low || 1)));
    picture.mark([], at);
    const { height: rows, width: columns } = model.photo;
    const { scale, shift, size } = dense.field;
    const cell = (/** @type {number} */ n) => scale * n + shift - (scale - 1) / 2;
    photo.mark([{ row: cell(at[0]), column: cell(at[1]), height: scale, width: scale },
      ...(size < 2 * Math.max(rows, columns) ? [{ row: scale * at[0] + shift - (size - 1) / 2,
        column: scale * at[1] + shift - (size - 1) / 2, height: size, width: size, tone: "field" }] : [])]);
    const position = at[0] * width + at[1];
    const scores = all[position];
    const most = Math.max(...scores.map(Math.abs));
    const order = scores.map((_, n) => n).sort((a, b) => scores[b] - scores[a]).slice(0, 10);
    bars.replaceChildren(...order.map((n) => {
      const button = element("button", { textContent: classes[n], onclick: () => {
        k = n;
        update();
      } });
      if (n === k) button.setAttribute("aria-pressed", "true");
      const bar = element("div", { class: scores[n] < 0 ? "bar minus" : "bar" });
      bar.style.width = `${(100 * Math.abs(scores[n])) / (most || 1)}%`;
      return element("tr", {}, element("td", {}, button), element("td", {}, show(scores[n])),
        element("td", { class: "wide" }, bar));
    }));
    title.textContent = say("dense.terms", classes[k]);
    const x = vectorAt(position);
    const parts = x.map((value, c) => ({ c, value, w: dense.weight[k * x.length + c] }))
      .sort((a, b) => Math.abs(b.value * b.w) - Math.abs(a.value * a.w));
    const shown = parts.slice(0, 8);
    const others = scores[k] - dense.bias[k] - shown.reduce((sum, one) => sum + one.value * one.w, 0);
    terms.replaceChildren(...shown.map(({ c, value, w }) => element("tr", {},
      element("td", {}, `${say("channel")} ${dense.channels ? dense.channels[c] : c}`),
      element("td", {}, `${factor(w)}·${factor(value)}`), element("td", {}, `= ${show(w * value)}`))),
    element("tr", {}, element("td", { text: "dense.rest", colSpan: 2 }),
      element("td", {}, `= ${show(others)}`)));
    line.textContent = `${classes[k]}: ${show(dense.bias[k])}`
      + shown.map((one) => signed(one.value * one.w)).join("") + signed(others)
      + ` = ${show(scores[k])}`;
  }
  const ready = model.run().then(() => {
    const source = model.live ? model.maps.get(dense.stage) : null;
    maps = source ?? { ...dense.features, data: dense.features.data };
    const centre = [Math.floor(maps.height / 2), Math.floor(maps.width / 2)];
    at = centre;
    const scores = scoresAt(centre[0] * maps.width + centre[1]);
    k = scores.indexOf(Math.max(...scores));
    update();
  });
  return {
    update,
    ready,
    values: () => Array.from({ length: maps.height * maps.width }, (_, n) => scoresAt(n)),
  };
}
