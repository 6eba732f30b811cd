// @ts-check
/** What a person has changed on an example and not saved: kept in this browser, over reloads and moving on. */

import { read, remember } from "./browser-storage.js";

/** @typedef {{payload: import("./api.js").Payload | null, comment: string, base: number}} Draft */

export class Drafts {
  /**
   * @param {string} person
   * @param {string} project
   */
  constructor(person, project) {
    this.prefix = `annotune.draft.${person}.${project}.`;
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
}
