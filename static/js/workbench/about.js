// @ts-check
/** Around the text: how far the project is, what the example is, what its comment says. */

import { when } from "./banner.js";
import { find, h } from "./dom.js";
import { t } from "./strings.js";

/** @param {import("./api.js").Progress} progress */
export function showProgress({ done, total, mine, changed }) {
  const bar = /** @type {HTMLProgressElement} */ (find("#progress"));
  bar.max = total;
  bar.value = done;
  const numbers = { done: done.toLocaleString(), total: total.toLocaleString(), mine: mine.toLocaleString() };
  find("#progress-text").textContent = t("progress", numbers);
  find("#changed").hidden = !changed;
  find("#changed").textContent = t("n_changed", { n: changed.toLocaleString() });
}

/** @param {import("./api.js").WorkItem} item */
export function showFacts(item) {
  const { standing, mine } = item;
  const isMine = Boolean(standing && standing.annotation_id === mine?.annotation_id);
  const state = standing ? t(isMine ? "state_mine" : "state_given") : item.status === "skipped" ? t("state_skipped") : "";
  find("#state").textContent = state;
  find("#state").hidden = !state;
  find("#comments").hidden = !item.comments.length;
  find("#comments").replaceChildren(
    ...item.comments.map(({ by, text, created_at: at }) =>
      h("li", {}, h("span.wrap", { dir: "auto" }, t("wrote", { name: by.name, text })), " ", h("time.muted.small", { datetime: at }, when(at))),
    ),
  );
  const facts = Object.entries({ ...(item.external_id ? { id: item.external_id } : {}), ...item.meta });
  find("#about").hidden = !facts.length;
  find("#facts").replaceChildren(
    ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd.wrap", {}, typeof value === "string" ? value : JSON.stringify(value)))),
  );
}
