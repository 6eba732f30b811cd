// @ts-check
/** The reservation of the example that is open: renewed while somebody works on it, and left to end while nobody does. */

import { Refused } from "./api.js";

const ACTIVITY = ["keydown", "pointerdown", "pointermove", "wheel", "input"];

export class LeaseKeeper {
  /** @type {number | null} */
  #example = null;
  #renewedAt = 0;
  #isActive = false;
  #isAsking = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {number} seconds how long a reservation lasts
   * @param {(example: number, current: any) => void} lost told when somebody else has it, and how it stands
   */
  constructor(api, seconds, lost) {
    this.api = api;
    this.pause = (seconds * 1000) / 3;
    this.lost = lost;
    for (const kind of ACTIVITY) {
      document.addEventListener(kind, () => this.#active(), { capture: true, passive: true });
    }
    setInterval(() => this.#tick(), Math.max(1000, this.pause / 4));
  }

  /**
   * Keeps an example while its person works on it. One that was opened by its link is reserved for nobody until then.
   * @param {import("./api.js").WorkItem | null} example the one that is open
   */
  watch(example) {
    const isFree = example?.status === "open" && example.access === "write";
    this.#example = example?.lease_until || isFree ? example.id : null;
    this.#renewedAt = example?.lease_until ? Date.now() : -Infinity;
    this.#isActive = false;
  }

  /** Somebody is there: what has nearly ended is renewed at once, before they do work in vain. */
  #active() {
    this.#isActive = true;
    if (Date.now() - this.#renewedAt > 2 * this.pause) this.#tick();
  }

  async #tick() {
    const example = this.#example;
    if (example === null || this.#isAsking || !this.#isActive || document.hidden) return;
    if (Date.now() - this.#renewedAt < this.pause) return;
    this.#isActive = false;
    this.#isAsking = true;
    try {
      await this.api.renew(example);
    } catch (error) {
      // Nothing is lost by a renewal that fails for now: the next one, or the save, hears the same.
      if (error instanceof Refused && error.status === 409 && this.#example === example) {
        this.#example = null;
        this.lost(example, error.problem.current);
      }
    } finally {
      this.#renewedAt = Date.now();
      this.#isAsking = false;
    }
  }
}
