// @ts-check
// The photos of the page, and their predictions, one after the other.

import { Editor } from "./editing.js";
import { help } from "./helping.js";

const KEPT = 1.2e8; // pixels of predictions that stay in memory; the labels of others are packed

/**
 * @typedef {object} Item
 * @property {File} file
 * @property {string} name
 * @property {"waiting" | "working" | "done" | "failed"} state "working" as long as its prediction is
 *   wanted: `restart` in `server.js` sets it back
 * @property {number} width
 * @property {number} height
 * @property {Editor | null} editor the labels
 * @property {Uint8Array | null} packed the labels as a PNG, while there is no editor
 * @property {boolean} edited
 * @property {import("./maps.js").Maps | null} maps
 * @property {Uint8Array | null} other labels of the model that it is compared with
 * @property {number} used when it was shown last
 */

export class Queue {
  /**
   * @param {import("./local.js").Source} source
   * @param {{changed: (item: Item) => void, failed: (item: Item, error: unknown) => void,
   *   progress: (item: Item | null, left: number) => void,
   *   noted: (item: Item, note: string, text: string) => void}} events
   */
  constructor(source, events) {
    this.source = source;
    this.events = events;
    /** @type {Item[]} */
    this.items = [];
    this.running = false;
    this.clock = 0;
    /** @type {import("./local.js").Model | null} */
    this.model = null;
    /** @type {import("./local.js").Model | null} */
    this.other = null;
  }

  /** @param {File[]} files */
  add(files) {
    const added = files.map((file) => /** @type {Item} */ ({
      file, name: file.name || "photo.png", state: "waiting", width: 0, height: 0, editor: null,
      packed: null, edited: false, maps: null, other: null, used: 0,
    }));
    this.items.push(...added);
    this.run();
    return added;
  }

  async run() {
    if (this.running) return;
    this.running = true;
    for (;;) {
      const waiting = this.items.filter((item) => item.state === "waiting");
      waiting.sort((one, other) => other.used - one.used); // the one that is shown first
      const item = waiting[0];
      if (!item || !this.model) break;
      item.state = "working";
      this.events.progress(item, waiting.length - 1);
      try {
        await this.predict(item);
        if (item.state === "working") {
          item.state = "done";
          this.events.changed(item);
        }
      } catch (error) {
        if (item.state === "working") {
          item.state = "failed";
          this.events.failed(item, error);
        }
      }
      await this.trim();
    }
    this.running = false;
    this.events.progress(null, 0);
  }

  /** @param {Item} item */
  async predict(item) {
    const model = /** @type {import("./local.js").Model} */ (this.model);
    const found = await this.source.predict(item.file, model);
    if (item.state !== "working") return;
    const { width, height, labels } = found;
    Object.assign(item, { width, height, maps: found });
    if (!item.edited && !item.editor?.before) { // nor while a first correction is drawn
      item.editor = new Editor(labels.slice(), width, height);
      item.packed = null;
    }
    if (found.note || found.noteText) this.events.noted(item, found.note, found.noteText ?? "");
    const other = this.other ? (await this.source.predict(item.file, this.other)).labels : null;
    if (item.state === "working") item.other = other;
  }

  /** Make the labels of an item available. @param {Item} item */
  async open(item) {
    item.used = ++this.clock;
    const { packed } = item;
    if (!item.editor && packed) {
      const data = await help("values", packed);
      if (item.packed === packed) item.editor ??= new Editor(data, item.width, item.height, item.edited);
    }
    if (item.state === "done" && !item.maps) {
      item.state = "waiting";
      this.run();
    }
  }

  /** Return the labels as a PNG, or null before there are any. @param {Item} item */
  async mask(item) {
    const palette = this.model?.palette ?? [];
    if (!item.editor) return item.packed;
    return help("encodeIndexed", item.editor.labels, item.width, item.height, palette);
  }

  /** Pack predictions that were shown longest ago. */
  async trim() {
    const open = this.items.filter((item) => item.editor && item.state === "done");
    open.sort((one, other) => other.used - one.used);
    let pixels = 0;
    for (const item of open) {
      pixels += item.width * item.height;
      if (pixels < KEPT || item === open[0]) continue;
      const { editor, used } = item;
      const packed = await this.mask(item).catch(() => null);
      // It stays if it was opened meanwhile, or cannot be packed.
      if (packed && item.used === used && item.editor === editor) {
        item.packed = packed;
        item.editor = item.maps = item.other = null;
      }
    }
  }
}
