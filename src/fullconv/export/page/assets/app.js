// @ts-check
// The page: what the user does, and what is shown.

import { safeNames, save, stem } from "./downloads.js";
import { decodePhoto, element, get, help, tell, textOf } from "./helping.js";
import { countLabels, VOID } from "./maps.js";
import { say, setLanguage, translate } from "../../../pages/assets/language.js";
import { Refused } from "./photos.js";
import { Queue } from "./queue.js";
import { openSource } from "./local.js";
import { colourTable, View } from "./view.js";
import { bytesOf, pump } from "../../../pages/assets/bytes.js";

/** @type {any} */
const settings = JSON.parse(textOf("settings"));
const source = openSource(settings);
const view = new View();
const downloads = /** @type {NodeListOf<any>} */ (document.querySelectorAll("[data-download]"));
const hidden = /** @type {Set<number>} */ (new Set());
const cursor = { x: 0, y: 0, shown: false };
let tool = "look";
let paint = 0;
let checkResult = /** @type {string | null} */ (null);
/** @type {import("./queue.js").Item | null} */
let current = null;

const sentence = (/** @type {unknown} */ error) => error instanceof Refused
  ? say(error.message, ...error.values) : error instanceof Error ? error.message : String(error);

/** Say what is wrong with a photo. @param {import("./queue.js").Item} item @param {string} text */
function complain(item, text) {
  get("problems").textContent += `${item.name}: ${text}\n`;
}

const queue = new Queue(source, {
  changed(item) {
    thumbnails();
    if (item === current) show(item);
    const shares = areas(item).slice(0, 3).map(({ name, share }) => `${name} ${percent(share)}`);
    tell("status", `${item.name}: ${shares.join(", ")}`);
  },
  failed(item, error) {
    complain(item, sentence(error));
    thumbnails();
  },
  noted(item, note, text) {
    complain(item, note ? say(note) : text);
  },
  progress(item, left) {
    if (item) tell("status", say("working", item.name, left));
  },
});

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** Return the classes of an item that occur, the largest first. @param {import("./queue.js").Item} item */
function areas(item) {
  const counts = item.editor ? countLabels(item.editor.labels) : [];
  const classes = queue.model?.classes ?? [];
  const total = counts.slice(0, VOID).reduce((sum, count) => sum + count, 0) || 1;
  return classes.map((name, label) => ({ name, label, share: (counts[label] ?? 0) / total }))
    .filter(({ share }) => share).sort((one, other) => other.share - one.share);
}

/** Add photos, and show the first of them. @param {Iterable<File>} files */
function add(files) {
  tell("problems", "");
  const added = queue.add([...files]);
  if (!added.length) return;
  get("work").hidden = false;
  for (const item of added) thumbnail(item);
  select(added[0]);
}

/** @type {WeakMap<import("./queue.js").Item, HTMLCanvasElement>} */
const small = new WeakMap();

/** @param {import("./queue.js").Item} item */
async function thumbnail(item) {
  const canvas = /** @type {any} */ (element("canvas", { width: 75, height: 56 }));
  small.set(item, canvas);
  thumbnails();
  const bitmap = await createImageBitmap(item.file, { resizeHeight: 112, resizeQuality: "medium" })
    .catch(() => null);
  if (!bitmap) return;
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
}

function thumbnails() {
  const focused = document.activeElement?.closest("#list li");
  const index = focused ? [.../** @type {any} */ (focused.parentElement).children].indexOf(focused) : -1;
  get("list").replaceChildren(...queue.items.map((item) => {
    const button = element("button", { title: item.name, onclick: () => select(item) },
      small.get(item) ?? "");
    button.ariaLabel = item.name + (item.edited ? " *" : "");
    button.classList.toggle("waiting", item.state !== "done");
    if (item === current) button.setAttribute("aria-current", "true");
    const remove = element("button", { className: "remove", onclick: () => drop(item) }, "×");
    remove.ariaLabel = say("remove", item.name);
    return element("li", {}, button, remove);
  }));
  if (index >= 0) get("list").children[index]?.firstChild?.focus();
  get("list").hidden = queue.items.length < 2;
}

