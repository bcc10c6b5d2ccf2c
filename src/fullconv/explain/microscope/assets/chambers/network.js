// @ts-check
// Chamber 9: the whole network as heat maps, one neuron's inputs, and the formula with its numbers.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { element, factor, formula, Grid, heatColour, photoColour, Picture, row, show,
  signed } from "../drawing.js";
import { neuron, normalize, runLayer } from "../network.js";
import { batchNorm, convolution, maxPool, relu } from "../operations.js";

Object.assign(TEXTS, {
  network: ["The whole network", "整个网络"],
  "network.idea": [
    "All maps of the network on the photo: dark is the smallest value of a map, bright the largest. Choose a layer, then one of its channels, then a position: below are the inputs of that neuron, its weights, and the formula with its numbers. An input channel leads to the map that it comes from.",
    "网络在这张照片上的全部特征图：暗处是该图的最小值，亮处是最大值。先选一层，再选一个通道，再选一个位置：下面是这个神经元的输入、权重，以及代入数字的公式。点输入通道可以查看它的来源。"],
  "network.layers": ["Layers", "层"],
  "network.channels": ["Channels of {0}: {1} maps of {2} x {3}", "{0} 的通道：{1} 张 {2} x {3} 的图"],
  "network.shown": [
    "{0} of {1} channels are in the page, with 8 bits per pixel{2}; the neuron below is exact.",
    "页面中保留了 {1} 个通道中的 {0} 个，每像素 8 位{2}；下面的神经元是精确的。"],
  "network.smaller": [" and reduced", "，并已缩小"],
  "network.kept": [
    "{0} of {1} convolutions are in the page, each before normalization and activation.",
    "页面中保留了 {1} 个卷积层中的 {0} 个，均为归一化与激活之前的值。"],
  "network.map": ["{0}, channel {1}: from {2} to {3}", "{0}，通道 {1}：从 {2} 到 {3}"],
  "network.mapPlain": ["Map of the channel", "该通道的特征图"],
  "network.photo": ["Photo", "照片"],
  "network.neuron": ["The neuron of {0}, channel {1}, at ({2}, {3})", "神经元：{0}，通道 {1}，位置 ({2}, {3})"],
  "network.inputs": ["Its input channels, the largest contributions first", "它的输入通道，贡献大的在前"],
  "network.part": ["channel {0}: {1}", "通道 {0}：{1}"],
  "network.enter": ["Show channel {0} of {1}", "查看 {1} 的通道 {0}"],
  "network.values": ["values", "数值"],
  "network.weights": ["weights", "权重"],
  "network.others": ["{0} other channels", "其余 {0} 个通道"],
  "network.bias": ["bias", "偏置"],
  "network.window": ["Window of the pooling", "池化窗口"],
  "network.max": ["The largest of {0} is {1}.", "{0} 中最大的是 {1}。"],
  "network.pytorch": ["PyTorch: {0}", "PyTorch：{0}"],
});

const TERMS = 6; // input channels that are shown with all numbers

