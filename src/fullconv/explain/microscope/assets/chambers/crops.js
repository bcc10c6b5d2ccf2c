// @ts-check
// Chamber 7: padding 100, and the rulers whose meeting point is the crop.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, drawing, element, row, show, slider } from "../drawing.js";
import { fractionText, valueOf } from "../fractions.js";
import { compose, cropOffset, inverse, receptiveField, windowMap } from "../geometry.js";
import { alignments, paperNetwork, vgg16 } from "../networks.js";
import { outputLength } from "../operations.js";

Object.assign(TEXTS, {
  crops: ["Padding 100 and the crops", "填充 100 与裁剪"],
  "crops.idea": [
    "Each map is a ruler: pixel i is at scale · i + shift in the image. Two maps that are added, or a score and the image, have different beginnings; the crop drops pixels until both begin at the same place. 19, 5, 9, 27 and 31 are results, not choices. Move the slider of a ruler until both meet.",
    "每张特征图都是一把尺：第 i 个像素位于图像的 scale · i + shift 处。相加的两张图（或得分与图像）起点不同；裁剪就是丢掉若干像素，使两者从同一处开始。19、5、9、27、31 都是算出来的，不是随意选的。请拖动滑块，直到两把尺对齐。"],
  "crops.network": ["Network", "网络"],
  "crops.own": ["your network", "你的网络"],
  "crops.padding": ["Padding of conv1_1", "conv1_1 的填充"],
  "crops.none": [
    "Your network resizes its scores corner to corner or un-pools: there is nothing to crop.",
    "你的网络按角点缩放得分，或使用反池化：没有需要裁剪的地方。"],
  "crops.drop": ["Pixels of {0} to drop", "{0} 丢掉的像素数"],
  "crops.meet": ["{0} and {1} meet: drop {2}.", "{0} 与 {1} 对齐：丢掉 {2} 个。"],
  "crops.apart": [
    "After dropping {0}, {1} begins at {2}, {3} at {4}: {5} image pixels apart.",
    "丢掉 {0} 个之后，{1} 从 {2} 开始，{3} 从 {4} 开始：相差 {5} 个图像像素。"],
  "crops.never": [
    "No whole number of pixels aligns {0} and {1} with this padding: it would be {2}.",
    "采用这个填充时，没有整数个像素能使 {0} 与 {1} 对齐：应为 {2}。"],
  "crops.begins": ["image begins", "图像起点"],
  "crops.sizes": ["Rows of the maps", "各特征图的行数"],
  "crops.side": ["Rows of the image", "图像的行数"],
  "crops.image": ["image", "图像"],
  "crops.map": ["map", "特征图"],
  "crops.rows": ["rows", "行数"],
  "crops.formula": ["in H, the rows of pool5", "用 pool5 的行数 H 表示"],
  "crops.centre": ["centre of pixel i", "第 i 个像素的中心"],
  "crops.largest": ["{0} at most", "最多 {0}"],
  "crops.fits": [
    "The image needs rows {0} to {1} of {2}: they are there.", "图像需要 {2} 的第 {0} 到 {1} 行：都存在。"],
  "crops.small": [
    "The image needs rows {0} to {1} of {2}, which has fewer: this padding is too small.",
    "图像需要 {2} 的第 {0} 到 {1} 行，但行数不够：填充太小。"],
});

const RULER_AFTER = 4; // pixels that a ruler shows after the crop
const LABEL = 18; // units of a drawing between two numbers of a ruler

/** @param {import("../networks.js").Geometry} network @param {number} side */
export function mapRows(network, side) {
  // The rows of each map for an image of `side` rows.
  const rows = /** @type {Record<string, number>} */ ({});
  let length = side;
  for (const layer of network.layers ?? []) rows[layer.name] = length = outputLength(length, layer);
  const crops = alignments(network);
  let score = rows[network.top];
  network.ups.forEach(({ name, factor, kernel }, n) => {
    rows[name] = factor * (score - 1) + kernel;
    // The cropped map gets the size of the other one.
    score = crops[n].cropped === name ? rows[network.skips[n]] : rows[name];
    if (network.kind === "sum") score = rows[network.skips[n]];
  });
  return rows;
}

