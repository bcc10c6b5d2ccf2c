// @ts-check
// Masks as a ZIP file, or with their photos as a data set that `fullconv check` and `train` take.

import { zip } from "./archive.js";
import { hex } from "./regions.js";

/** Return `classes.txt` of a data set. @param {string[]} classes @param {number[][]} palette */
export function classList(classes, palette) {
  const distinct = new Set(palette.map(hex)).size === palette.length;
  const lines = classes.map((name, label) =>
    `${label} ${name.replace(/\s+/g, " ")}${distinct ? ` ${hex(palette[label])}` : ""}`);
  return [...lines, "255 void", ""].join("\n");
}

/** @typedef {{name: string, photo: Uint8Array | null, mask: Uint8Array}} Sample */

const maskFile = (/** @type {Sample} */ { name, mask }) => (
  { name: `${name.replace(/\.[^.]*$/, "")}.png`, data: mask });

/** Return masks as a ZIP file. @param {Sample[]} samples with safe, distinct names */
export const masksOnly = (samples) => zip(samples.map(maskFile));

/**
 * Return photos and masks as a ZIP file.
 * @param {Sample[]} samples with safe, distinct names
 * @param {string[]} classes @param {number[][]} palette
 */
export function dataset(samples, classes, palette) {
  const files = samples.flatMap((sample) => {
    const mask = maskFile(sample);
    const photo = /** @type {Uint8Array} */ (sample.photo);
    return [{ name: `images/${sample.name}`, data: photo }, { ...mask, name: `masks/${mask.name}` }];
  });
  const list = new TextEncoder().encode(classList(classes, palette));
  return zip([{ name: "classes.txt", data: list }, ...files]);
}