/** @param {import("./queue.js").Item} item */
function drop(item) {
  const index = queue.items.indexOf(item);
  queue.items.splice(index, 1);
  if (item === current) {
    current = queue.items[Math.min(index, queue.items.length - 1)] ?? null;
    if (current) select(current);
    else get("work").hidden = true;
  }
  thumbnails();
}

/** Show a photo. @param {import("./queue.js").Item} item */
async function select(item) {
  current = item;
  item.used = ++queue.clock;
  cursor.shown = false;
  view.cursor.hidden = true;
  tell("under", " ");
  thumbnails();
  for (const number of [0, 1]) view.draw(number, null, new Uint32Array(256));
  try {
    const photo = await decodePhoto(item.file, queue.model?.value_range);
    if (item !== current) return photo.bitmap?.close();
    await view.show(photo);
  } catch (error) {
    if (item !== current) return;
    view.blank(0, 0); // or the photo before it would be taken for it
    if (!source.isLocal) complain(item, sentence(error));
    get("work").hidden = queue.items.every(({ state }) => state === "failed");
  }
  await queue.open(item);
  if (item === current) show(item);
}

const colours = () => colourTable(queue.model?.palette ?? [], hidden);

/** Draw the prediction of the shown photo, or the box of it that changed. */
function show(/** @type {import("./queue.js").Item} */ item,
  /** @type {import("./editing.js").Box | null} */ box = null) {
  if (!view.width && item.editor) view.blank(item.width, item.height); // this browser cannot decode it
  const fits = item.editor && item.width === view.width && item.height === view.height;
  const table = colours();
  view.draw(0, fits ? item.editor?.labels ?? null : null, table, box);
  if (!box) view.draw(1, fits ? item.other : null, table);
  get("dividing").hidden = !item.other;
  view.divide(item.other ? get("divider").value / 100 : null);
  get("work").hidden = false;
  legend(item);
  buttons();
}

function buttons() {
  get("undo").disabled = !current?.editor?.done.length;
  get("redo").disabled = !current?.editor?.undone.length;
  for (const button of downloads) {
    const kind = button.dataset.download;
    const some = queue.items.some((item) => (kind === "dataset" ? item.edited : item.state === "done"));
    button.disabled =
      kind === "masksOnly" || kind === "dataset" ? !some : !current?.editor;
  }
  get("keep").disabled = !current?.editor;
}

/** List the classes: those that occur first, the largest before the others. */
function legend(/** @type {import("./queue.js").Item} */ item) {
  const { classes = [], palette = [] } = queue.model ?? {};
  if (!classes[paint]) paint = 0; // another model may have fewer
  const present = areas(item);
  const absent = classes.map((name, label) => ({ name, label, share: 0 }))
    .filter(({ label }) => !present.some((one) => one.label === label));
  const rows = [...present, ...absent].map(({ name, label, share }) => {
    const eye = element("input", { type: "checkbox", checked: !hidden.has(label) });
    eye.ariaLabel = say("show", name);
    eye.onchange = () => {
      if (eye.checked) hidden.delete(label);
      else hidden.add(label);
      redraw(`#legend li[data-label-number="${label}"] input[type=checkbox]`);
    };
    const choice = element("input", { type: "radio", name: "paint", checked: paint === label });
    choice.ariaLabel = say("paint", name);
    choice.onchange = () => (paint = label);
    choice.hidden = tool !== "brush" && tool !== "fill";
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = `rgb(${palette[label].join(" ")})`;
    const text = element("label", { className: share ? "" : "absent" }, eye, swatch, name,
      element("span", { className: "share" }, share ? percent(share) : ""));
    const row = element("li", {}, text, choice);
    row.dataset.labelNumber = String(label);
    return row;
  });
  get("legend").replaceChildren(...rows);
}