/** Return a summand after "32H". @param {number} rest */
const ending = (rest) => (rest ? ` ${rest < 0 ? "\u2212" : "+"} ${Math.abs(rest)}` : "");

/** Return the most rows of an image whose coarsest map is as large. @param {any} network @param {number} side */
function largest(network, side) {
  const { top } = network;
  const rows = mapRows(network, side)[top];
  let most = side;
  while (mapRows(network, most + 1)[top] === rows) most++;
  return most;
}

export const cropsChamber = {
  id: "crops",
  code: [windowMap, compose, inverse, cropOffset, receptiveField, alignments, outputLength, mapRows],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    const own = model.data.geometry;
    let [name, padding, side] = ["8s", 100, 506];
    const names = ["32s", "16s", "8s"].map((one) => /** @type {[string, string]} */ (
      [one, `FCN-${one}, VGG-16`]));
    const networks = choice("crops.network", [...names, ["own", "crops.own"]], name, (value) => {
      name = value;
      update();
    });
    const paddings = slider("crops.padding", 1, 120, padding, (value) => {
      padding = value;
      update();
    });
    const sides = slider("crops.side", 16, 800, side, (value) => {
      side = value;
      sizes();
    });
    const rulers = element("div");
    const table = element("table", { class: "sizes" });
    const [fits, none] = [element("p", { class: "verdict" }), element("p", { text: "crops.none" })];
    const below = element("div", {}, element("h3", { text: "crops.sizes" }), sides.root,
      element("div", { class: "scroll", tabIndex: 0, role: "region", label: "crops.sizes" }, table), fits);
    root.append(row(networks.root, paddings.root), none, rulers, below);

    const current = () => (name === "own" ? own : paperNetwork(name, padding));
    function update() {
      const network = current();
      paddings.root.hidden = name === "own";
      none.hidden = network.ups.length > 0;
      below.hidden = !network.layers || !network.ups.length;
      rulers.replaceChildren(...(network.ups.length ? alignments(network) : []).map(drawPair));
      if (!below.hidden) sizes();
    }
    function sizes() {
      const network = current();
      const rows = mapRows(network, side);
      const height = rows.pool5 ?? rows[network.top];
      const ends = alignments(network);
      const inH = (/** @type {string} */ map, /** @type {number} */ stride) => {
        const slope = 32 / stride;
        const rest = rows[map] - slope * height;
        return Number.isInteger(slope) ? `${slope === 1 ? "" : slope}H${ending(rest)}` : "";
      };
      const exact = (/** @type {any} */ map) => `${fractionText(map.scale)} i ${map.shift[0] < 0
        ? "\u2212" : "+"} ${fractionText([Math.abs(map.shift[0]), map.shift[1]])}`;
      const maps = [...network.features.map((/** @type {any} */ one) => ({ name: one.name, map: one.map })),
        ...ends.map((one) => ({ name: one.upscore,
          map: one.cropped === one.upscore ? one.wide : one.narrow }))];
      const linear = network.features.some((/** @type {any} */ one) => valueOf(one.map.scale) === 32);
      table.replaceChildren(element("tr", {}, ...["crops.map", "crops.rows", "crops.formula", "crops.centre"]
        .map((key) => element("th", { text: key, scope: "col" }))), ...maps.map((one) => element("tr", {},
        element("th", { scope: "row" }, one.name), element("td", {}, String(rows[one.name])),
        element("td", {}, linear ? inH(one.name, valueOf(one.map.scale)) : ""),
        element("td", {}, exact(one.map)))), element("tr", {},
        element("th", { scope: "row" }, say("crops.image")), element("td", {}, String(side)),
        element("td", {}, linear ? say("crops.largest", `32H${ending(largest(network, side) - 32 * height)}`)
          : ""), element("td", {}, "i")));
      const last = ends[ends.length - 1];
      const from = valueOf(last.offset);
      const [begin, end] = [show(from), show(from + side - 1)];
      fits.textContent = say(from >= 0 && last.cropped === last.upscore && from + side <= rows[last.upscore]
        ? "crops.fits" : "crops.small", begin, end, last.upscore);
    }
    update();
    return {
      update,
      values: (/** @type {any} */ given) => {
        const network = given.network === "own" ? own : paperNetwork(given.network, given.padding);
        return { offsets: alignments(network).map(({ offset }) => offset),
          cropped: alignments(network).map(({ cropped }) => cropped),
          rows: network.layers ? mapRows(network, given.side) : null };
      },
    };
  },
};

