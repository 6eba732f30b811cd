// @ts-check
/** Keys and buttons, and which command each of them gives. */

import { find } from "./dom.js";
import { dispatch, isElsewhere } from "./keys.js";

/** @typedef {import("./keys.js").Binding} Binding */

/**
 * Keys give commands, else they are the editor's.
 * @param {() => Binding[]} bindings those that are of use now
 * @param {(event: KeyboardEvent) => void} otherwise
 */
export function listenToKeys(bindings, otherwise) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (isElsewhere(event)) {
      const field = /** @type {Element} */ (event.target).closest("input, textarea, select");
      // Enter held down would press a button again and again.
      if (event.repeat && event.key === "Enter" && !field) event.preventDefault();
      if (event.key === "Escape" && field?.id === "comment") /** @type {HTMLElement} */ (field).blur();
      return;
    }
    if (!dispatch(bindings(), event) && !event.ctrlKey && !event.metaKey) otherwise(event);
  });
}

/**
 * Buttons give the command that their data-do names.
 * @param {Record<string, Binding>} commands
 */
export function listenToButtons(commands) {
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-do]"))) {
    const name = button.dataset.do ?? "";
    button.addEventListener("click", (event) => {
      // The second click of a double click was meant for the example that is gone.
      if (event.detail > 1 && ["save", "skip"].includes(name)) return;
      commands[name]?.run(/** @type {any} */ (event));
    });
  }
  // A click takes the focus to no button: Enter stays the workbench's, and the selection where it is.
  find("#desk").addEventListener("pointerdown", (event) => {
    if (/** @type {Element} */ (event.target).closest("button")) event.preventDefault();
  });
}
