// @ts-check
// Predictions of the server that sent the page, by one of its models or two that are compared.
// `local.js` has the same interface.

import { element, get, help } from "./helping.js";
import { say, TEXTS } from "../../../pages/assets/language.js";
import { Refused } from "./photos.js";

/** @typedef {import("./local.js").Model} Model */
/** @typedef {import("./local.js").Prediction} Prediction */

Object.assign(TEXTS, {
  served: ["Photos are sent to this server only.", "照片只发送到本服务器。"],
  kept: ["Saved as {0}, {1}.", "已保存为 {0}、{1}。"],
  kept2: ["Saved; it replaced an earlier mask, {1}.", "已保存；替换了先前的标签图 {1}。"],
  otherClasses: [
    "this model has other classes than the corrected masks; save and remove the corrected photos first",
    "此模型的类别与已修正的标签图不同；请先保存并移除已修正的照片"],
  compare: ["Compare with", "对比模型"],
  none: ["none", "无"],
  divider: ["Divider between the two models", "两个模型的分界线"],
  noServer: ["the server cannot be reached", "无法连接服务器"],
  noKey: ["the server asks for a key", "服务器需要密钥"],
  key: ["Key of the server", "服务器密钥"],
  send2: ["OK", "确定"],
});

/** @returns {import("./local.js").Source} */
export const openSource = (/** @type {any} */ settings) => new ServerSource(settings);

/**
 * Predict everything again, with another model; only corrected labels stay.
 * @param {import("./queue.js").Queue} queue
 */
export function restart(queue) {
  for (const item of queue.items) {
    item.state = "waiting";
    item.maps = item.other = null;
    if (!item.edited) item.editor = item.packed = null;
    queue.events.changed(item);
  }
  queue.run();
}

class ServerSource {
  isLocal = false;

  /** @param {any} settings */
  constructor(settings) {
    /** Whether the server saves corrected masks. */
    this.keeps = Boolean(settings.corrections);
    /** @type {Model[]} */
    this.models = [];
    this.key = "";
    /** Asks the user for the key. */
    this.askKey = async () => "";
  }

  /** Read the list of models. */
  async start() {
    if (!this.models.length) this.models = await (await this.request("models", {})).json();
  }

  async check() {
    return "";
  }

  /** @param {import("./queue.js").Queue} queue */
  offer(queue) {
    const names = this.models.map(({ name }) => element("option", { value: name }, name));
    get("model").replaceChildren(...names.map((one) => one.cloneNode(true)));
    get("other").replaceChildren(element("option", { value: "" }, say("none")), ...names);
    get("models").hidden = get("others").hidden = this.models.length < 2;
    const find = (/** @type {string} */ name) => this.models.find((one) => one.name === name) ?? null;
    const text = (/** @type {any} */ model) => JSON.stringify(model?.classes);
    get("model").onchange = get("other").onchange = () => {
      const model = find(get("model").value);
      if (text(model) !== text(queue.model) && queue.items.some((item) => item.edited)) {
        get("problems").textContent = say("otherClasses");
        get("model").value = queue.model?.name;
        return;
      }
      queue.model = model;
      const other = find(get("other").value);
      // Labels of other classes cannot be drawn in these colours.
      queue.other = text(other) === text(model) ? other : null;
      restart(queue);
    };
  }

  /** @param {string} path @param {RequestInit} options @returns {Promise<Response>} */
  async request(path, options) {
    const headers = /** @type {Record<string, string>} */ ({ .../** @type {any} */ (options.headers) });
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    let response;
    try {
      response = await fetch(new URL(path, document.baseURI), { ...options, headers });
    } catch {
      throw new Refused("noServer");
    }
    if (response.status === 401) {
      // A header holds no other characters, so no key does.
      do this.key = (await this.askKey()).trim(); while (/[^!-~]/.test(this.key));
      if (!this.key) throw new Refused("noKey");
      return this.request(path, options);
    }
    if (response.status === 503) {
      const seconds = Math.min(30, Number(response.headers.get("Retry-After")) || 1);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      return this.request(path, options);
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => null);
    throw Object.assign(new Error(problem?.detail ?? `HTTP ${response.status}`), { status: response.status });
  }

  /**
   * Save a photo and its mask on the server; return its reply. An earlier mask of the same photo is
   * replaced; other photos of this name keep theirs, and this one gets the next free name.
   * @param {string} name @param {File} file @param {Uint8Array} mask @param {Model} model
   */
  async keep(name, file, mask, model) {
    for (let n = 1; ; n++) {
      const body = new FormData();
      body.append("photo", file);
      body.append("mask", new Blob([/** @type {any} */ (mask)]), "mask");
      const free = encodeURIComponent(n > 1 ? `${name}-${n}` : name);
      const path = `corrections/${free}?replace=1&model=${encodeURIComponent(model.name)}`;
      try {
        return await (await this.request(path, { method: "POST", body })).json();
      } catch (error) {
        if (/** @type {any} */ (error).status !== 409 || n > 98) throw error;
      }
    }
  }

  /** @param {Blob} file @param {Model} model @returns {Promise<Prediction>} */
  async predict(file, model) {
    const path = `models/${encodeURIComponent(model.name)}/predict?format=json`;
    const headers = { "Content-Type": "application/octet-stream" };
    const found = await (await this.request(path, { method: "POST", body: file, headers })).json();
    const [labels, confidence, second] = await help(
      "masks", [found.segmentation_mask, found.confidence_mask, found.runner_up_mask]);
    if (!labels) throw new Error("no segmentation_mask");
    const { width, height } = found.image;
    const maps = { labels, confidence, second, secondConfidence: null };
    return { width, height, ...maps, note: "", noteText: found.note };
  }
}
