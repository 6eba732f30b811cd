// @ts-check
/**
 * Saving that loses nothing: what a person said is written into the browser's storage first, and leaves it
 * only when the server has confirmed it. A repeated request carries the same key, so it is stored once. Of each
 * example there is one save to come, the last that its person chose.
 * What one person said is never sent while another one is logged in.
 */

import { Refused, Unreachable } from "./api.js";
import { read, remember } from "./browser-storage.js";

/**
 * With the draft that it was made from.
 * @typedef {{example: number, saving: import("./api.js").AnnotationCreate, draft: import("./drafts.js").Draft | null}} PendingSave
 */

const PREFIX = "annotune.outbox.";
const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];

export class Outbox {
  /**
   * @param {import("./api.js").Api} api
   * @param {string} person
   * @param {string} project
   * @param {(isReachable: boolean, why?: string) => void} reachable told when the connection is lost, with what the
   *   server says of it, if it does, and when it is back
   */
  constructor(api, person, project, reachable) {
    this.api = api;
    this.person = person;
    this.project = project;
    this.prefix = `${PREFIX}${person}.${project}.`;
    this.reachable = reachable;
  }

  /**
   * Saves, however long the connection takes to come back.
   * @param {PendingSave} pending
   * @returns {Promise<import("./api.js").Saved>} rejects with Refused where the server does not take it
   */
  async send(pending) {
    const place = this.prefix + pending.example;
    const settled = () => {
      // In another tab the same person may have said something newer by now.
      if (/** @type {PendingSave | null} */ (read(place))?.saving.client_key === pending.saving.client_key) localStorage.removeItem(place);
    };
    remember(place, pending);
    try {
      const saved = await this.persist(() => this.api.save(pending.example, pending.saving));
      settled();
      return saved;
    } catch (error) {
      // Who is logged out, or whose browser is somebody else's by now, finds it here later. The rest is the page's to show.
      if (error instanceof Refused && error.status !== 401 && error.status !== 403) settled();
      throw error;
    }
  }

  /**
   * Asks until the server answers: at growing intervals, or when it said that it will.
   * @template T
   * @param {() => Promise<T>} request
   * @returns {Promise<T>}
   */
  async persist(request) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await request();
        this.reachable(true);
        return answer;
      } catch (error) {
        if (!(error instanceof Unreachable)) {
          if (error instanceof Refused) this.reachable(true);
          throw error;
        }
        this.reachable(false, error.why);
        if (error.retryAfter === null) await reconnected(PAUSES[Math.min(attempt, PAUSES.length - 1)]);
        else await new Promise((resolve) => setTimeout(resolve, error.retryAfter ?? 0));
      }
    }
  }

  /**
   * Sends what an earlier page could not.
   * @returns {Promise<{sent: PendingSave[], refused: PendingSave[]}>}
   */
  async flush() {
    /** @type {PendingSave[]} */
    const sent = [];
    /** @type {PendingSave[]} */
    const refused = [];
    for (const place of Object.keys(localStorage).filter((key) => key.startsWith(this.prefix))) {
      const pending = /** @type {PendingSave | null} */ (read(place));
      if (!pending) continue;
      try {
        await this.send(pending);
        sent.push(pending);
      } catch (error) {
        if (!(error instanceof Refused) || error.status === 401) throw error;
        localStorage.removeItem(place);
        refused.push(pending);
      }
    }
    return { sent, refused };
  }

  /** How many saves of other people wait in this browser for them to log in. */
  ofOthers() {
    return Object.keys(localStorage).filter((key) => {
      const [person, project] = key.startsWith(PREFIX) ? key.slice(PREFIX.length).split(".") : [];
      return project === this.project && person !== this.person;
    }).length;
  }
}

/**
 * A while, or less if the connection comes back.
 * @param {number} ms
 */
function reconnected(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    addEventListener("online", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
