// @ts-check
// Chamber 8: the receptive field under the pointer.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, element, formula, photoColour, Picture, row, show, tick } from "../drawing.js";
import { valueOf } from "../fractions.js";
import { compose, pathCounts, receptiveField, windowMap } from "../geometry.js";
import { paperNetwork } from "../networks.js";

Object.assign(TEXTS, {
  field: ["Receptive field", "感受野"],
  "field.idea": [
    "A pixel of a coarse feature depends on a square of the photo, its receptive field. Each layer adds (kernel − 1) steps of the map that it reads. Move over the photo; the square of the nearest pixel of the feature follows. Most paths lead to its middle, so the edges of the field count little.",
    "粗特征图的一个像素取决于照片上的一个正方形，即感受野。每一层使它增大（核边长 − 1）个步距。在照片上移动，最近的特征像素的正方形会跟着走。大多数路径通向中央，所以感受野的边缘作用很小。"],
  "field.network": ["Network", "网络"],
  "field.paper": ["VGG-16, padding 100 (the paper)", "VGG-16，填充 100（论文）"],
  "field.feature": ["Feature", "特征"],
  "field.photo": ["Photo with the field of the pixel", "照片与该像素的感受野"],
  "field.paths": ["light: the more paths lead to a pixel, the brighter", "亮度：通向该像素的路径越多越亮"],
  "field.here": [
    "Pixel ({0}, {1}) of {2} sees rows {3} to {4} and columns {5} to {6}: {7} x {7} pixels, stride {8}. Its centre is at row {9}, column {10}.",
    "{2} 的像素 ({0}, {1}) 看到第 {3} 到 {4} 行、第 {5} 到 {6} 列：{7} x {7} 像素，步距 {8}。中心在第 {9} 行、第 {10} 列。"],
  "field.half": [
    "Half of all paths are in the inner {0} x {0} pixels, 95 % in {1} x {1}.",
    "一半的路径落在中央 {0} x {0} 像素内，95 % 落在 {1} x {1} 内。"],
  "field.unbounded": ["{0} depends on the whole photo.", "{0} 取决于整张照片。"],
  "field.growth": ["How it grows", "它如何增大"],
  "field.layer": ["layer", "层"],
  "field.kernelStride": ["kernel, stride", "核，步长"],
  "field.size": ["field", "感受野"],
  "field.step": ["stride", "步距"],
});

