// @ts-check
// What the chambers are drawn with: elements, tables of numbers, pictures, controls.

import { say } from "../../../pages/assets/language.js";

/**
 * Make an element. `text` and `label` are keys of texts, `html` attributes are set as they are.
 * @param {string} tag @param {Record<string, any>} given @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "text") [made.dataset.text, made.textContent] = [value, say(value)];
    else if (name === "label") [made.dataset.label, made.ariaLabel] = [value, say(value)];
    else if (name === "class") made.className = value;
    else if (name.includes("-") || name === "for" || name === "role") made.setAttribute(name, value);
    else Object.assign(made, { [name]: value });
  }
  made.append(...children);
  return made;
}

/** Return a number with at most five digits. @param {number} value */
export function show(value) {
  const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return text.replace("-", "\u2212");
}

/** Return a summand that follows others: " + 3" or " − 3". @param {number} value */
export const signed = (value) => (value < 0 ? ` \u2212 ${show(-value)}` : ` + ${show(value)}`);

/** Return a factor, in brackets if it is negative. @param {number} value */
export const factor = (value) => (value < 0 ? `(${show(value)})` : show(value));

const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** Return the colour of a share in [0, 1]: black, violet, red, orange, yellow. */
export function heatColour(/** @type {number} */ share) {
  const at = Math.min(Math.max(share, 0), 1) * (HEAT.length - 1);
  const low = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[low].map((value, c) => value + (HEAT[low + 1][c] - value) * (at - low));
}

/** Return the colour of a value in [-1, 1]: blue, white, orange; small ones are made visible. */
export function signedColour(/** @type {number} */ value) {
  const end = value > 0 ? [214, 96, 10] : [11, 98, 168];
  const level = Math.sqrt(Math.min(Math.abs(value), 1));
  return end.map((c) => 255 + (c - 255) * level);
}

/** Return the place that an arrow key moves (row, column) to, or null. */
function moved(/** @type {KeyboardEvent} */ event, /** @type {number[]} */ [row, column],
  /** @type {number} */ height, /** @type {number} */ width) {
  const step = event.shiftKey ? 10 : 1;
  const steps = /** @type {Record<string, number[]>} */ ({ ArrowUp: [-step, 0],
    ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] });
  const by = steps[event.key];
  if (!by) return null;
  event.preventDefault();
  return [Math.min(Math.max(row + by[0], 0), height - 1),
    Math.min(Math.max(column + by[1], 0), width - 1)];
}

/** A table of numbers; with `onmove` it has a cursor, which the pointer and arrow keys move. */
export class Grid {
  /** @param {string} title key of its text @param {((i: number, j: number) => void) | null} onmove */
  constructor(title, onmove = null) {
    this.cells = element("div", { class: "cells" });
    this.caption = element("figcaption", { text: title });
    this.root = element("figure", { class: "grid" }, this.caption, this.cells);
    this.cursor = [0, 0];
    this.size = [0, 0];
    if (!onmove) return;
    Object.assign(this.cells, { tabIndex: 0 });
    this.cells.setAttribute("role", "application");
    this.cells.dataset.label = title;
    this.cells.ariaLabel = say(title);
    const go = (/** @type {number[]} */ to) => onmove(to[0], to[1]);
    this.cells.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      const to = moved(event, this.cursor, this.size[0], this.size[1]);
      if (to) go(to);
    };
    const point = (/** @type {PointerEvent} */ event) => {
      const at = /** @type {any} */ (event.target).dataset?.at;
      if (at) go(at.split(" ").map(Number));
    };
    this.cells.onpointerover = point;
    this.cells.onpointerdown = point;
  }

  /**
   * @param {string[][]} rows @param {(i: number, j: number) => string} tone class names of a cell
   * @param {number[] | null} cursor
   */
  update(rows, tone = () => "", cursor = null) {
    const size = [rows.length, rows[0]?.length ?? 0];
    if (size[0] !== this.size[0] || size[1] !== this.size[1]) {
      this.size = size;
      this.cells.style.gridTemplateColumns = `repeat(${size[1]}, auto)`;
      this.cells.replaceChildren(...rows.flatMap((row, i) => row.map((_, j) => {
        const cell = element("span");
        cell.dataset.at = `${i} ${j}`;
        return cell;
      })));
    }
    rows.forEach((row, i) => row.forEach((text, j) => {
      const cell = this.cells.children[i * size[1] + j];
      cell.textContent = text;
      const here = cursor && cursor[0] === i && cursor[1] === j ? " here" : "";
      cell.className = tone(i, j) + here + (text.length > 4 ? " long" : "");
    }));
    if (cursor) this.cursor = cursor;
  }
}

/** A table of numbers that the user writes. */
export class Inputs {
  /** @param {string} title @param {(text: string) => any} read null for what is no number
   * @param {() => void} onchange */
  constructor(title, read, onchange) {
    this.cells = element("div", { class: "cells inputs" });
    this.root = element("figure", { class: "grid" }, element("figcaption", { text: title }),
      this.cells);
    this.title = title;
    this.read = read;
    this.onchange = onchange;
    this.values = /** @type {any[][]} */ ([]);
  }

  /** @param {string[][]} rows */
  fill(rows) {
    this.cells.style.gridTemplateColumns = `repeat(${rows[0].length}, auto)`;
    this.values = rows.map((row) => row.map((text) => this.read(text)));
    this.cells.replaceChildren(...rows.flatMap((row, i) => row.map((text, j) => {
      const cell = element("input", { value: text, size: 3, inputMode: "text", autocomplete: "off" });
      cell.ariaLabel = `${i + 1}, ${j + 1}`;
      cell.oninput = () => {
        const value = this.read(cell.value);
        cell.setAttribute("aria-invalid", String(value === null));
        if (value === null) return;
        this.values[i][j] = value;
        this.onchange();
      };
      return cell;
    })));
  }
}

