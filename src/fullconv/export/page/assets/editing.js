// @ts-check
// Correct labels in place: brush, fill, and an undo of any depth.

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box right, bottom: after the last */
/** @typedef {{box: Box, labels: Uint8Array}} Patch */

export class Editor {
  /**
   * @param {Uint8Array} labels @param {number} width @param {number} height
   * @param {boolean} corrected whether the labels were changed before
   */
  constructor(labels, width, height, corrected = false) {
    this.corrected = corrected;
    this.labels = labels;
    this.width = width;
    this.height = height;
    /** @type {Patch[]} */
    this.undone = [];
    /** @type {Patch[]} */
    this.done = [];
    /** @type {Uint8Array | null} */
    this.before = null;
    /** @type {Box | null} */
    this.touched = null;
  }

  get changed() {
    return this.corrected || this.done.length > 0;
  }

  /** Begin a change; `finish` ends it. */
  begin() {
    this.before = this.labels.slice();
    this.touched = null;
  }

  /**
   * Set a disk around a line from (x0, y0) to (x1, y1); return the box that may have changed.
   * @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1
   * @param {number} diameter in pixels @param {number} label
   */
  stroke(x0, y0, x1, y1, diameter, label) {
    const radius = diameter / 2;
    const box = this.clip(
      Math.min(x0, x1) - radius, Math.min(y0, y1) - radius,
      Math.max(x0, x1) + radius + 1, Math.max(y0, y1) + radius + 1);
    const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const along = length ? ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length : 0;
        const share = Math.min(1, Math.max(0, along));
        const distance = (x - x0 - share * (x1 - x0)) ** 2 + (y - y0 - share * (y1 - y0)) ** 2;
        if (distance <= radius * radius) this.labels[y * this.width + x] = label;
      }
    }
    return this.touch(box);
  }

  /**
   * Set the region of equal labels around (x, y); return its box.
   * @param {number} x @param {number} y @param {number} label
   */
  fill(x, y, label) {
    const { labels, width, height } = this;
    const old = labels[y * width + x];
    const box = { left: x, top: y, right: x + 1, bottom: y + 1 };
    if (old === label) return this.touch(box);
    const waiting = [y * width + x];
    while (waiting.length) {
      const at = /** @type {number} */ (waiting.pop());
      if (labels[at] !== old) continue;
      const row = Math.floor(at / width);
      let left = at;
      let right = at + 1;
      while (left > row * width && labels[left - 1] === old) left--;
      while (right < (row + 1) * width && labels[right] === old) right++;
      labels.fill(label, left, right);
      box.left = Math.min(box.left, left - row * width);
      box.right = Math.max(box.right, right - row * width);
      box.top = Math.min(box.top, row);
      box.bottom = Math.max(box.bottom, row + 1);
      for (const first of [left - width, left + width]) {
        for (let i = first; i < first + right - left; i++) {
          if (labels[i] === old && (i === first || labels[i - 1] !== old)) waiting.push(i);
        }
      }
    }
    return this.touch(box);
  }

  /** End a change, so that it can be undone; a change of nothing is forgotten. */
  finish() {
    const { before, touched } = this;
    this.before = null;
    if (!before || !touched) return;
    const patch = { box: touched, labels: this.cut(before, touched) };
    const now = this.cut(this.labels, touched);
    if (now.every((value, i) => value === patch.labels[i])) return;
    this.done.push(patch);
    this.undone = [];
  }

  /** Undo the last change; return its box, or null. */
  undo() {
    return this.swap(this.done, this.undone);
  }

  /** Redo what was undone; return its box, or null. */
  redo() {
    return this.swap(this.undone, this.done);
  }

  /** @param {Patch[]} from @param {Patch[]} to */
  swap(from, to) {
    const patch = from.pop();
    if (!patch) return null;
    const { box } = patch;
    to.push({ box, labels: this.cut(this.labels, box) });
    const columns = box.right - box.left;
    for (let y = box.top; y < box.bottom; y++) {
      const row = patch.labels.subarray((y - box.top) * columns, (y - box.top + 1) * columns);
      this.labels.set(row, y * this.width + box.left);
    }
    return box;
  }

  /** @param {Uint8Array} labels @param {Box} box */
  cut(labels, box) {
    const columns = box.right - box.left;
    const out = new Uint8Array(columns * (box.bottom - box.top));
    for (let y = box.top; y < box.bottom; y++) {
      const start = y * this.width + box.left;
      out.set(labels.subarray(start, start + columns), (y - box.top) * columns);
    }
    return out;
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  clip(left, top, right, bottom) {
    return {
      left: Math.max(0, Math.floor(left)), top: Math.max(0, Math.floor(top)),
      right: Math.min(this.width, Math.ceil(right)), bottom: Math.min(this.height, Math.ceil(bottom)),
    };
  }

  /** @param {Box} box */
  touch(box) {
    const old = this.touched ?? box;
    this.touched = {
      left: Math.min(old.left, box.left), top: Math.min(old.top, box.top),
      right: Math.max(old.right, box.right), bottom: Math.max(old.bottom, box.bottom),
    };
    return box;
  }
}
