// @ts-check
// In a second worker: what would block the page, but needs no model.

import { serve } from "./calls.js";
import { dataset, masksOnly } from "./dataset.js";
import { decodePng, encodeIndexed, opaqueRgba } from "./png.js";
import { bytesOf } from "../../../pages/assets/bytes.js";
import { coco, geojson } from "./regions.js";

const values = async (/** @type {Uint8Array} */ bytes) => (await decodePng(bytes)).data;

serve({
  coco, dataset, encodeIndexed, geojson, masksOnly, values,
  /** Return the values of PNG files in base64. */
  masks: (/** @type {string[]} */ texts) =>
    Promise.all(texts.map((text) => (text ? values(bytesOf(text)) : null))),
  /** Return a photo; values of more than 8 bits are scaled. */
  async rgba(/** @type {Uint8Array} */ bytes, /** @type {number[] | null} */ range) {
    const picture = await decodePng(bytes, range);
    return { width: picture.width, height: picture.height, rgba: opaqueRgba(picture) };
  },
});