export const fieldChamber = {
  id: "field",
  code: [windowMap, compose, receptiveField, pathCounts],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    const paper = paperNetwork("8s", 100);
    const { height, width } = model.photo;
    let [which, feature, paths] = ["own", "", true];
    let place = [Math.floor(height / 2), Math.floor(width / 2)]; // of the cursor in the photo
    const networks = choice("field.network", [["own", "crops.own"], ["paper", "field.paper"]], which,
      (value) => {
        which = value;
        features();
      });
    const select = choice("field.feature", [], "", (value) => {
      feature = value;
      update();
    });
    const weights = tick("field.paths", true, (value) => {
      paths = value;
      update();
    });
    const photo = new Picture("field.photo", (i, j) => {
      place = [i - margin(), j - margin()];
      update();
    });
    const [line, half] = [formula(), element("p")];
    const table = element("table", { class: "sizes" });
    const below = element("div", {}, element("h3", { text: "field.growth" }),
      element("div", { class: "scroll", tabIndex: 0, role: "region", label: "field.growth" }, table));
    root.append(row(networks.root, select.root, weights.root), photo.root, line, half, below);
    photo.root.classList.add("large");

    const network = () => (which === "own" ? model.data.geometry : paper);
    const margin = () => (which === "own" ? 0 : 100); // the paper's padding is a part of the picture
    const layersTo = (/** @type {string} */ name) => {
      const layers = network().layers ?? [];
      return layers.slice(0, layers.findIndex((/** @type {any} */ one) => one.name === name) + 1);
    };
    function features() {
      const names = network().features.map((/** @type {any} */ one) => one.name);
      if (!names.includes(feature)) feature = names[names.length - 1];
      select.select.replaceChildren(...names.map((/** @type {string} */ name) =>
        element("option", { value: name, textContent: name })));
      select.select.value = feature;
      update();
    }
    function update() {
      const around = margin();
      const found = network().features.find((/** @type {any} */ one) => one.name === feature);
      const [scale, shift] = [valueOf(found.map.scale), valueOf(found.map.shift)];
      const pixel = place.map((n) => Math.max(0, Math.round((n - shift) / scale)));
      const first = pixel.map((n) => scale * n + shift - (found.size - 1) / 2);
      const layers = layersTo(feature);
      const counts = paths && layers.length ? pathCounts(layers) : null;
      const [rows, columns] = [height + 2 * around, width + 2 * around];
      const colour = photoColour(model.photo);
      const most = counts ? Math.max(...counts) ** 2 : 1;
      photo.draw(rows, columns, (n) => {
        const [i, j] = [Math.floor(n / columns) - around, (n % columns) - around];
        const inside = i >= 0 && j >= 0 && i < height && j < width;
        const base = inside ? colour(i * width + j) : [110, 110, 110];
        const many = counts ? (counts[i - first[0]] ?? 0) * (counts[j - first[1]] ?? 0) : 0;
        const light = counts ? 0.25 + 0.75 * Math.sqrt(many / most) : 1;
        return base.map((value) => light * value);
      });
      const box = (/** @type {number} */ size, /** @type {string} */ tone) => ({ tone, height: size, width: size,
        row: scale * pixel[0] + shift - (size - 1) / 2 + around,
        column: scale * pixel[1] + shift - (size - 1) / 2 + around });
      photo.mark([box(found.size, "field"), box(scale, "cell")],
        place.map((n) => n + around));
      const centre = pixel.map((n) => show(scale * n + shift));
      const ends = first.flatMap((n) => [show(n), show(n + found.size - 1)]);
      line.textContent = found.bounded ? say("field.here", pixel[0], pixel[1], feature, ...ends,
        found.size, show(scale), ...centre) : say("field.unbounded", feature);
      half.textContent = layers.length
        ? say("field.half", innerSide(pathCounts(layers), 0.5), innerSide(pathCounts(layers), 0.95)) : "";
      growth(layers);
    }
    function growth(/** @type {any[]} */ layers) {
      below.hidden = weights.root.hidden = !layers.length;
      const steps = layers.filter((layer) => layer.kernel > 1 || layer.stride > 1);
      table.replaceChildren(element("tr", {}, ...["field.layer", "field.kernelStride", "field.size",
        "field.step"].map((key) => element("th", { text: key, scope: "col" }))), ...steps.map((layer) => {
        const { size, map } = receptiveField(layers.slice(0, layers.indexOf(layer) + 1));
        return element("tr", {}, element("th", { scope: "row" }, layer.name),
          element("td", {}, `${layer.kernel}, ${layer.stride}`), element("td", {}, `${size} x ${size}`),
          element("td", {}, show(valueOf(map.scale))));
      }));
    }
    features();
    return {
      update,
      values: (/** @type {any} */ given) => {
        const chosen = given.network === "own" ? model.data.geometry : paper;
        const layers = chosen.layers ?? [];
        const end = layers.findIndex((/** @type {any} */ one) => one.name === given.feature) + 1;
        const { size, map } = receptiveField(layers.slice(0, end));
        return { size, scale: map.scale, shift: map.shift, paths: pathCounts(layers.slice(0, end)) };
      },
    };
  },
};

/** Return the side of the smallest square around the middle with this share of the paths. */
function innerSide(/** @type {number[]} */ counts, /** @type {number} */ share) {
  let [from, to] = [Math.floor((counts.length - 1) / 2), Math.ceil((counts.length - 1) / 2)];
  const total = () => counts.slice(from, to + 1).reduce((sum, count) => sum + count, 0);
  while (total() ** 2 < share && from > 0) [from, to] = [from - 1, to + 1];
  return to - from + 1;
}
