// @ts-check
/** The page's words, in the reader's language; they come with the page. */

/** @type {Record<string, string>} */
let words = {};

/** @param {Record<string, string>} strings */
export function useStrings(strings) {
  words = strings;
}

/**
 * A sentence with its values filled in: t("left", {n: 3}) of "{n} left".
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const sentence = words[key];
  if (sentence === undefined) throw new Error(`The page has no words for “${key}”.`);
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
