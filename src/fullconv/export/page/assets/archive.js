// @ts-check
// Several files as one ZIP file, stored without compression: photos and PNGs are compressed.

import { crc32, join } from "./png.js";

const NAMES_ARE_UTF8 = 0x0800;

/**
 * @param {{name: string, data: Uint8Array}[]} files of less than 4 GiB together
 */
export function zip(files) {
  const local = [];
  const central = [];
  let offset = 0;
  for (const { name, data } of files) {
    const encoded = new TextEncoder().encode(name);
    const crc = crc32(data);
    const head = record(0x04034b50, 30, encoded, crc, data.length, null);
    central.push(record(0x02014b50, 46, encoded, crc, data.length, offset));
    local.push(head, data);
    offset += head.length + data.length;
  }
  const directory = join(central);
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, files.length, true);
  view.setUint16(10, files.length, true);
  view.setUint32(12, directory.length, true);
  view.setUint32(16, offset, true);
  return join([...local, directory, end]);
}

/** Return the header of a file, of its own or in the directory, which has its offset. */
function record(/** @type {number} */ signature, /** @type {number} */ length,
  /** @type {Uint8Array} */ name, /** @type {number} */ crc, /** @type {number} */ size,
  /** @type {number | null} */ offset) {
  const out = new Uint8Array(length + name.length);
  const view = new DataView(out.buffer);
  let at = offset === null ? 4 : 6;
  view.setUint32(0, signature, true);
  if (offset !== null) {
    view.setUint16(4, 20, true);
    view.setUint32(42, offset, true);
  }
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, NAMES_ARE_UTF8, true);
  view.setUint16(at + 8, 0x21, true); // 1 January 1980: equal content gives equal bytes
  at += 10;
  view.setUint32(at, crc, true);
  view.setUint32(at + 4, size, true);
  view.setUint32(at + 8, size, true);
  view.setUint16(at + 12, name.length, true);
  out.set(name, length);
  return out;
}
