// @ts-check
// Predictions of the model inside the page, run by a worker. `server.js` has the same interface.

import { Remote } from "./calls.js";
import { decodePhoto, help, textOf } from "./helping.js";
import { Refused } from "./photos.js";
import { bytesOf } from "../../../pages/assets/bytes.js";

/**
 * @typedef {{name: string, classes: string[], palette: number[][], value_range: number[] | null}} Model
 * @typedef {import("./maps.js").Maps & {width: number, height: number, note: string, noteText?: string}} Prediction
 * @typedef {object} Source
 * @property {Model[]} models known once it has started
 * @property {boolean} isLocal whether photos stay in the browser
 * @property {() => Promise<string>} askKey asks the user for the server's key
 * @property {boolean} keeps whether it saves corrected masks
 * @property {(name: string, file: File, mask: Uint8Array, model: Model) => Promise<any>} keep
 * @property {() => Promise<any>} start
 * @property {(queue: import("./queue.js").Queue) => void} offer lets the user choose a model, and
 *   one that it is compared with
 * @property {(file: Blob, model: Model) => Promise<Prediction>} predict
 * @property {() => Promise<string>} check what differs from fullconv; "" if nothing does
 */

/** @param {any} settings @returns {Source} */
export const openSource = (settings) => new LocalSource(settings);

/** Reads the pieces of a part of the page: elements, or (`hosted.js`) a file. */
export const reading = {
  part: async (/** @type {string} */ id, /** @type {any} */ _settings) =>
    /** @type {any} */ (document.querySelectorAll(`[id|=${id}]`)),
};

const content = (/** @type {any} */ piece) => piece.textContent ?? piece;

class LocalSource {
  isLocal = true;
  keeps = false;
  keep = async () => null;
  askKey = async () => "";
  offer() {}

  /** @param {any} settings */
  constructor(settings) {
    this.settings = settings;
    this.about = settings.description;
    /** @type {Model[]} */
    this.models = [{ ...this.about, name: settings.name, value_range: this.about?.band_choice?.value_range }];
    /** @type {Remote | null} */
    this.remote = null;
    /** @type {Promise<any> | null} */
    this.started = null;
  }

  /** Start the worker with the model, unless it runs. */
  start() {
    if (!this.started || this.remote?.stopped) this.started = this.open();
    return this.started;
  }

  async open() {
    this.remote = null;
    const part = (/** @type {string} */ id) => reading.part(id, this.settings);
    const [[code], wasm, model] = await Promise.all(["worker", "wasm", "onnx"].map(part));
    const remote = new Remote([textOf("core"), content(code)]);
    this.remote = remote;
    // Between pieces, the page responds to its user.
    for (const [id, pieces] of Object.entries({ wasm, model })) {
      for (const piece of pieces) {
        await remote.call("take", [id, content(piece)], piece.byteLength ? [piece] : []);
      }
    }
    return remote.call("start", [this.about]);
  }

  /**
   * @param {Blob} file @param {Model} _model @param {number[] | null} checked
   * @returns {Promise<any>}
   */
  async predict(file, _model, checked = null) {
    await this.start();
    const photo = await decodePhoto(file, this.models[0].value_range);
    try {
      const moved = photo.bitmap ? [photo.bitmap] : [];
      const found = await this.remote?.call("predict", [photo, checked], moved);
      return { ...found, note: photo.note };
    } catch (error) {
      // A runtime that ran out of memory cannot be used again.
      if (error instanceof Refused && error.message === "noMemory") this.remote?.stop("");
      throw error;
    }
  }

  /** Return the scores of an image (3, h, w); for the verification of an export. */
  async score(/** @type {string} */ planes, /** @type {number} */ height, /** @type {number} */ width) {
    await this.start();
    const values = new Float32Array(bytesOf(planes).buffer);
    const { scores } = await this.remote?.call("score", [values, height, width]);
    const bytes = new Uint8Array(scores.buffer, scores.byteOffset, scores.byteLength);
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) {
      text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    }
    return btoa(text);
  }

  /**
   * Predict the stored photo; return what differs from fullconv: "decoding", "scaling", "labels",
   * or "" if nothing does. Labels may differ where two classes are equally probable.
   */
  async check() {
    const { photo, labels, sums, scaled } = this.settings.check;
    const file = new Blob([bytesOf(photo)], { type: "image/png" });
    const found = await this.predict(file, this.models[0], scaled);
    if (found.sums[0] !== sums[0]) return "decoding";
    if (found.sums[1] !== sums[1]) return "scaling";
    const expected = await help("values", bytesOf(labels));
    const differs = (/** @type {number} */ label, /** @type {number} */ i) =>
      label !== expected[i] && found.confidence[i] - found.secondConfidence[i] > 1;
    return found.labels.some(differs) ? "labels" : "";
  }
}
