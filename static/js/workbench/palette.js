// @ts-check
/** The labels to choose from: buttons that came with the page, each with its key. */

import { h } from "./dom.js";
import { namesOf } from "./keys.js";
import { t } from "./strings.js";

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
      // The second click of a double click was meant for what the first one has done already.
      button.addEventListener("click", (event) => event.detail < 2 && choose(button.dataset.label ?? ""));
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
   * Shows chosen labels that are none any more: all that can be done with them is to take them away.
   * @param {string[]} labels
   * @param {(label: string) => void} drop
   */
  showGone(labels, drop) {
    for (const button of this.root.querySelectorAll(".palette-gone")) button.remove();
    const title = t("label_gone");
    this.root.append(
      ...labels.map((label) =>
        h("button.palette-label.palette-gone", { type: "button", title, "aria-pressed": "true", onclick: () => drop(label) }, h("span", {}, label), h("span.visually-hidden", {}, title)),
      ),
    );
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it is a label's key
   */
  key(event) {
    for (const name of namesOf(event)) {
      const label = this.byKey.get(name);
      if (label === undefined) continue;
      event.preventDefault();
      if (!event.repeat) this.choose(label);
      return true;
    }
    return false;
  }
}
