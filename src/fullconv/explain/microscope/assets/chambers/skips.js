// @ts-check
// Chamber 6: FCN-32s, FCN-16s, FCN-8s: what the scores of each stride add to a prediction.

import { TEXTS, say } from "../../../../pages/assets/language.js";
import { choice, element, formula, photoColour, Picture, row, show, signed, signedColour,
  tick } from "../drawing.js";
import { fuse, upsample } from "../network.js";
import { bestClass, bilinearUpsample, cornerResize, crop, interpolate, newMaps, sum,
  transposedConvolution } from "../operations.js";

Object.assign(TEXTS, {
  skips: ["32s, 16s, 8s: the skips", "32s、16s、8s：跳跃连接"],
  "skips.idea": [
    "The coarsest scores know what is in the photo, the finer ones where its edges are. All steps after the scores are linear, so the prediction is the sum of what each stride contributes. Switch strides on and off, and move the cursor over the photo.",
    "最粗的得分知道照片里有什么，较细的得分知道边缘在哪里。得分之后的步骤都是线性的，所以预测就是各步长贡献之和。请打开或关闭各个步长，并在照片上移动光标。"],
  "skips.none": [
    "This network un-pools and adds no scores, so there are no skips to switch.",
    "此网络使用反池化，不相加得分，因此没有可以切换的跳跃连接。"],
  "skips.on": ["Strides that are added", "参与相加的步长"],
  "skips.photo": ["Photo", "照片"],
  "skips.labels": ["Prediction of this sum", "此和的预测"],
  "skips.score": ["Score of the class: orange for, blue against", "该类别的得分：橙色支持，蓝色反对"],
  "skips.single": ["Score of the class from {0} alone", "仅由 {0} 得到的该类别得分"],
  "skips.same": ["The prediction of all strides.", "这就是全部步长的预测。"],
  "skips.changed": [
    "{0} % of the pixels differ from the prediction of all strides.",
    "与全部步长的预测相比，{0} % 的像素不同。"],
  "skips.at": ["Pixel ({0}, {1}), {2}", "像素 ({0}, {1})，{2}"],
  "skips.nothing": ["No stride is switched on: all scores are 0.", "没有打开任何步长：得分全为 0。"],
});

export const skipsChamber = {
  id: "skips",
  code: [fuse, upsample, transposedConvolution, interpolate, bilinearUpsample, cornerResize, crop, sum,
    bestClass],
  /** @param {any} root @param {import("../model.js").Model} model */
  start(root, model) {
    const { classes, palette, scores, fusion } = model.data;
    if (!fusion) {
      root.append(element("p", { text: "skips.none" }));
      return { update() {}, values: () => ({}), ready: model.run() };
    }
    const { height, width } = model.photo;
    const on = scores.map(() => true);
    let [at, k] = [[Math.floor(height / 2), Math.floor(width / 2)], 0];
    let total = newMaps(classes.length, height, width);
    let whole = new Uint16Array(height * width);
    const move = (/** @type {number} */ i, /** @type {number} */ j) => {
      at = [i, j];
      point();
    };
    const boxes = scores.map((/** @type {any} */ { name }, /** @type {number} */ n) =>
      tick(name, true, (value) => {
        on[n] = value;
        update();
      }));
    const shown = choice("class", classes.map((/** @type {string} */ name, /** @type {number} */ n) =>
      [String(n), name]), "0", (value) => {
      k = Number(value);
      update();
    });
    const [photo, labels, heat] = [new Picture("skips.photo", move), new Picture("skips.labels", move),
      new Picture("skips.score", move)];
    const singles = scores.map(() => new Picture("skips.score"));
    const [share, line] = [element("p", { class: "verdict" }), formula()];
    const legend = element("ul", { class: "legend" }, ...classes.map(
      (/** @type {string} */ name, /** @type {number} */ n) => {
        const swatch = element("span", { class: "swatch" });
        swatch.style.background = `rgb(${palette[n].join()})`;
        return element("li", {}, swatch, ` ${name}`);
      }));
    root.append(element("fieldset", { class: "row" }, element("legend", { text: "skips.on" }),
      ...boxes.map((/** @type {any} */ one) => one.root)), share,
    row(photo.root, labels.root, heat.root), line, legend, shown.root,
    row(...singles.map((/** @type {Picture} */ one) => one.root)));
    photo.draw(height, width, photoColour(model.photo));

    const added = () => model.contributions().filter((_, n) => on[n])
      .reduce((all, one) => sum(all, one), newMaps(classes.length, height, width));
    function update() {
      if (!model.parts) return;
      const parts = model.contributions();
      total = added();
      const best = bestClass(total);
      labels.draw(height, width, (n) => palette[best[n]]);
      const plane = height * width;
      const most = [total, ...parts].reduce((high, one) => one.data.subarray(k * plane, (k + 1) * plane)
        .reduce((top, value) => Math.max(top, Math.abs(value)), high), 1e-9);
      heat.draw(height, width, (n) => signedColour(total.data[k * plane + n] / most));
      parts.forEach((one, m) => {
        singles[m].draw(height, width, (n) => signedColour(one.data[k * plane + n] / most));
        singles[m].caption.textContent = say("skips.single", scores[m].name);
      });
      const differ = best.reduce((count, label, n) => count + (label === whole[n] ? 0 : 1), 0);
      share.textContent = !on.some(Boolean) ? say("skips.nothing") : differ
        ? say("skips.changed", show((100 * differ) / plane)) : say("skips.same");
      point();
    }
    function point() {
      if (!model.parts) return;
      const n = at[0] * width + at[1];
      const plane = height * width;
      for (const one of [photo, labels, heat]) one.mark([], at);
      const order = classes.map((_, /** @type {number} */ c) => c).sort(
        (/** @type {number} */ a, /** @type {number} */ b) =>
          total.data[b * plane + n] - total.data[a * plane + n]);
      const text = (/** @type {number} */ c) => `${classes[c]}: ` + model.contributions()
        .map((one, m) => (on[m] ? `${signed(one.data[c * plane + n]).trim()} (${scores[m].name})` : ""))
        .filter(Boolean).join(" ") + ` = ${show(total.data[c * plane + n])}`;
      line.textContent = say("skips.at", at[0], at[1], text(order[0]))
        + (order.length > 1 ? `; ${text(order[1])}` : "");
    }
    const ready = model.run().then(() => {
      model.contributions();
      whole = bestClass(added());
      const counts = new Array(classes.length).fill(0);
      whole.forEach((label) => counts[label]++);
      k = counts.indexOf(Math.max(...counts));
      shown.select.value = String(k);
      update();
    });
    return {
      update,
      ready,
      values: () => ({ scores: model.scores().map((one) => [...one.data]),
        parts: model.contributions().map((one) => [...one.data]), labels: [...bestClass(added())] }),
    };
  },
};
