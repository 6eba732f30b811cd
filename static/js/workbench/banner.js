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
  /** @type {WorkItem | null} */
  item = null;
  /** @type {import("./drafts.js").Draft | null} */
  draft = null;
  /** Whether what stands is shown, because this person's differs. */
  isBeside = false;

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
   * @param {Payload} payload what this person works on
   */
  show(item, draft, payload) {
    this.item = item;
    this.draft = draft;
    this.isBeside = this.#differs(payload);
    const columns = this.#columns(item, draft);
    const words = [
      item.changed && item.standing ? t("changed_by", { name: this.nameOf(item.standing) }) : "",
      item.access === "write" ? "" : item.access_reason,
      draft ? t("draft_aside") : "",
    ].filter(Boolean);
    const isCompared = columns.length > 1 || this.isBeside || Boolean(draft?.payload);
    this.root.hidden = !words.length && !isCompared;
    this.root.replaceChildren(
      ...(words.length ? [h("p", {}, words.join(" "))] : []),
      ...(isCompared ? [comparison(columns)] : []),
    );
  }

  /** This person goes on: what somebody else said stays in sight as long as theirs differs. @param {Payload} payload */
  follow(payload) {
    if (this.item && this.isBeside !== this.#differs(payload)) this.show(this.item, this.draft, payload);
  }

  /** @param {Payload} payload */
  #differs(payload) {
    const standing = this.item?.standing;
    if (!standing || standing.by?.id === this.me) return false;
    return standing.payload !== payload && JSON.stringify(standing.payload) !== JSON.stringify(payload);
  }

  /** @param {Said} said */
  nameOf(said) {
    if (said.by) return said.by.id === this.me ? t("you") : said.by.name;
    return t(said.source === "import" ? "an_import" : "somebody");
  }

  /**
   * A column of a comparison: what stands.
   * @param {Said} said
   * @returns {import("./comparison.js").Column}
   */
  standing(said) {
    return { ...this.#column(t("stands"), said), detail: `${this.nameOf(said)} · ${when(said.created_at)}` };
  }

  /**
   * A column of a comparison: what does not stand.
   * @param {Said} said
   * @returns {import("./comparison.js").Column}
   */
  beside(said) {
    if (said.by?.id === this.me) return this.#column(t("you_said"), said);
    return { ...this.#column(t(said.proposal ? "also_said" : "said_before"), said), detail: `${this.nameOf(said)} · ${when(said.created_at)}` };
  }

  /**
   * @param {string} title
   * @param {Said} said
   */
  #column(title, said) {
    return { title, detail: when(said.created_at), lines: said.payload && this.describe(said.payload), comment: said.comment };
  }

  /**
   * @param {WorkItem} item
   * @param {import("./drafts.js").Draft | null} draft
   */
  #columns({ standing, mine, others, comments, access }, draft) {
    // A comment that is listed beneath is not said twice.
    const withoutListed = (/** @type {import("./comparison.js").Column} */ column, /** @type {Said} */ { by, comment }) =>
      comments.some((one) => one.by.id === by?.id && one.text === comment) ? { ...column, comment: "" } : column;
    const withUse = (/** @type {import("./comparison.js").Column} */ column, /** @type {Payload} */ payload, /** @type {string} */ comment) =>
      access === "read"
        ? column
        : { ...column, actions: [h("button.btn.btn-small", { type: "button", onclick: () => this.use(payload, comment) }, t("use_this"))] };
    const columns = standing ? [withoutListed(this.standing(standing), standing)] : [];
    for (const said of [...(mine && mine.annotation_id !== standing?.annotation_id ? [mine] : []), ...others]) {
      if (!said.payload) continue;
      columns.push(withUse(withoutListed(this.beside(said), said), said.payload, said === mine ? said.comment : ""));
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
