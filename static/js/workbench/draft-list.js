// @ts-check
/** Above the text: the examples of which this browser keeps something that is not saved. */

import { find, h } from "./dom.js";
import { t } from "./strings.js";

/**
 * @param {number[]} examples
 * @param {(example: number) => void} open
 * @param {(example: number) => void} discard
 */
export function showDrafts(examples, open, discard) {
  find("#drafts").hidden = !examples.length;
  find("#drafts-title").textContent = t("drafts", { n: examples.length });
  const button = (/** @type {string} */ words, /** @type {() => void} */ onclick, label = "") =>
    h("button.btn.btn-small", { type: "button", onclick, "aria-label": label || false }, words);
  find("#drafts-list").replaceChildren(
    ...examples.map((id) =>
      h(
        "li.row",
        {},
        button(`#${id}`, () => open(id), t("open_draft", { id })),
        button(t("discard"), () => discard(id), t("discard_draft", { id })),
      ),
    ),
  );
}
