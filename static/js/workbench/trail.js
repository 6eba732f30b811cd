// @ts-check
/** The examples that were open on this page, in order, and which of them is open now. */
export class Trail {
  /** @param {number[]} ids a list to work off, or none */
  constructor(ids) {
    this.ids = ids;
    this.at = -1;
  }

  /** An example is open now. @param {number} id */
  visit(id) {
    const known = this.ids.indexOf(id);
    if (known < 0) {
      this.ids.push(id);
      this.at = this.ids.length - 1;
    } else this.at = known;
  }

  /** @returns {number | undefined} */
  get before() {
    return this.ids[this.at - 1];
  }

  /** @returns {number | undefined} */
  get after() {
    return this.ids[this.at + 1];
  }

  /** Puts an older example before all others. @param {number} id */
  prepend(id) {
    this.ids.unshift(id);
    this.at += 1;
  }
}
