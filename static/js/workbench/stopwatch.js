// @ts-check
/** The seconds that the page was looked at. */
export class Stopwatch {
  #total = 0;
  #since = performance.now();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#total += performance.now() - this.#since;
      this.#since = performance.now();
    });
  }

  start() {
    this.#total = 0;
    this.#since = performance.now();
  }

  read() {
    const now = document.hidden ? 0 : performance.now() - this.#since;
    return Math.round((this.#total + now) / 100) / 10;
  }
}
