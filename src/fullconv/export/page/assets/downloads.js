// @ts-check
// Files that the page offers, and their names.

import { element } from "./helping.js";

/** Save a file. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
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
