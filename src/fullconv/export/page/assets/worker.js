// @ts-check
// In a worker: run the model with ONNX Runtime Web. The page's own script talks to it.

import { serve } from "./calls.js";
import { mapsFromScores } from "./maps.js";
import { megapixels, Refused, rowReader } from "./photos.js";
import { crc32, join } from "./png.js";
import { bytesOf, pump } from "../../../pages/assets/bytes.js";
import { scalePhoto, toPlanes, workingSize } from "./scaling.js";

/** @type {any} */
const scope = self;
/** @type {any} */
let session = null;
/** @type {any} */
let about = null;

const pieces = /** @type {Record<string, Uint8Array[]>} */ ({ wasm: [], model: [] });

/** Return what was taken; elements hold gzip, files do not. @param {string} id */
async function unpack(id) {
  const bytes = join(pieces[id]);
  pieces[id] = [];
  return bytes[0] === 0x1f ? pump(bytes, new DecompressionStream("gzip")) : bytes;
}

const actions = {
  /** Take a piece of the runtime or the model: base64, or bytes. */
  take(/** @type {string} */ id, /** @type {string | ArrayBuffer} */ piece) {
    const decode = /** @type {any} */ (Uint8Array).fromBase64 ?? bytesOf;
    pieces[id].push(typeof piece === "string" ? decode(piece) : new Uint8Array(piece));
  },

  /** Start the runtime with the model. */
  async start(/** @type {any} */ description) {
    const { env, InferenceSession } = scope.ort;
    Object.assign(env.wasm, { wasmBinary: await unpack("wasm"), numThreads: 1, proxy: false });
    env.logLevel = "error";
    about = description;
    session = await InferenceSession.create(await unpack("model"), { executionProviders: ["wasm"] });
    return {};
  },

  /** Return the scores (K, h, w) of a batch of one, (3, h, w) in [0, 255]. */
  async score(/** @type {Float32Array} */ planes, /** @type {number} */ height,
    /** @type {number} */ width) {
    const image = new scope.ort.Tensor("float32", planes, [1, 3, height, width]);
    const { score } = await session.run({ image });
    image.dispose();
    return { scores: score.data, classes: score.dims[1] };
  },

  /** Return the maps of a photo, and checksums of what the network got. */
  async predict(/** @type {any} */ photo, /** @type {number[] | null} */ checked) {
    const { width, height } = photo;
    const [h, w] = workingSize(height, width, about.size, about.input_scale);
    const [fewest, fixed] = [about.least, about.fixed];
    if (h < fewest[0] || w < fewest[1]) throw new Refused("tooSmall", h, w, fewest[0], fewest[1]);
    if (fixed && (h !== fixed[0] || w !== fixed[1])) {
      throw new Refused("otherSize", h, w, fixed[0], fixed[1]);
    }
    const read = rowReader(photo);
    const start = performance.now();
    let found;
    let sums = null;
    let scaled;
    try {
      const rgb = scalePhoto(read, height, width, h, w);
      scaled = performance.now();
      if (checked) {
        const [small, narrow] = checked;
        sums = [[height, width], [small, narrow]].map(([a, b]) =>
          crc32(scalePhoto(read, height, width, a, b)));
      }
      found = await actions.score(toPlanes(rgb), h, w);
    } catch (error) {
      throw new Refused("noMemory", megapixels(h * w), String(error));
    }
    photo.bitmap?.close();
    const scored = performance.now();
    const maps = mapsFromScores(found.scores, found.classes, h, w, height, width);
    const times = { scale: scaled - start, score: scored - scaled, maps: performance.now() - scored };
    return { width, height, ...maps, sums, times };
  },
};

serve(actions);
