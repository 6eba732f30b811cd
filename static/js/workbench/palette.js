// @ts-check
/** The labels to choose from: buttons that came with the page, each with its key. */

import { nameOf } from "./keys.js";

export class Palette {
  /**
   * @param {HTMLElement} root holds buttons with data-label and perhaps data-key
   * @param {(label: string) => void} choose
   */
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    /** @type {HTMLButtonElement[]} */
    this.buttons = [...root.querySelectorAll("button")];
    /** @type {Map<string, string>} */
    this.byKey = new Map();
    for (const button of this.buttons) {
      if (button.dataset.key) this.byKey.set(button.dataset.key, button.dataset.label ?? "");
      // The selection in the text stays where it is.
      button.addEventListener("pointerdown", (event) => event.preventDefault());
      button.addEventListener("click", () => choose(button.dataset.label ?? ""));
    }
  }

  /**
   * Marks the labels that are chosen.
   * @param {string[]} labels
   */
  press(labels) {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(labels.includes(button.dataset.label ?? "")));
    }
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it is a label's key
   */
  key(event) {
    const label = this.byKey.get(nameOf(event));
    if (label === undefined) return false;
    event.preventDefault();
    this.choose(label);
    return true;
  }
}
