// @ts-check
/** The page when nothing is left: what is set aside, and the buttons that bring it back. */

import { find } from "./dom.js";
import { t } from "./strings.js";

/** @param {import("./api.js").Progress & {held_by_others: number}} queue */
export function showFinished({ skipped, skipped_mine, held_by_others }) {
  const lines = [];
  if (held_by_others) lines.push(t("n_held", { n: held_by_others }));
  if (skipped) lines.push(t("n_skipped", { n: skipped, mine: skipped_mine }));
  find("#finished-state").textContent = lines.join(" ");
  find("[data-do=restore-mine]").hidden = !skipped_mine;
  const all = document.querySelector("[data-do=restore-all]");
  if (all) /** @type {HTMLElement} */ (all).hidden = skipped <= skipped_mine;
}
