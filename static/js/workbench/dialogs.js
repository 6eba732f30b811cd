// @ts-check
/** What opens over the workbench: help, history, guidelines, and the choice between what two people said. */

import { comparison } from "./comparison.js";
import { find, h } from "./dom.js";
import { namesOf } from "./keys.js";
import { t } from "./strings.js";

/** @typedef {"theirs" | "mine" | "beside"} Choice */

/** Milliseconds in which a key was pressed for what was there before the choice: the keys of labels choose, too. */
const TOO_SOON = 700;

export class Dialogs {
  /** When the choice was last put before the person. */
  #askedAt = 0;

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
    find("#conflict").addEventListener("keydown", (event) => this.#chooseByKey(event));
  }

  help() {
    const rows = this.bindings.map(({ shown, text }) => h("div", {}, h("dt", {}, h("kbd", {}, shown)), h("dd", {}, text)));
    find("#help-keys").replaceChildren(...rows);
    show("#help");
  }

  guidelines() {
    show("#guidelines");
  }

  /**
   * What this person did last; a click brings it back.
   * @param {boolean} isChanged only what others have changed since
   */
  async history(isChanged) {
    const list = find("#history-list");
    list.replaceChildren(h("li.muted", {}, "…"));
    find("#history-title").textContent = t(isChanged ? "what_was_changed" : "what_i_labelled");
    const dialog = show("#history");
    const { items } = await this.api.mine(isChanged);
    if (!items.length) list.replaceChildren(h("li.muted", {}, t(isChanged ? "nothing_changed" : "nothing_yet")));
    else list.replaceChildren(...items.map((item) => this.#historyRow(dialog, item)));
  }

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./api.js").HistoryItem} item
   */
  #historyRow(dialog, item) {
    const state = item.changed
      ? t("changed_by", { name: item.changed.by?.name ?? t("somebody") })
      : item.skipped || item.stands ? "" : t("beside_what_stands");
    const mine = item.skipped ? t("state_skipped") : item.summary;
    const said = item.changed ? t("was_and_is", { mine, theirs: item.changed.summary }) : mine;
    return h(
      "li.item",
      {},
      h(
        "button.item-pick",
        { type: "button", onclick: () => (dialog.close(), this.open(item.id)) },
        h("span.item-words.clamp", {}, item.text),
        h("span.muted.small", {}, said),
        state && h("span.badge", {}, state),
      ),
    );
  }

  /**
   * Somebody said something else meanwhile: the person sees both and chooses.
   * @param {string} why
   * @param {import("./comparison.js").Column[]} columns
   * @param {Partial<Record<Choice, string>>} choices what can be chosen, in words
   * @returns {Promise<Choice | "">}
   */
  conflict(why, columns, choices) {
    find("#conflict-why").textContent = why;
    find("#conflict-sides").replaceChildren(comparison(columns));
    for (const button of this.#choiceButtons()) {
      const words = choices[/** @type {Choice} */ (button.value)];
      button.hidden = !words;
      find(`#conflict [value=${button.value}] span`).textContent = words ?? "";
    }
    const dialog = show("#conflict");
    this.#askedAt = performance.now();
    return new Promise((resolve) => {
      const chosen = () => /** @type {Choice | ""} */ (dialog.returnValue in choices ? dialog.returnValue : "");
      dialog.addEventListener("close", () => resolve(chosen()), { once: true });
    });
  }

  /** @param {KeyboardEvent} event */
  #chooseByKey(event) {
    if (event.repeat || performance.now() - this.#askedAt < TOO_SOON) return;
    const names = namesOf(event);
    const button = this.#choiceButtons().find((item) => !item.hidden && names.includes(item.dataset.key ?? ""));
    if (!button) return;
    event.preventDefault();
    button.click();
  }

  #choiceButtons() {
    return /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("#conflict button[data-key]")]);
  }
}

/** @param {string} selector */
function show(selector) {
  const dialog = /** @type {HTMLDialogElement} */ (find(selector));
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  return dialog;
}
