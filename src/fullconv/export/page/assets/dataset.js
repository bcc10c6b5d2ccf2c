// @ts-check
// Corrected photos as a data set that `fullconv check` and `fullconv train` take.

import { zip } from "./archive.js";

/** Return `classes.txt` of a data set. @param {string[]} classes @param {number[][]} palette */
export function classList(classes, palette) {
  const hex = (/** @type {number[]} */ colour) =>
    `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  const distinct = new Set(palette.map(hex)).size === palette.length;
  const lines = classes.map((name, label) =>
    `${label} ${name.replace(/\s+/g, " ")}${distinct ? ` ${hex(palette[label])}` : ""}`);
  return [...lines, "255 void", ""].join("\n");
}

/**
 * Return photos and masks as a ZIP file.
 * @param {{name: string, photo: Uint8Array, mask: Uint8Array}[]} samples with safe, distinct names
 * @param {string[]} classes @param {number[][]} palette
 */
export function dataset(samples, classes, palette) {
  const files = samples.flatMap(({ name, photo, mask }) => [
    { name: `images/${name}`, data: photo },
    { name: `masks/${name.replace(/\.[^.]*$/, "")}.png`, data: mask },
  ]);
  const list = new TextEncoder().encode(classList(classes, palette));
  return zip([{ name: "classes.txt", data: list }, ...files]);
}
