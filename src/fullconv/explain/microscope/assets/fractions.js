// @ts-check
// Exact fractions: pairs [numerator, denominator] in lowest terms, with a denominator above 0.

/** @typedef {[number, number]} Fraction */

/** Return n / d in lowest terms. @param {number} n @param {number} d @returns {Fraction} */
export function fraction(n, d = 1) {
  let [a, b] = [Math.abs(n), Math.abs(d)];
  while (b) [a, b] = [b, a % b];
  const divisor = (a || 1) * Math.sign(d);
  return [n / divisor || 0, d / divisor];
}

export const add = (/** @type {Fraction} */ a, /** @type {Fraction} */ b) =>
  fraction(a[0] * b[1] + b[0] * a[1], a[1] * b[1]);
export const subtract = (/** @type {Fraction} */ a, /** @type {Fraction} */ b) =>
  fraction(a[0] * b[1] - b[0] * a[1], a[1] * b[1]);
export const multiply = (/** @type {Fraction} */ a, /** @type {Fraction} */ b) =>
  fraction(a[0] * b[0], a[1] * b[1]);
export const divide = (/** @type {Fraction} */ a, /** @type {Fraction} */ b) =>
  fraction(a[0] * b[1], a[1] * b[0]);
export const valueOf = (/** @type {Fraction} */ a) => a[0] / a[1];

/** Return "3/4", or "2" for 2/1. @param {Fraction} a */
export const fractionText = ([n, d]) => (d === 1 ? `${n}` : `${n}/${d}`).replace("-", "\u2212");

/**
 * Read "3", "-1.25" or "3/4"; null if it is no such number.
 * @param {string} text @returns {Fraction | null}
 */
export function readFraction(text) {
  const found = /^\s*([-\u2212]?)(\d{1,4})(?:\.(\d{1,4})|\/(\d{1,4}))?\s*$/.exec(text);
  if (!found || Number(found[4]) === 0) return null;
  const [, sign, whole, decimals = "", divisor = "1"] = found;
  const value = fraction(Number(whole + decimals), Number(divisor) * 10 ** decimals.length);
  return sign ? fraction(-value[0], value[1]) : value;
}
