// @ts-check
// The data of the page: a photo, and a network that runs here, or the parts of one that were kept.

import { bytesOf, pump } from "../../../pages/assets/bytes.js";
import { fuse, normalize, runLayer } from "./network.js";
import { newMaps } from "./operations.js";

/** @typedef {import("./operations.js").Maps} Maps */

/** Unpack the arrays, and put them into the settings that name their places. */
export async function openModel(/** @type {string} */ settings, /** @type {string} */ packed) {
  const { buffer } = await pump(bytesOf(packed), new DecompressionStream("gzip"));
  const data = JSON.parse(settings, (_, value) => {
    if (!value || value.array === undefined) return value;
    const kind = value.type === "u1" ? Uint8Array : Float32Array;
    return new kind(buffer, value.array, value.length);
  });
  return new Model(data);
}

export class Model {
  /** @param {any} data */
  constructor(data) {
    this.data = data;
    /** Output of each stage. @type {Map<string, Maps>} */
    this.maps = new Map();
    this.running = /** @type {Promise<void> | null} */ (null);
    this.parts = /** @type {Maps[] | null} */ (null);
    const { height, width, pixels } = data.photo;
    /** RGB in [0, 255]. @type {Maps} */
    this.photo = newMaps(3, height, width);
    for (let at = 0; at < height * width; at++) {
      for (let c = 0; c < 3; c++) this.photo.data[c * height * width + at] = pixels[3 * at + c];
    }
  }

  /** Whether all of the network is in the page. */
  get live() {
    return Boolean(this.data.live);
  }

  /** Compute all maps, once; the browser may draw between the layers. */
  run() {
    this.running ??= this.#run();
    return this.running;
  }

  async #run() {
    if (!this.live) return;
    this.maps.set("image", normalize(this.photo, this.data.normalize));
    for (const stage of this.data.stages) {
      await new Promise((resolve) => setTimeout(resolve));
      let x = /** @type {Maps} */ (this.maps.get(stage.input));
      for (const layer of stage.layers) x = runLayer(x, layer);
      this.maps.set(stage.name, x);
    }
  }

  /** The scores of each stride, coarse to fine; after `run`. @returns {Maps[]} */
  scores() {
    return this.data.scores.map((/** @type {any} */ one) => this.live
      ? this.maps.get(one.stage) : { ...one, data: one.data });
  }

  /** What each stride adds to the score of every pixel; after `run`. @returns {Maps[]} */
  contributions() {
    if (!this.parts) {
      const scores = this.scores();
      const { height, width } = this.photo;
      this.parts = scores.map((_, kept) => fuse(
        scores.map((one, n) => (n === kept ? one : newMaps(one.channels, one.height, one.width))),
        this.data.fusion, height, width));
    }
    return this.parts;
  }
}
