// @ts-check
// Files that the page offers, and the names in a data set of corrected photos.

import { zip } from "./archive.js";

/** Save a file. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return a file's name without its suffix. @param {string} name */
export function stem(name) {
  return name.replace(/\.[^.]*$/, "") || "photo";
}

/**
 * Return names of files that hold no path and no two of which are equal, whatever their case.
 * @param {string[]} names
 */
export function safeNames(names) {
  const used = new Set();
  return names.map((name) => {
    const suffix = /\.[a-z0-9]{1,5}$/i.exec(name)?.[0].toLowerCase() ?? ".jpg";
    const plain = stem(name).normalize("NFC").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);
    const base = plain.replace(/^[.-]+|[.]+$/g, "") || "photo";
    let free = base;
    for (let n = 2; used.has(free.toLowerCase()); n++) free = `${base}-${n}`;
    used.add(free.toLowerCase());
    return free + suffix;
  });
}

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
 * Return a data set of photos and masks that `fullconv check` and `train` take, as a ZIP file.
 * @param {{name: string, photo: Uint8Array, mask: Uint8Array}[]} samples
 * @param {string[]} classes @param {number[][]} palette
 */
export function dataset(samples, classes, palette) {
  const names = safeNames(samples.map((sample) => sample.name));
  const files = samples.flatMap(({ photo, mask }, i) => [
    { name: `images/${names[i]}`, data: photo },
    { name: `masks/${stem(names[i])}.png`, data: mask },
  ]);
  const list = new TextEncoder().encode(classList(classes, palette));
  return zip([{ name: "classes.txt", data: list }, ...files]);
}