export const networkChamber = {
  id: "network",
  code: [normalize, convolution, batchNorm, relu, maxPool, runLayer, neuron],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    const { stages } = model.data;
    let [n, k, at] = [0, 0, [0, 0]];
    const list = element("div", { class: "stages", role: "group", label: "network.layers" });
    const note = element("p", { class: "small" });
    const title = element("h3");
    const channels = element("div", { class: "channels" });
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [i, j];
      update();
    };
    const map = new Picture("network.mapPlain", model.live ? move : null);
    const photo = new Picture("network.photo");
    const heading = element("h3");
    const terms = element("div", { class: "terms" });
    const line = formula();
    root.append(list, note, title, channels, row(map.root, photo.root), heading, line, terms);
    photo.draw(model.photo.height, model.photo.width, photoColour(model.photo));

    const view = model.live ? liveView(model) : keptView(model);
    function select(/** @type {number} */ stage) {
      const before = view.size(n);
      n = stage;
      const size = view.size(n);
      at = view.place(n) ?? at.map((value, axis) => // the same place of the photo
        Math.min(Math.floor(((value + 0.5) * size[axis]) / before[axis]), size[axis] - 1));
      k = view.first(n);
      [...list.children].forEach((one, m) => one.setAttribute("aria-pressed", String(m === n)));
      fillChannels();
      update();
    }
    function fillChannels() {
      const [height, width] = view.size(n);
      title.textContent = say("network.channels", stages[n].name, view.total(n), height, width);
      note.textContent = view.note(n);
      channels.replaceChildren(...view.channels(n).map((c) => {
        const button = element("button", { class: "thumbnail", onclick: () => {
          k = c;
          update();
        } }, thumbnail(view.map(n, c)));
        button.ariaLabel = `${say("channel")} ${c}`;
        button.dataset.channel = c;
        return button;
      }));
    }
    function update() {
      if (!view.ready()) return;
      const shown = view.map(n, k);
      const [low, high] = ends(shown.data);
      map.draw(shown.height, shown.width, (p) => heatColour((shown.data[p] - low) / (high - low || 1)));
      const [height, width] = view.size(n);
      const [down, across] = [shown.height / height, shown.width / width];
      map.mark([{ row: at[0] * down, column: at[1] * across, height: down, width: across, tone: "here" }]);
      map.cursor = at;
      map.caption.textContent = say("network.map", stages[n].name, k, show(low), show(high));
      const { height: rows, width: columns } = model.photo;
      photo.mark([{ row: (at[0] * rows) / height, column: (at[1] * columns) / width,
        height: rows / height, width: columns / width }]);
      for (const one of channels.children) {
        one.setAttribute("aria-pressed", String(Number(one.dataset.channel) === k));
      }
      const chosen = view.neuronOf(n, k, at);
      heading.textContent = say("network.neuron", stages[n].name, chosen.k, at[0], at[1]);
      line.textContent = chosen.line;
      const source = stages.findIndex((/** @type {any} */ one) => one.name === stages[n].input);
      terms.replaceChildren(...chosen.parts.map(({ channel, part, grids }) => {
        const text = say("network.part", channel, show(part));
        const enter = element("button", { onclick: () => {
          select(source);
          k = channel;
          update();
        } }, text);
        if (source >= 0) enter.title = say("network.enter", channel, stages[source].name);
        return element("div", { class: "term" }, source < 0 ? element("p", {}, text) : enter,
          row(...grids));
      }));
    }
    const ready = model.run().then(() => {
      list.replaceChildren(...stages.map((/** @type {any} */ stage, /** @type {number} */ m) =>
        element("button", { class: "stage", onclick: () => select(m) },
          thumbnail(view.map(m, view.first(m))), element("span", {}, stage.name))));
      at = [Math.floor(view.size(0)[0] / 2), Math.floor(view.size(0)[1] / 2)];
      select(0);
    });
    return {
      update: () => {
        if (view.ready()) fillChannels();
        update();
      },
      ready,
      values: () => view.values(),
    };
  },
};

/** Return the smallest and the largest value. @param {ArrayLike<number>} data */
function ends(data) {
  let [low, high] = [Infinity, -Infinity];
  for (let p = 0; p < data.length; p++) {
    if (data[p] < low) low = data[p];
    if (data[p] > high) high = data[p];
  }
  return [low, high];
}

