// @ts-check
// The photo, the colours of one or two predictions over it, and a cursor.

import { element, get } from "./helping.js";
import { VOID } from "./maps.js";

const LARGEST = 16e6; // pixels that are drawn; of larger photos every second pixel, and so on
const AT_ONCE = 1 << 20; // pixels that are drawn before the page may respond to its user
const DARK = 64; // a colour none of whose channels reaches this is not drawn, as in `overlay`

/** Return the pixels that each label is drawn with, as 32 bits. */
export function colourTable(/** @type {number[][]} */ palette, /** @type {Set<number>} */ hidden) {
  const bytes = new Uint8ClampedArray(1024);
  palette.forEach((colour, label) => {
    const shown = Math.max(...colour) >= DARK && !hidden.has(label);
    bytes.set([...colour, shown ? 255 : 0], 4 * label);
  });
  bytes.set([224, 224, 192, hidden.has(VOID) ? 0 : 255], 4 * VOID);
  return new Uint32Array(bytes.buffer);
}

export class View {
  constructor() {
    this.photo = get("photo");
    this.layers = [get("first"), get("second")];
    this.cursor = get("cursor");
    this.area = get("area");
    this.stack = get("stack");
    this.line = get("line");
    this.width = this.height = this.step = 1;
    this.zoom = 0;
    this.turns = [0, 0];
  }

  /** Show a photo. @param {import("./photos.js").Photo} photo */
  async show({ width, height, bitmap, rgba }) {
    const shown = bitmap ?? (await createImageBitmap(new ImageData(/** @type {any} */ (rgba), width)));
    this.blank(width, height);
    const context = /** @type {CanvasRenderingContext2D} */ (this.photo.getContext("2d"));
    context.drawImage(shown, 0, 0, this.photo.width, this.photo.height);
    shown.close();
  }

  /** Show nothing of a photo. @param {number} width @param {number} height */
  blank(width, height) {
    this.step = Math.ceil(Math.sqrt((width * height) / LARGEST)) || 1;
    this.width = width;
    this.height = height;
    for (const layer of [this.photo, ...this.layers]) {
      layer.width = Math.ceil(width / this.step);
      layer.height = Math.ceil(height / this.step);
    }
    this.resize();
  }

  /**
   * Draw labels into a layer, or the box of them that changed.
   * @param {number} number @param {Uint8Array | null} labels @param {Uint32Array} table
   * @param {import("./editing.js").Box | null} box
   */
  async draw(number, labels, table, box = null) {
    const turn = box ? this.turns[number] : ++this.turns[number];
    const layer = this.layers[number];
    const context = /** @type {CanvasRenderingContext2D} */ (layer.getContext("2d"));
    layer.hidden = !labels;
    if (!labels) return;
    const { step, width } = this;
    const left = box ? Math.floor(box.left / step) : 0;
    const top = box ? Math.floor(box.top / step) : 0;
    const columns = (box ? Math.ceil(box.right / step) : layer.width) - left;
    const rows = (box ? Math.ceil(box.bottom / step) : layer.height) - top;
    if (columns < 1 || rows < 1) return;
    const most = Math.ceil(AT_ONCE / columns);
    for (let from = 0; from < rows; from += most) {
      if (from) await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.turns[number]) return; // a later call draws everything again
      const image = new ImageData(columns, Math.min(most, rows - from));
      const pixels = new Uint32Array(image.data.buffer);
      for (let y = top + from, i = 0; i < pixels.length; y++) {
        let at = y * step * width + left * step;
        for (let x = 0; x < columns; x++, i++, at += step) pixels[i] = table[labels[at]];
      }
      context.putImageData(image, left, top + from);
    }
  }

  /** @param {number} share in [0, 1] */
  opacity(share) {
    for (const layer of this.layers) layer.style.opacity = String(share);
  }

  /** Show the second layer to the right of `share` of the width. @param {number | null} share */
  divide(share) {
    const percent = 100 * (share ?? 1);
    this.layers[0].style.clipPath = share === null ? "" : `inset(0 ${100 - percent}% 0 0)`;
    this.layers[1].style.clipPath = `inset(0 0 0 ${percent}%)`;
    this.line.hidden = share === null;
    this.line.style.left = `${percent}%`;
  }

  /** Set the zoom: 0 to fit the page, or pixels of the screen for a pixel of the photo. */
  resize(/** @type {number} */ zoom = this.zoom) {
    this.zoom = zoom;
    this.stack.style.width = zoom ? `${this.width * zoom}px` : "";
    this.stack.style.maxWidth = zoom ? "none" : `min(100%, ${(65 * this.width) / this.height}vh)`;
    this.stack.style.aspectRatio = `${this.width} / ${this.height}`;
    this.stack.classList.toggle("exact", zoom >= 1);
  }

  /** Return the photo's (column, row) under the pointer, unbounded. @param {PointerEvent} event */
  position(event) {
    const box = this.stack.getBoundingClientRect();
    return [
      Math.floor(((event.clientX - box.left) / box.width) * this.width),
      Math.floor(((event.clientY - box.top) / box.height) * this.height),
    ];
  }

  /** Put the cursor at a pixel, and scroll to it. @param {number} x @param {number} y */
  point(x, y) {
    this.cursor.hidden = false;
    this.cursor.style.left = `${(100 * (x + 0.5)) / this.width}%`;
    this.cursor.style.top = `${(100 * (y + 0.5)) / this.height}%`;
    this.cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Return the photo with the colours over it, as a PNG. @param {number} share of the colours */
  async overlay(share) {
    const out = element("canvas", { width: this.photo.width, height: this.photo.height });
    const context = /** @type {CanvasRenderingContext2D} */ (out.getContext("2d"));
    context.drawImage(this.photo, 0, 0);
    context.globalAlpha = share;
    context.drawImage(this.layers[0], 0, 0);
    return /** @type {Promise<Blob>} */ (new Promise((resolve) => out.toBlob(resolve)));
  }
}