/** Draw everything again, and keep the focus. @param {string} focus selector */
function redraw(focus = "") {
  if (current) show(current);
  if (focus) /** @type {HTMLElement | null} */ (document.querySelector(focus))?.focus();
}

/** Return what is known of a pixel as text. @param {number} x @param {number} y */
function describe(x, y) {
  if (!current?.editor || x < 0 || y < 0 || x >= current.width || y >= current.height) return "";
  const at = y * current.width + x;
  const classes = queue.model?.classes ?? [];
  const name = (/** @type {number} */ label) => classes[label] ?? say("unlabelled");
  const label = current.editor.labels[at];
  const { maps } = current;
  const parts = [name(label)];
  if (maps && maps.labels[at] === label) {
    if (maps.confidence) parts[0] += ` ${percent(maps.confidence[at] / 255)}`;
    if (maps.second && maps.second[at] !== label) {
      const share = maps.secondConfidence ? ` ${percent(maps.secondConfidence[at] / 255)}` : "";
      parts.push(say("next", name(maps.second[at]) + share));
    }
  }
  if (current.other) parts.push(`| ${name(current.other[at])}`);
  parts.push(`(${say("at", x, y)})`);
  return parts.join(" · ");
}

/** Apply the tool along a line. */
function apply(/** @type {number} */ x0, /** @type {number} */ y0, /** @type {number} */ x,
  /** @type {number} */ y) {
  const editor = current?.editor;
  if (!editor || !current) return;
  const inside = x >= 0 && y >= 0 && x < editor.width && y < editor.height;
  const size = Number(get("size").value);
  if (tool === "fill" && !inside) return;
  const box = tool === "fill" ? editor.fill(x, y, paint)
    : editor.stroke(x0, y0, x, y, size, tool === "eraser" ? VOID : paint);
  view.draw(0, editor.labels, colours(), box);
}

function finish() {
  if (!current?.editor?.before) return;
  current.editor.finish();
  changed();
}

/** Take a change of the labels down. @param {import("./editing.js").Box | null} box */
function changed(box = null) {
  if (!current?.editor) return;
  current.edited = current.editor.changed;
  show(current, box);
  thumbnails();
}

function undo(/** @type {boolean} */ forward) {
  const box = forward ? current?.editor?.redo() : current?.editor?.undo();
  if (box) changed(box);
}

function choose(/** @type {string} */ name) {
  tool = name;
  const radio = /** @type {any} */ (document.querySelector(`input[name=tool][value=${name}]`));
  radio.checked = true;
  view.stack.classList.toggle("painting", name !== "look");
  if (current) legend(current);
}

function pointers() {
  let last = /** @type {number[] | null} */ (null);
  view.stack.onpointerdown = (/** @type {PointerEvent} */ event) => {
    if (event.button || !current?.editor) return;
    const [x, y] = view.position(event);
    if (tool === "look") return;
    event.preventDefault();
    view.stack.setPointerCapture(event.pointerId);
    current.editor.begin();
    apply(x, y, x, y);
    last = [x, y];
  };
  view.stack.onpointermove = (/** @type {PointerEvent} */ event) => {
    const [x, y] = view.position(event);
    tell("under", describe(x, y) || " ");
    if (last && tool !== "fill") {
      apply(last[0], last[1], x, y);
      last = [x, y];
    }
  };
  view.stack.onpointerup = view.stack.onpointercancel = () => {
    last = null;
    finish();
  };
  view.line.onpointerdown = (/** @type {PointerEvent} */ event) => {
    event.stopPropagation(); // nothing is painted
    view.line.setPointerCapture(event.pointerId);
  };
  view.line.onpointermove = (/** @type {PointerEvent} */ event) => {
    if (!view.line.hasPointerCapture(event.pointerId)) return;
    get("divider").value = (100 * view.position(event)[0]) / view.width;
    get("divider").oninput();
  };
  view.stack.onpointerleave = () => {
    if (!last) tell("under", cursor.shown ? describe(cursor.x, cursor.y) : " ");
  };
}

