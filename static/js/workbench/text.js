// @ts-check
/** A text and its places. Annotations count Unicode code points; the browser counts UTF-16 units. */

export class IndexedText {
  /**
   * @param {string} text
   * @param {[number, number][]} tokens [start, end) in code points, in order
   */
  constructor(text, tokens) {
    this.text = text;
    this.tokens = tokens;
    const points = [...text];
    this.length = points.length;
    /** UTF-16 offset of each code point; null where both are the same. */
    this.units = points.length === text.length ? null : unitOffsets(points);
  }

  /**
   * @param {number} point
   * @returns {number}
   */
  unit(point) {
    return this.units ? this.units[Math.min(point, this.length)] : point;
  }

  /**
   * @param {number} unit
   * @returns {number}
   */
  point(unit) {
    return this.units ? lowerBound(this.length + 1, (i) => /** @type {Uint32Array} */ (this.units)[i] >= unit) : unit;
  }

  /**
   * The words of a range.
   * @param {number} start
   * @param {number} end
   */
  slice(start, end) {
    return this.text.slice(this.unit(start), this.unit(end));
  }

  /**
   * The token at a place, else the nearest one; -1 where there are none.
   * @param {number} point
   */
  tokenAt(point) {
    const at = lowerBound(this.tokens.length, (i) => this.tokens[i][1] > point);
    return at < this.tokens.length ? at : this.tokens.length - 1;
  }

  /**
   * A range widened to whole tokens; null where it touches none.
   * @param {number} start
   * @param {number} end
   * @returns {{start: number, end: number} | null}
   */
  snap(start, end) {
    const first = lowerBound(this.tokens.length, (i) => this.tokens[i][1] > start);
    const behind = lowerBound(this.tokens.length, (i) => this.tokens[i][0] >= end);
    if (first >= behind) return null;
    return { start: this.tokens[first][0], end: this.tokens[behind - 1][1] };
  }

  /**
   * A range without the blanks at its ends; null for blanks alone.
   * @param {number} start
   * @param {number} end
   * @returns {{start: number, end: number} | null}
   */
  trim(start, end) {
    const words = this.slice(start, end);
    const [head, tail] = [words.length - words.trimStart().length, words.trimEnd().length];
    if (head >= tail) return null;
    const unit = this.unit(start);
    return { start: this.point(unit + head), end: this.point(unit + tail) };
  }

  /**
   * A range widened to whole characters as people see them, so that no emoji is cut in two.
   * @param {number} start
   * @param {number} end
   * @returns {{start: number, end: number}}
   */
  snapToCharacters(start, end) {
    // Segmenting a window is enough: a character as people see it is never this long.
    const from = Math.max(0, start - 64);
    const window = this.slice(from, Math.min(this.length, end + 64));
    let at = from;
    let [left, right] = [start, end];
    for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(window)) {
      const next = at + [...segment].length;
      if (at < start && start < next) left = at;
      if (at < end && end < next) right = next;
      at = next;
    }
    return { start: left, end: right };
  }
}

/**
 * @param {string[]} points
 * @returns {Uint32Array}
 */
function unitOffsets(points) {
  const units = new Uint32Array(points.length + 1);
  for (let i = 0; i < points.length; i += 1) units[i + 1] = units[i] + points[i].length;
  return units;
}

/**
 * The first of 0 … n-1 for which a condition, once true, stays true; n where it never is.
 * @param {number} n
 * @param {(i: number) => boolean} condition
 */
function lowerBound(n, condition) {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (condition(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