/** A picture of pixels, with a cursor and boxes over it. */
export class Picture {
  /** @param {string} title @param {((i: number, j: number) => void) | null} onmove */
  constructor(title, onmove = null) {
    this.canvas = element("canvas");
    this.over = element("div", { class: "over" });
    this.stack = element("div", { class: "stack" }, this.canvas, this.over);
    this.caption = element("figcaption", { text: title });
    this.root = element("figure", { class: "picture" }, this.caption, this.stack);
    this.cursor = [0, 0];
    this.stack.dataset.label = title;
    this.stack.ariaLabel = say(title);
    this.stack.setAttribute("role", onmove ? "application" : "img");
    if (!onmove) return;
    this.stack.tabIndex = 0;
    this.stack.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      const to = moved(event, this.cursor, this.canvas.height, this.canvas.width);
      if (to) onmove(to[0], to[1]);
    };
    const point = (/** @type {PointerEvent} */ event) => {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
      onmove(Math.floor(y * this.canvas.height), Math.floor(x * this.canvas.width));
    };
    this.stack.onpointermove = point;
    this.stack.onpointerdown = point;
  }

  /** @param {number} height @param {number} width @param {(at: number) => number[]} colour */
  draw(height, width, colour) {
    const image = new ImageData(width, height);
    for (let at = 0; at < height * width; at++) {
      const [r, g, b] = colour(at);
      image.data.set([r, g, b, 255], 4 * at);
    }
    this.canvas.height = height;
    this.canvas.width = width;
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /**
   * Mark parts: boxes of pixels, and the cursor's pixel.
   * @param {{row: number, column: number, height: number, width: number, tone?: string}[]} boxes
   * @param {number[] | null} cursor
   */
  mark(boxes, cursor = null) {
    if (cursor) this.cursor = cursor;
    const here = cursor
      ? [{ row: cursor[0], column: cursor[1], height: 1, width: 1, tone: "here" }] : [];
    const { height, width } = this.canvas;
    this.over.replaceChildren(...[...boxes, ...here].map((box) => {
      const made = element("div", { class: `box ${box.tone ?? ""}` });
      made.style.top = `${(100 * box.row) / height}%`;
      made.style.left = `${(100 * box.column) / width}%`;
      made.style.height = `${(100 * box.height) / height}%`;
      made.style.width = `${(100 * box.width) / width}%`;
      return made;
    }));
  }
}

/** Return the colour of the photo's pixel. @param {import("./operations.js").Maps} photo */
export const photoColour = (photo) => (/** @type {number} */ at) => {
  const plane = photo.height * photo.width;
  return [photo.data[at], photo.data[plane + at], photo.data[2 * plane + at]];
};

/** A slider with its value. @param {string} title @param {number} min @param {number} max
 * @param {number} value @param {(value: number) => void} onchange */
export function slider(title, min, max, value, onchange) {
  const shown = element("output", {}, String(value));
  const input = element("input", { type: "range", min, max, value });
  input.oninput = () => {
    shown.textContent = input.value;
    onchange(Number(input.value));
  };
  const root = element("label", { class: "control" }, element("span", { text: title }), " ", input,
    " ", shown);
  const set = (/** @type {number} */ to) => {
    input.value = to;
    shown.textContent = input.value;
  };
  return { root, input, set };
}

/** A choice; an option's text is a key of texts, or stays. @param {string} title
 * @param {[string, string][]} options @param {string} value @param {(value: string) => void} onchange */
export function choice(title, options, value, onchange) {
  const select = element("select", {}, ...options.map(([key, text]) =>
    element("option", say(text) === text ? { value: key, textContent: text } : { value: key, text })));
  select.value = value;
  select.onchange = () => onchange(select.value);
  return { root: element("label", { class: "control" }, element("span", { text: title }), " ", select),
    select };
}

/** A box to tick. @param {string} text @param {boolean} on @param {(on: boolean) => void} onchange */
export function tick(text, on, onchange) {
  const input = element("input", { type: "checkbox", checked: on });
  input.onchange = () => onchange(input.checked);
  const words = say(text) === text ? element("span", {}, text) : element("span", { text });
  return { root: element("label", { class: "control" }, input, " ", words), input };
}

/** A line of numbers that is read out when it changes. */
export const formula = () => element("p", { class: "formula", "aria-live": "polite" });

/** Parts side by side, where there is room. @param {...Node} children */
export const row = (...children) => element("div", { class: "row parts" }, ...children);

/** A line drawing whose parts are styled by class names; lengths are in its own pixels.
 * @param {number} width @param {number} height */
export function drawing(width, height) {
  const make = (/** @type {string} */ tag, /** @type {Record<string, any>} */ attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    return made;
  };
  const root = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const put = (/** @type {string} */ tag, /** @type {Record<string, any>} */ attributes) =>
    root.appendChild(make(tag, attributes));
  return {
    root,
    line: (/** @type {number} */ x1, /** @type {number} */ y1, /** @type {number} */ x2,
      /** @type {number} */ y2, /** @type {string} */ tone) => put("line", { x1, y1, x2, y2, class: tone }),
    dot: (/** @type {number} */ cx, /** @type {number} */ cy, /** @type {number} */ r,
      /** @type {string} */ tone) => put("circle", { cx, cy, r, class: tone }),
    text: (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ text,
      /** @type {string} */ tone) => {
      put("text", { x, y, class: tone }).textContent = text;
    },
  };
}