const ARROWS = /** @type {Record<string, number[]>} */ (
  { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

function keys() {
  view.area.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const arrow = ARROWS[event.key];
    if (!current?.editor || event.ctrlKey || event.metaKey) return;
    if (arrow) {
      const far = event.shiftKey ? 10 : 1;
      if (!cursor.shown) {
        Object.assign(cursor, { x: current.width >> 1, y: current.height >> 1, shown: true });
      } else {
        cursor.x = Math.min(current.width - 1, Math.max(0, cursor.x + arrow[0] * far));
        cursor.y = Math.min(current.height - 1, Math.max(0, cursor.y + arrow[1] * far));
      }
    } else if ((event.key === "Enter" || event.key === " ") && cursor.shown && tool !== "look") {
      current.editor.begin();
      apply(cursor.x, cursor.y, cursor.x, cursor.y);
      finish();
    } else return;
    event.preventDefault();
    view.point(cursor.x, cursor.y);
    get("under").textContent = tell("spoken", describe(cursor.x, cursor.y));
  };
  document.onkeydown = (event) => {
    const typing = /** @type {HTMLElement} */ (event.target).matches("select, input[type=password]");
    if (typing || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      undo(key === "y" || event.shiftKey);
      return;
    }
    const name = ["look", "brush", "eraser", "fill"].find((one) => one[0] === event.key.toLowerCase());
    if (name) choose(name);
    const size = get("size");
    if (event.key === "[") size.value = Number(size.value) - 5;
    if (event.key === "]") size.value = Number(size.value) + 5;
    const zoom = get("zoom");
    const step = event.key === "+" ? 1 : event.key === "-" ? -1 : 0;
    if (step && zoom.options[zoom.selectedIndex + step]) {
      zoom.selectedIndex += step;
      view.resize(Number(zoom.value));
    }
  };
}

async function download(/** @type {string} */ kind) {
  const { classes = [], palette = [] } = queue.model ?? {};
  const content = async (/** @type {import("./queue.js").Item} */ item) =>
    /** @type {Uint8Array} */ (await queue.mask(item));
  const blob = (/** @type {any} */ data, /** @type {string} */ type) => new Blob([data], { type });
  if (kind === "masksOnly" || kind === "dataset") {
    const whole = kind === "dataset";
    const items = queue.items.filter((item) => (whole ? item.edited : item.editor || item.packed));
    const names = safeNames(items.map((item) => item.name));
    const samples = [];
    for (const [i, item] of items.entries()) {
      const photo = whole ? new Uint8Array(await item.file.arrayBuffer()) : null;
      samples.push({ name: names[i], photo, mask: await content(item) });
    }
    const packed = await help(kind, samples, classes, palette);
    return save(whole ? "corrected.zip" : "masks.zip", blob(packed, "application/zip"));
  }
  if (!current?.editor) return;
  const { width, height, name } = current;
  const { labels } = current.editor;
  const base = stem(name);
  if (kind === "mask") save(`${base}.png`, blob(await content(current), "image/png"));
  if (kind === "overlay") save(`${base}-overlay.png`, await view.overlay(get("opacity").value / 100));
  if (kind === "geojson") {
    const text = await help("geojson", labels, width, height, classes, palette);
    save(`${base}.geojson`, blob(text, "application/geo+json"));
  }
  if (kind === "coco") {
    const text = await help("coco", labels, width, height, classes, name);
    save(`${base}.json`, blob(text, "application/json"));
  }
}

/** Save the shown photo and its mask on the server. */
async function keep() {
  const item = /** @type {import("./queue.js").Item} */ (current);
  const name = stem(safeNames([item.name])[0]);
  get("keep").disabled = true;
  try {
    const mask = /** @type {Uint8Array} */ (await queue.mask(item));
    const model = /** @type {import("./local.js").Model} */ (queue.model);
    const saved = await source.keep(name, item.file, mask, model);
    tell("status", say(saved.replaced ? "kept2" : "kept", saved.photo, saved.mask));
  } catch (error) {
    complain(item, sentence(error));
  }
  buttons();
}

/** Take photos with a camera; where there is none, choose a file (phones offer theirs). */
async function film() {
  if (!navigator.mediaDevices?.getUserMedia || matchMedia("(pointer: coarse)").matches) {
    return get("capture").click();
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    tell("problems", say("noCamera"));
    return;
  }
  const video = get("video");
  video.srcObject = stream;
  get("filming").showModal();
  get("filming").onclose = () => stream.getTracks().forEach((track) => track.stop());
  get("leave").onclick = () => get("filming").close();
  get("take").onclick = () => {
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    canvas.toBlob((/** @type {Blob | null} */ blob) => {
      if (blob) add([new File([blob], `camera-${Date.now()}.png`, { type: "image/png" })]);
      get("filming").close();
    });
  };
}

function inputs() {
  get("choose").onclick = () => get("files").click();
  get("camera").onclick = film;
  for (const id of ["files", "capture"]) {
    get(id).onchange = () => {
      add(get(id).files);
      get(id).value = "";
    };
  }
  document.onpaste = (event) => add(event.clipboardData?.files ?? []);
  document.ondragover = (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  };
  document.ondragleave = () => document.body.classList.remove("dropping");
  document.ondrop = (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    add(event.dataTransfer?.files ?? []);
  };
  get("opacity").oninput = () => view.opacity(get("opacity").value / 100);
  get("divider").oninput = () => view.divide(get("divider").value / 100);
  get("zoom").onchange = () => view.resize(Number(get("zoom").value));
  get("keep").onclick = keep;
  get("keep").hidden = !source.keeps;
  get("undo").onclick = () => undo(false);
  get("redo").onclick = () => undo(true);
  for (const radio of /** @type {NodeListOf<any>} */ (document.querySelectorAll("input[name=tool]"))) {
    radio.onchange = () => choose(radio.value);
  }
  for (const button of downloads) {
    button.onclick = () => download(button.dataset.download).catch((error) => {
      tell("problems", sentence(error));
    });
  }
  get("language").onchange = () => texts(get("language").value);
}

/** @param {string} language */
function texts(language) {
  setLanguage(language);
  get("language").value = language.startsWith("zh") ? "zh" : "en";
  translate();
  tell("privacy", say(source.isLocal ? "private" : "served"));
  if (checkResult !== null) tellCheck();
  if (current) show(current);
  thumbnails();
}

const outcome = (/** @type {string} */ good) => (
  checkResult ? say("unchecked", checkResult) : say(good));

const tellCheck = () => tell("check", outcome("checked"));

async function notices() {
  const packed = textOf("licence-texts");
  if (!packed) return;
  get("licences").hidden = false;
  get("licences").ontoggle = async () => {
    const text = await pump(bytesOf(packed), new DecompressionStream("gzip"));
    tell("notices", new TextDecoder().decode(text));
  };
}

async function main() {
  inputs();
  pointers();
  keys();
  notices();
  view.opacity(0.5);
  texts(navigator.language);
  source.askKey = () => new Promise((resolve) => {
    get("key").value = get("asking").returnValue = "";
    get("asking").onclose = () => resolve(get("asking").returnValue ? get("key").value : "");
    get("asking").showModal();
  });
  tell("status", say("starting"));
  try {
    await source.start();
    queue.model = source.models[0] ?? null;
    source.offer(queue);
    document.title = `${queue.model?.name ?? ""} · fullconv`;
    if (source.isLocal) {
      tell("status", say("checking"));
      checkResult = await source.check();
      tellCheck();
    }
    document.documentElement.dataset.check = checkResult || "passed";
    tell("status", outcome("ready"));
    queue.run();
  } catch (error) {
    document.documentElement.dataset.check = sentence(error);
    tell("problems", sentence(error));
    tell("status", "");
  }
}

/** For the verification of an export, and for tests. */
Object.assign(globalThis, { fullconv: { source, queue } });
main();
