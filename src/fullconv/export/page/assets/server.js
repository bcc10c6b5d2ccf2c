// @ts-check
// Predictions of the server that sent the page. `local.js` has the same interface.

import { MESSAGES } from "./messages.js";
import { Refused } from "./photos.js";
import { bytesOf, decodePng } from "./png.js";

/** @typedef {import("./local.js").Model} Model */
/** @typedef {import("./local.js").Prediction} Prediction */

Object.assign(MESSAGES, {
  served: ["Photos are sent to this server only.", "照片只发送到本服务器。"],
  compare: ["Compare with", "对比模型"],
  none: ["none", "无"],
  divider: ["Divider between the two models", "两个模型的分界线"],
  noServer: ["the server cannot be reached", "无法连接服务器"],
  noKey: ["the server asks for a key", "服务器需要密钥"],
  key: ["Key of the server", "服务器密钥"],
  send2: ["OK", "确定"],
});

/** @returns {import("./local.js").Source} */
export const openSource = () => new ServerSource();

class ServerSource {
  isLocal = false;

  constructor() {
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
      this.key = await this.askKey();
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
    throw new Error(problem?.detail ?? `HTTP ${response.status}`);
  }

  /** @param {Blob} file @param {Model} model @returns {Promise<Prediction>} */
  async predict(file, model) {
    const path = `models/${encodeURIComponent(model.name)}/predict?format=json`;
    const headers = { "Content-Type": "application/octet-stream" };
    const found = await (await this.request(path, { method: "POST", body: file, headers })).json();
    const read = async (/** @type {string | undefined} */ mask) =>
      mask ? (await decodePng(bytesOf(mask))).data : null;
    const [labels, confidence, second] = await Promise.all(
      [found.segmentation_mask, found.confidence_mask, found.runner_up_mask].map(read));
    if (!labels) throw new Error("no segmentation_mask");
    const { width, height } = found.image;
    const maps = { labels, confidence, second, secondConfidence: null };
    return { width, height, ...maps, note: "", noteText: found.note };
  }
}
