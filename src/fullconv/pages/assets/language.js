// @ts-check
// The texts of a page, in the language that its user chooses. Modules add theirs to TEXTS.

/** Key -> English and Chinese text; {0}, {1} are filled in. @type {Record<string, [string, string]>} */
export const TEXTS = {};

let column = 0;

/** @param {string} language */
export function setLanguage(language) {
  column = language.startsWith("zh") ? 1 : 0;
}

/** @param {string} key @param {...(string | number)} values */
export function say(key, ...values) {
  const text = TEXTS[key]?.[column] ?? key;
  return text.replace(/\{(\d+)\}/g, (_, index) => String(values[Number(index)]));
}

/** Put the texts into all elements that name one. */
export function translate() {
  document.documentElement.lang = column ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(/** @type {HTMLElement} */ (element).dataset.text ?? "");
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.ariaLabel = say(/** @type {HTMLElement} */ (element).dataset.label ?? "");
  }
}
