// @ts-check
/** What opens over the workbench: help, history, guidelines, and the question of two tabs. */

import { find, h } from "./dom.js";
import { t } from "./strings.js";

export class Dialogs {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./keys.js").Binding[]} bindings
   * @param {(id: number) => void} open
   */
  constructor(api, bindings, open) {
    this.api = api;
    this.bindings = bindings;
    this.open = open;
    for (const dialog of document.querySelectorAll("dialog")) {
      // A click beside it closes it: there the dialog itself is the target.
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("cancel"));
    }
  }

  help() {
    const rows = this.bindings.map(({ shown, text }) => h("div", {}, h("dt", {}, h("kbd", {}, shown)), h("dd", {}, text)));
    find("#help-keys").replaceChildren(...rows);
    show("#help");
  }

  guidelines() {
    show("#guidelines");
  }

  /** What this person did last; a click brings it back. */
  async history() {
    const list = find("#history-list");
    list.replaceChildren(h("li.muted", {}, "…"));
    const dialog = show("#history");
    const { items } = await this.api.mine();
    if (!items.length) list.replaceChildren(h("li.muted", {}, t("nothing_yet")));
    else
      list.replaceChildren(
        ...items.map((item) =>
          h(
            "li.item",
            {},
            h(
              "button.item-pick",
              { type: "button", onclick: () => (dialog.close(), this.open(item.id)) },
              h("span.item-words.clamp", {}, item.text),
              h("span.muted.small", {}, item.skipped ? t("state_skipped") : item.summary),
            ),
          ),
        ),
      );
  }

  /**
   * Two tabs have worked on one example.
   * @returns {Promise<"mine" | "theirs" | "">}
   */
  conflict() {
    const dialog = show("#conflict");
    return new Promise((resolve) => {
      dialog.addEventListener(
        "close",
        () => resolve(dialog.returnValue === "mine" || dialog.returnValue === "theirs" ? dialog.returnValue : ""),
        { once: true },
      );
    });
  }
}

/** @param {string} selector */
function show(selector) {
  const dialog = /** @type {HTMLDialogElement} */ (find(selector));
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return dialog;
}
