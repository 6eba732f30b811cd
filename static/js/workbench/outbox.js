// @ts-check
/**
 * Saving that loses nothing: what a person said is written into the browser's storage first, and leaves it
 * only when the server has confirmed it. A repeated request carries the same key, so it is stored once.
 */

import { Refused, Unreachable } from "./api.js";

/** @typedef {{example: number, saving: {payload: object | null, skipped: boolean, comment: string, base_revision: number, client_key: string, seconds: number}}} Letter */

const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];

export class Outbox {
  /**
   * @param {import("./api.js").Api} api
   * @param {string} project
   * @param {(waiting: boolean) => void} reachable told when the connection is lost and when it is back
   */
  constructor(api, project, reachable) {
    this.api = api;
    this.prefix = `annotune.outbox.${project}.`;
    this.reachable = reachable;
  }

  /**
   * Saves, however long the connection takes to come back.
   * @param {Letter} letter
   * @returns {Promise<{revision: number}>} rejects with Refused where the server does not take it
   */
  async send(letter) {
    const place = this.prefix + letter.saving.client_key;
    remember(place, letter);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const saved = await this.api.save(letter.example, letter.saving);
        this.reachable(true);
        localStorage.removeItem(place);
        return saved;
      } catch (error) {
        if (error instanceof Refused) {
          this.reachable(true);
          // Who logs in again finds it still here; what cannot be taken at all is the editor's to show.
          if (error.status !== 401) localStorage.removeItem(place);
          throw error;
        }
        if (!(error instanceof Unreachable)) throw error;
        this.reachable(false);
        await pause(PAUSES[Math.min(attempt, PAUSES.length - 1)]);
      }
    }
  }

  /**
   * Sends what an earlier page could not.
   * @returns {Promise<{sent: number, refused: Letter[]}>}
   */
  async flush() {
    const refused = [];
    let sent = 0;
    for (const place of Object.keys(localStorage).filter((key) => key.startsWith(this.prefix))) {
      const letter = read(place);
      if (!letter) continue;
      try {
        await this.send(letter);
        sent += 1;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused.push(letter);
      }
    }
    return { sent, refused };
  }
}

/**
 * What a person has changed on an example and not saved, kept over a reload.
 * @typedef {{payload: object, comment: string, revision: number}} Draft
 */
export class Drafts {
  /** @param {string} project */
  constructor(project) {
    this.prefix = `annotune.draft.${project}.`;
  }

  /**
   * @param {number} example
   * @param {Draft} draft
   */
  keep(example, draft) {
    remember(this.prefix + example, draft);
  }

  /**
   * The draft of an example, if it started from the revision that is now the newest.
   * @param {number} example
   * @param {number} revision
   * @returns {Draft | null}
   */
  find(example, revision) {
    const draft = read(this.prefix + example);
    return draft && draft.revision === revision ? draft : null;
  }

  /** @param {number} example */
  drop(example) {
    localStorage.removeItem(this.prefix + example);
  }
}

/**
 * @param {string} place
 * @param {object} value
 */
function remember(place, value) {
  try {
    localStorage.setItem(place, JSON.stringify(value));
  } catch {
    // The storage is full or forbidden: the page itself still holds it.
  }
}

/** @param {string} place */
function read(place) {
  try {
    return JSON.parse(localStorage.getItem(place) ?? "null");
  } catch {
    return null;
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    addEventListener("online", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