/** @param {{data: ArrayLike<number>, height: number, width: number}} map */
function thumbnail(map) {
  const canvas = element("canvas", { width: map.width, height: map.height });
  const image = new ImageData(map.width, map.height);
  const [low, high] = ends(map.data);
  for (let p = 0; p < map.data.length; p++) {
    const colour = heatColour((map.data[p] - low) / (high - low || 1));
    image.data.set([...colour, 255], 4 * p);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Maps and neurons of a network that runs in the page. @param {import("../model.js").Model} model */
function liveView(model) {
  const { stages } = model.data;
  const maps = (/** @type {string} */ name) => /** @type {any} */ (model.maps.get(name));
  const plane = (/** @type {any} */ x, /** @type {number} */ c) => ({ height: x.height, width: x.width,
    data: x.data.subarray(c * x.height * x.width, (c + 1) * x.height * x.width) });
  return {
    ready: () => model.maps.has(stages[stages.length - 1].name),
    size: (/** @type {number} */ n) => [maps(stages[n].name).height, maps(stages[n].name).width],
    total: (/** @type {number} */ n) => maps(stages[n].name).channels,
    channels: (/** @type {number} */ n) => [...Array(maps(stages[n].name).channels).keys()],
    first: () => 0,
    place: () => null,
    note: () => "",
    map: (/** @type {number} */ n, /** @type {number} */ c) => plane(maps(stages[n].name), c),
    neuronOf(/** @type {number} */ n, /** @type {number} */ k, /** @type {number[]} */ at) {
      const [first, ...rest] = stages[n].layers.filter((/** @type {any} */ one) => one.kind !== "times");
      const scale = stages[n].layers.find((/** @type {any} */ one) => one.kind === "times");
      let x = maps(stages[n].input);
      if (scale) x = runLayer(x, scale);
      if (first.kind === "pool") return { k, ...poolParts(x, first, k, at) };
      const found = neuron(x, first, k, at[0], at[1]);
      return { k, line: after(found, rest, k), parts: neuronParts(found) };
    },
    values: () => Object.fromEntries([...model.maps].map(([name, one]) => [name, [...one.data]])),
  };
}

/** Continue the formula of a convolution by the layers after it. */
function after(/** @type {ReturnType<typeof neuron>} */ found, /** @type {any[]} */ layers,
  /** @type {number} */ k) {
  let value = found.total;
  let text = sumOf(found);
  for (const layer of layers) {
    if (layer.kind === "norm") {
      const next = value * layer.scale[k] + layer.shift[k];
      text += `;  ${factor(layer.scale[k])}·${factor(value)}${signed(layer.shift[k])} = ${show(next)}`;
      value = next;
    } else {
      value = Math.max(value, 0);
      text += `;  max(0, ·) = ${show(value)}`;
    }
  }
  return text;
}

/** Write the sum of the input channels' parts. @param {ReturnType<typeof neuron>} found */
function sumOf({ bias, terms, total }) {
  const order = [...terms].sort((a, b) => Math.abs(b.part) - Math.abs(a.part));
  const rest = order.slice(TERMS).reduce((sum, one) => sum + one.part, 0);
  return `${show(bias)} (${say("network.bias")})`
    + order.slice(0, TERMS).map((one) => signed(one.part)).join("")
    + (order.length > TERMS ? `${signed(rest)} (${say("network.others", order.length - TERMS)})` : "")
    + ` = ${show(total)}`;
}

/** Return the windows of the largest input channels. @param {ReturnType<typeof neuron>} found */
function neuronParts({ terms }) {
  const order = [...terms].sort((a, b) => Math.abs(b.part) - Math.abs(a.part)).slice(0, TERMS);
  return order.map(({ channel, rows, part }) => {
    const [values, weights] = [new Grid("network.values"), new Grid("network.weights")];
    values.update(rows.map((one) => one.map((cell) => show(cell.value))), () => "blue");
    weights.update(rows.map((one) => one.map((cell) => show(cell.weight))), () => "orange");
    for (const one of [values, weights]) one.root.classList.add("small");
    return { channel, part, grids: [values.root, weights.root] };
  });
}

function poolParts(/** @type {any} */ x, /** @type {any} */ layer, /** @type {number} */ k,
  /** @type {number[]} */ at) {
  const { kernel, stride, padding = 0 } = layer;
  const rows = Array.from({ length: kernel }, (_, a) => Array.from({ length: kernel }, (_, b) => {
    const [i, j] = [stride * at[0] + a - padding, stride * at[1] + b - padding];
    const inside = i >= 0 && j >= 0 && i < x.height && j < x.width;
    return inside ? x.data[(k * x.height + i) * x.width + j] : null;
  }));
  const values = rows.flat().filter((value) => value !== null);
  const best = Math.max(...values);
  const grid = new Grid("network.window");
  grid.update(rows.map((one) => one.map((value) => (value === null ? "" : show(value)))),
    (a, b) => (rows[a][b] === best ? "orange" : "blue"));
  return { line: say("network.max", values.map(show).join(", "), show(best)),
    parts: [{ channel: k, part: best, grids: [grid.root] }] };
}

/** Maps of 8 bits, and one exact neuron of each layer, of a network that is too large. */
function keptView(/** @type {import("../model.js").Model} */ model) {
  const { stages, convolutions } = model.data;
  const exact = (/** @type {any} */ stage) => {
    const { window, weight, bias, kernel } = stage.neuron;
    const x = { data: window, channels: window.length / kernel ** 2, height: kernel, width: kernel };
    return neuron(x, { name: "", kind: "conv", weight, bias: [bias], kernel, channels: 1 }, 0, 0, 0);
  };
  return {
    ready: () => true,
    size: (/** @type {number} */ n) => stages[n].shape.slice(1),
    total: (/** @type {number} */ n) => stages[n].shape[0],
    channels: (/** @type {number} */ n) => stages[n].kept,
    first: (/** @type {number} */ n) => stages[n].neuron.channel,
    place: (/** @type {number} */ n) => stages[n].neuron.at,
    note: (/** @type {number} */ n) => say("network.shown", stages[n].kept.length, stages[n].shape[0],
      stages[n].height < stages[n].shape[1] ? say("network.smaller") : "")
      + " " + say("network.kept", stages.length, convolutions),
    map(/** @type {number} */ n, /** @type {number} */ c) {
      const { height, width, kept, maps, low, high } = stages[n];
      const m = kept.indexOf(c);
      const data = Float32Array.from(maps.subarray(m * height * width, (m + 1) * height * width),
        (value) => low[m] + ((high[m] - low[m]) * value) / 255);
      return { height, width, data };
    },
    neuronOf(/** @type {number} */ n) {
      const stage = stages[n];
      const found = exact(stage);
      return { k: stage.neuron.channel, parts: neuronParts(found),
        line: `${sumOf(found)}  (${say("network.pytorch", show(stage.neuron.value))})` };
    },
    values: () => Object.fromEntries(stages.map((/** @type {any} */ stage) =>
      [stage.name, [exact(stage).total]])),
  };
}
