// @ts-check
// The page: one chamber at a time, named by the address's hash; two languages.

import { say, setLanguage, translate } from "../../../pages/assets/language.js";
import { element } from "./drawing.js";
import { openModel } from "./model.js";
import { bilinearChamber } from "./chambers/bilinear.js";
import { checkerboardChamber } from "./chambers/checkerboard.js";
import { cropsChamber } from "./chambers/crops.js";
import { denseChamber } from "./chambers/dense.js";
import { fieldChamber } from "./chambers/field.js";
import { networkChamber } from "./chambers/network.js";
import { skipsChamber } from "./chambers/skips.js";
import { transposedChamber } from "./chambers/transposed.js";
import { unpoolingChamber } from "./chambers/unpooling.js";

const CHAMBERS = /** @type {any[]} */ ([denseChamber, bilinearChamber, transposedChamber,
  checkerboardChamber, unpoolingChamber, skipsChamber, cropsChamber, fieldChamber, networkChamber]);

const get = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const opened = /** @type {Map<string, any>} */ (new Map());
let model = /** @type {import("./model.js").Model | null} */ (null);

/** Build a chamber in its section, and say when its maps are computed. @param {any} chamber */
function open(chamber) {
  const found = opened.get(chamber.id);
  if (found) return found;
  const root = element("div", { class: "chamber" });
  const status = element("p", { role: "status", text: "computing" });
  const source = chamber.code.map((/** @type {Function} */ one) => one.toString()).join("\n\n");
  get(chamber.id).append(element("h2", { text: chamber.id, tabIndex: -1 }),
    element("p", { class: "idea", text: `${chamber.id}.idea` }), status, root,
    element("details", { class: "code" }, element("summary", { text: "code" }),
      element("p", { class: "small", text: "codeNote" }),
      element("pre", { tabIndex: 0, role: "region", label: "code" }, element("code", {}, source))));
  const started = chamber.start(root, /** @type {any} */ (model));
  opened.set(chamber.id, started);
  status.hidden = !started.ready;
  Promise.resolve(started.ready).then(() => {
    status.hidden = true;
    get(chamber.id).dataset.ready = "true";
  }, complain);
  return started;
}

/** Show the chamber that the address names. @param {boolean} focus */
function go(focus) {
  const chosen = CHAMBERS.find(({ id }) => `#${id}` === location.hash) ?? CHAMBERS[0];
  for (const { id } of CHAMBERS) get(id).hidden = id !== chosen.id;
  for (const link of get("chambers").querySelectorAll("a")) {
    if (link.hash === `#${chosen.id}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  open(chosen);
  if (focus) get(chosen.id).querySelector("h2").focus({ preventScroll: true });
  if (focus) scrollTo(0, 0);
}

/** @param {string} language */
function speak(language) {
  setLanguage(language);
  get("language").value = language.startsWith("zh") ? "zh" : "en";
  translate();
  about();
  for (const one of opened.values()) one.update();
}

function about() {
  if (!model) return;
  const { network, name, photo, live, notes } = model.data;
  const [rows, columns] = photo.original;
  get("about").textContent = say("about", name, network, photo.height, photo.width)
    + (rows === photo.height && columns === photo.width ? "" : say("scaled", rows, columns));
  get("mode").textContent = say(live ? "live" : "recorded");
  get("notes").replaceChildren(...notes.map((/** @type {[string, ...any]} */ [key, ...given]) =>
    element("li", {}, say(key, ...given))));
}

const complain = (/** @type {any} */ error) => {
  get("problem").textContent = say("failed", error?.message ?? String(error));
  document.documentElement.dataset.state = "failed";
};

async function main() {
  get("chambers").replaceChildren(...CHAMBERS.map(({ id }, n) => element("li", {},
    element("a", { href: `#${id}` }, `${n + 1}. `, element("span", { text: id })))));
  get("language").onchange = () => speak(get("language").value);
  speak(navigator.language);
  try {
    model = await openModel(get("settings").textContent, get("arrays").textContent);
    about();
    onhashchange = () => go(true);
    go(false);
    document.documentElement.dataset.state = "ready";
    performance.mark("ready");
  } catch (error) {
    complain(error);
  }
}

/** For tests: the numbers that a chamber computes. @param {string} id @param {any} given */
async function values(id, given) {
  const started = open(CHAMBERS.find((one) => one.id === id));
  await started.ready;
  return started.values(given);
}

Object.assign(globalThis, { microscope: { values } });
main();
