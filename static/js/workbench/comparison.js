// @ts-check
/** What several people said of one example, side by side; what only one of them said is marked. */

import { applyColor } from "../colors.js";
import { h } from "./dom.js";
import { t } from "./strings.js";

/**
 * One thing that an annotation says; those with the same key say the same.
 * @typedef {{words: string, label: string, color: string, key: string, isPart?: boolean}} Line
 * @typedef {{title: string, detail?: string, lines: Line[] | null, comment?: string, actions?: HTMLElement[]}} Column
 * Lines are null where nothing is said: it was skipped.
 */

/** @param {Column[]} columns */
export function comparison(columns) {
  const said = columns.map((column) => new Set((column.lines ?? []).map((line) => line.key)));
  const isOwn = (/** @type {Line} */ line) => said.filter((keys) => keys.has(line.key)).length === 1;
  return h(
    "div.comparison",
    { tabindex: "0", role: "group", "aria-label": t("what_people_said") },
    ...columns.map(({ title, detail, lines, comment, actions }) =>
      h(
        "section.comparison-column",
        { "aria-label": title },
        h("p.small", {}, h("strong", {}, title), detail && h("span.muted", {}, ` · ${detail}`)),
        lines === null || !lines.length
          ? h("p.muted.small", {}, t(lines ? "says_nothing" : "says_skipped"))
          : h("ul", {}, ...lines.map((line) => row(line, columns.length > 1 && isOwn(line)))),
        comment ? h("p.small.wrap", {}, t("comment_said", { comment })) : null,
        actions?.length ? h("div.row", {}, ...actions) : null,
      ),
    ),
  );
}

/**
 * @param {Line} line
 * @param {boolean} isOwn
 */
function row(line, isOwn) {
  const chip = h("span.chip", {}, line.label);
  applyColor(chip, line.color);
  const item = h("li.comparison-line", {}, line.words && h("span.item-words", {}, line.words), chip);
  item.classList.toggle("comparison-own", isOwn);
  item.classList.toggle("comparison-part", Boolean(line.isPart));
  if (isOwn) item.append(h("span.visually-hidden", {}, t("only_here")));
  return item;
}
