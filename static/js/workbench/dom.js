// @ts-check
/** Elements in few words. */

/**
 * Makes an element.
 * @param {string} tag may name a class: "li.row"
 * @param {Record<string, any>} [attributes] `on…` are listeners, `data-…` and others attributes; false and null leave one out
 * @param {...(Node | string | null | false | undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child || child === "").map((child) => child || ""));
  return element;
}

/**
 * The one element that must be on the page.
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(selector) {
  const element = document.querySelector(selector);
  if (!element) throw new Error(`The page lacks ${selector}.`);
  return /** @type {HTMLElement} */ (element);
}
