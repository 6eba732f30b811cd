// @ts-check
/** The examples that were open on this page, in order, and which of them is open now. */
export class Trail {
  /** @param {number[]} ids a list to work off, or none */
  constructor(ids) {
    this.ids = ids;
    this.at = -1;
  }

  /**
   * An example is open now: the one before or behind, or else one that comes in here.
   * @param {number} id
   */
  visit(id) {
    if (this.ids[this.at] === id) return;
    if (this.before === id) this.at -= 1;
    else if (this.after === id) this.at += 1;
    else {
      const known = this.ids.indexOf(id);
      if (known >= 0) this.ids.splice(known, 1);
      if (known >= 0 && known < this.at) this.at -= 1;
      this.at += 1;
      this.ids.splice(this.at, 0, id);
    }
  }

  /** @returns {number | undefined} */
  get before() {
    return this.ids[this.at - 1];
  }

  /** @returns {number | undefined} */
  get after() {
    return this.ids[this.at + 1];
  }

  /** An example is not there any more. @param {number} id */
  remove(id) {
    const place = this.ids.indexOf(id);
    if (place < 0) return;
    this.ids.splice(place, 1);
    if (place <= this.at) this.at -= 1;
  }

  /** Puts an older example before all others. @param {number} id */
  prepend(id) {
    this.ids.unshift(id);
    this.at += 1;
  }
}
