// @ts-check
/** What went wrong, above the text: in words, with a link where one helps. */

import { find, h } from "./dom.js";
import { t } from "./strings.js";

/**
 * @param {string} words empty: there is none
 * @param {...{href: string, text: string}} links
 */
export function showProblem(words, ...links) {
  const place = find("#problem");
  place.replaceChildren(words, ...links.flatMap((link) => [" ", h("a", { href: link.href }, link.text)]));
  place.hidden = !words;
}

/** The server said no. @param {import("./api.js").Refused} error */
export function showRefusal(error) {
  const here = location.pathname + location.search;
  if (error.status === 401) showProblem(t("logged_out"), { href: `/login?next=${encodeURIComponent(here)}`, text: t("log_in") });
  else if (error.status === 403) showProblem(error.message, { href: here, text: t("reload") });
  else showProblem([error.message, ...(error.problem.problems ?? []).slice(1).map((/** @type {any} */ item) => item.message)].join(" "));
}

/** @param {boolean} isOutdated whether the page shows labels or guidelines that have changed */
export function showOutdated(isOutdated) {
  find("#outdated").hidden = !isOutdated;
}

/**
 * @param {boolean} isReachable
 * @param {string} [why] what the server says that cannot save: its disk is full, its database away
 */
export function showConnection(isReachable, why = "") {
  const place = find("#offline");
  place.hidden = isReachable;
  const words = why ? `${why} ${t("kept_here")}` : t("no_answer");
  if (!isReachable && place.textContent !== words) place.textContent = words;
}
