// @ts-check
/** What is said above the text before anybody works on it: who labelled the example, and what each of them said. */

import { comparison } from "./comparison.js";
import { find, h } from "./dom.js";
import { t } from "./strings.js";

/**
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {import("./api.js").Said} Said
 * @typedef {import("./api.js").WorkItem} WorkItem
 * @typedef {import("./comparison.js").Line} Line
 */

export class Banner {
  /**
   * @param {string} me the person's id
   * @param {(payload: Payload) => Line[]} describe
   * @param {(payload: Payload, comment: string) => void} use puts what somebody said into the editor
   */
  constructor(me, describe, use) {
    this.me = me;
    this.describe = describe;
    this.use = use;
    this.root = find("#banner");
  }

  /**
   * @param {WorkItem} item
   * @param {import("./drafts.js").Draft | null} draft unsaved changes that began before what stands now
   */
  show(item, draft) {
    const columns = this.#columns(item, draft);
    const words = [
      item.changed && item.standing ? t("changed_by", { name: this.nameOf(item.standing) }) : "",
      item.access === "write" ? "" : item.access_reason,
      draft ? t("draft_aside") : "",
    ].filter(Boolean);
    this.root.hidden = !words.length && columns.length < 2;
    this.root.replaceChildren(
      ...(words.length ? [h("p", {}, words.join(" "))] : []),
      ...(columns.length > 1 ? [comparison(columns)] : []),
    );
  }

  /** @param {Said} said */
  nameOf(said) {
    if (said.by) return said.by.id === this.me ? t("you") : said.by.name;
    return t(said.source === "import" ? "an_import" : "somebody");
  }

  /**
   * One column of a comparison.
   * @param {string} title
   * @param {Said} said
   * @returns {import("./comparison.js").Column}
   */
  column(title, said) {
    const lines = said.payload && this.describe(said.payload);
    return { title, detail: `${this.nameOf(said)} · ${when(said.created_at)}`, lines, comment: said.comment };
  }

  /**
   * @param {WorkItem} item
   * @param {import("./drafts.js").Draft | null} draft
   */
  #columns({ standing, mine, others, access }, draft) {
    const withUse = (/** @type {import("./comparison.js").Column} */ column, /** @type {Payload} */ payload, /** @type {string} */ comment) =>
      access === "read"
        ? column
        : { ...column, actions: [h("button.btn.btn-small", { type: "button", onclick: () => this.use(payload, comment) }, t("use_this"))] };
    const columns = standing ? [this.column(t("stands"), standing)] : [];
    for (const said of [...(mine && mine.annotation_id !== standing?.annotation_id ? [mine] : []), ...others]) {
      if (!said.payload) continue;
      const title = t(said.by?.id === this.me ? "you_said" : "also_said");
      columns.push(withUse(this.column(title, said), said.payload, said === mine ? said.comment : ""));
    }
    if (draft?.payload) {
      const lines = this.describe(draft.payload);
      columns.push(withUse({ title: t("your_draft"), lines, comment: draft.comment }, draft.payload, draft.comment));
    }
    return columns;
  }
}

/** A time, as the reader's language writes it. @param {string} iso */
export function when(iso) {
  return new Date(iso).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}
