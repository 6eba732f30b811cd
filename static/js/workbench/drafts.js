// @ts-check
/**
 * What a person has changed on an example and not saved: kept in this browser, over reloads and moving on.
 *
 * A draft that began before what stands now is set aside: whatever is done to the example next, it stays until its
 * person saves the example or discards it.
 */

import { read, remember } from "./browser-storage.js";

/** @typedef {{payload: import("./api.js").Payload | null, comment: string, base: number}} Draft */

export class Drafts {
  /**
   * @param {string} person
   * @param {string} project
   */
  constructor(person, project) {
    this.prefix = `annotune.draft.${person}.${project}.`;
    this.asidePrefix = `annotune.draft-aside.${person}.${project}.`;
  }

  /**
   * @param {number} example
   * @param {Draft} draft
   */
  keep(example, draft) {
    remember(this.prefix + example, draft);
  }

  /**
   * @param {number} example
   * @returns {Draft | null}
   */
  find(example) {
    return read(this.prefix + example);
  }

  /** @param {number} example */
  drop(example) {
    localStorage.removeItem(this.prefix + example);
  }

  /**
   * Keeps what no longer fits, apart from what is done to the example from now on.
   * @param {number} example
   * @param {Draft} draft
   */
  setAside(example, { payload, comment, base }) {
    remember(this.asidePrefix + example, { payload, comment, base });
    this.drop(example);
  }

  /**
   * @param {number} example
   * @returns {Draft | null}
   */
  aside(example) {
    return read(this.asidePrefix + example);
  }

  /** @param {number} example */
  dropAside(example) {
    localStorage.removeItem(this.asidePrefix + example);
  }

  /**
   * What a draft held is saved by now; what its person did since stays.
   * @param {number} example
   * @param {Draft | null} draft
   */
  settle(example, draft) {
    if (this.#isStill(example, draft)) this.drop(example);
  }

  /**
   * What was to be saved late does not fit any more; what its person did since is newer.
   * @param {number} example
   * @param {import("./api.js").AnnotationCreate} saving
   * @param {Draft | null} draft that it was made from
   */
  refused(example, saving, draft) {
    if (saving.payload && (!this.find(example) || this.#isStill(example, draft))) this.setAside(example, saving);
  }

  /**
   * @param {number} example
   * @param {Draft | null} draft
   */
  #isStill(example, draft) {
    return JSON.stringify(this.find(example)) === JSON.stringify(draft);
  }

  /** The example is settled, or the person wants none of it. @param {number} example */
  discard(example) {
    this.drop(example);
    this.dropAside(example);
  }

  /** The examples of which there is a draft of either kind. @returns {number[]} */
  examples() {
    const ids = Object.keys(localStorage).flatMap((key) =>
      [this.prefix, this.asidePrefix].filter((prefix) => key.startsWith(prefix)).map((prefix) => Number(key.slice(prefix.length))),
    );
    return [...new Set(ids)].sort((a, b) => a - b);
  }
}
