// @ts-check
/** Elements as they come onto the page, now or by a later swap. */

/**
 * Calls back once for every element that matches, whether it is there already or is inserted later.
 * A morphed element whose `data-` attributes change is reported again.
 * @param {string} selector
 * @param {(element: HTMLElement) => void} callback
 */
export function onInsert(selector, callback) {
  const attribute = /\[(data-[\w-]+)/.exec(selector)?.[1];
  const visit = (/** @type {Element} */ root) => {
    if (root.matches(selector)) callback(/** @type {HTMLElement} */ (root));
    for (const element of root.querySelectorAll(selector)) {
      callback(/** @type {HTMLElement} */ (element));
    }
  };
  const observer = new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === "attributes") {
        const element = /** @type {HTMLElement} */ (record.target);
        if (element.matches(selector)) callback(element);
      }
      for (const node of record.addedNodes) if (node instanceof Element) visit(node);
    }
  });
  observer.observe(document.documentElement, {
    childList: true,
    subtree: true,
    ...(attribute ? { attributes: true, attributeFilter: [attribute] } : {}),
  });
  visit(document.documentElement);
}
