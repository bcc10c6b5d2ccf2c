// @ts-check
// Elements of the page, work in the second worker, and photos that it decodes.

import { Remote } from "./calls.js";
import { identify, Refused, withoutProfile } from "./photos.js";

/** @type {Remote | null} */
let helper = null;

/** Return an element. @param {string} id @returns {any} */
export const get = (id) => document.getElementById(id);

/** Return the text of an element, "" without it. @param {string} id */
export const textOf = (id) => get(id)?.textContent ?? "";

/** Set the text of an element. @param {string} id @param {string} text */
export const tell = (id, text) => (get(id).textContent = text);

/**
 * Make an element with attributes and children.
 * @param {string} tag @param {Record<string, any>} attributes @param {...(Node | string)} children
 */
export function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** Call a function of `helper.js`. @param {string} action @param {...any} given */
export function help(action, ...given) {
  if (!helper || helper.stopped) helper = new Remote([textOf("core"), textOf("helper")]);
  return /** @type {Promise<any>} */ (helper.call(action, given));
}

/**
 * Decode a photo, turned by its EXIF orientation. Colours are not converted, as in Pillow; PNGs
 * with transparent parts are decoded by the helper, since a canvas loses the colours below them,
 * those of more than 8 bits, of which it loses the lower ones, and those that describe their
 * colours, which WebKit converts all the same, as it does in JPEGs.
 * @param {Blob} file
 * @param {number[] | null} range values of more than 8 bits that become black and white
 * @returns {Promise<import("./photos.js").Photo>}
 */
export async function decodePhoto(file, range = null) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { kind, alpha, tinted, deep, plain } = identify(bytes);
  if (deep && (!range || !plain)) throw new Refused("deep");
  try {
    if (deep || ((alpha || tinted) && plain)) {
      return { ...(await help("rgba", bytes, range)), bitmap: null, note: "" };
    }
    const options = /** @type {ImageBitmapOptions} */ (
      { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const part = [kind === "JPEG" ? withoutProfile(bytes) : bytes];
    const bitmap = await createImageBitmap(new Blob(part, { type: file.type }), options);
    const { width, height } = bitmap;
    return { width, height, bitmap, rgba: null, note: alpha ? "transparent" : "" };
  } catch {
    throw new Refused("damaged", kind);
  }
}