/** Two rulers and a slider for the pixels to drop. @param {ReturnType<typeof alignments>[number]} pair */
function drawPair(pair) {
  const { cropped, other, wide, narrow } = pair;
  const exact = valueOf(pair.offset);
  const whole = Number.isInteger(exact) && exact >= 0;
  const at = (/** @type {any} */ map, /** @type {number} */ i) => valueOf(map.scale) * i + valueOf(map.shift);
  const count = Math.ceil(Math.max(exact, 0)) + RULER_AFTER + 1;
  let drop = Math.max(0, Math.round(exact / 2));
  const text = element("p", { class: "verdict", "aria-live": "polite" });
  const picture = element("div", { role: "img" });
  const control = slider("crops.drop", 0, count - 1, drop, (value) => {
    drop = value;
    update();
  });
  function update() {
    const [low, high] = [Math.min(at(wide, 0), at(narrow, 0)), at(wide, count - 1)];
    const [width, left] = [Math.max(300, Math.min(720, innerWidth - 24)), 104];
    const x = (/** @type {number} */ place) => left + ((place - low) / (high - low)) * (width - left - 20);
    const meets = whole && drop === exact;
    const parts = drawing(width, 112);
    const tone = meets ? "meet" : "apart";
    parts.line(x(at(wide, drop)), 32, x(at(wide, drop)), 51, tone);
    parts.line(x(at(narrow, 0)), 53, x(at(narrow, 0)), 72, tone);
    if (x(0) >= left && x(0) < width) {
      parts.line(x(0), 14, x(0), 96, "zero");
      parts.text(x(0), 108, say("crops.begins"), "middle soft");
    }
    for (const [y, name, map, many] of /** @type {[number, string, any, number][]} */ (
      [[38, cropped, wide, count], [66, other, narrow, RULER_AFTER + 1]])) {
      parts.text(0, y + 4, name, "strong");
      parts.line(x(at(map, 0)), y, x(at(map, many - 1)), y, "axis");
      const gap = Math.abs(x(at(map, 1)) - x(at(map, 0)));
      const every = gap >= LABEL ? 1 : count <= 20 ? 2 : 5;
      for (let i = 0; i < many; i++) {
        const dropped = map === wide && i < drop;
        parts.dot(x(at(map, i)), y, count > 20 && width < 500 ? 2.5 : 4, dropped ? "dropped" : "kept");
        const crowded = map === wide && i !== drop && Math.abs(i - drop) * gap < LABEL;
        if ((i % every === 0 && !crowded) || (map === wide && i === drop)) {
          parts.text(x(at(map, i)), map === wide ? y - 10 : y + 20, String(i), "middle");
        }
      }
    }
    picture.replaceChildren(parts.root);
    control.root.firstChild.textContent = say("crops.drop", cropped);
    text.textContent = !whole ? say("crops.never", cropped, other, fractionText(pair.offset))
      : meets ? say("crops.meet", cropped, other, drop)
        : say("crops.apart", drop, cropped, show(at(wide, drop)), other, show(at(narrow, 0)),
          show(Math.abs(at(wide, drop) - at(narrow, 0))));
    text.classList.toggle("meets", meets);
    picture.ariaLabel = text.textContent;
  }
  update();
  return element("div", { class: "pair" }, picture, control.root, text);
}
