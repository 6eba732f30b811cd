// @ts-check
/** The text on the page: spans painted into it, and what of it is selected, by pointer, touch or keys. */

import { applyColor } from "../colors.js";
import { h } from "./dom.js";
import { caretAt, isControl } from "./pointer.js";
import { levelsOf, segmentsOf } from "./segments.js";
import { IndexedText } from "./text.js";

/**
 * @typedef {{start: number, end: number}} Range code points
 * @typedef {{id: string, start: number, end: number, tag: string, color: string, kind?: string, active?: boolean}} PaintedSpan
 * @typedef {{start: number, end: number, unit: number, signature: string, node: Text, elements: HTMLElement[]}} Piece
 */

export class TextView {
  /** The selected range. @type {Range | null} */
  selection = null;
  /** The word that was clicked last, where the click picked a span. @type {Range | null} */
  clickedWord = null;
  #text = new IndexedText("", []);
  /** @type {PaintedSpan[]} */
  #spans = [];
  /** The text in order, cut wherever a span begins or ends. @type {Piece[]} */
  #pieces = [];
  /** @type {WeakMap<Node, number>} */
  #unitOf = new WeakMap();
  /** The tokens where a selection by keys began, and where it is now; they stay when it is gone, -1 before the first. */
  #anchor = -1;
  #focus = -1;
  /** Where a pointer went down. @type {PointerEvent | null} */
  #down = null;
  #timer = 0;
  #exact = false;
  /** The release of a pointer whose selection is not taken yet. @type {{down: PointerEvent, up: PointerEvent} | null} */
  #due = null;

  /**
   * @param {HTMLElement} root
   * @param {{selected: (range: Range | null) => void, picked: (id: string) => void, blank: () => void}} listener
   * `blank` hears of a selection that holds nothing but blanks.
   */
  constructor(root, listener) {
    this.root = root;
    this.listener = listener;
    document.addEventListener("pointerdown", (event) => {
      this.#settleDue();
      this.#down = event.button === 0 && !isControl(event.target) ? event : null;
    }, true);
    document.addEventListener("pointerup", (event) => this.#released(event));
    document.addEventListener("pointercancel", () => (this.#down = null));
    document.addEventListener("selectionchange", () => this.#changed());
    // What is done next builds on the selection, however quickly it follows.
    document.addEventListener("keydown", () => this.#settleDue(), true);
  }

  /** @param {IndexedText} text */
  show(text) {
    this.#text = text;
    this.#spans = [];
    this.#pieces = [];
    this.selection = this.clickedWord = null;
    this.#anchor = this.#focus = -1;
    this.root.replaceChildren();
    this.root.scrollTop = 0;
    this.paint([]);
  }

  /**
   * Shows these spans and no others. Only the pieces of the text that look different are made anew.
   * @param {PaintedSpan[]} spans
   */
  paint(spans) {
    this.#spans = spans;
    const levels = levelsOf(spans);
    let depth = 0;
    for (const level of levels.values()) depth = Math.max(depth, level);
    const segments = segmentsOf(spans, this.#text.length);
    const old = this.#pieces;
    /** @type {Piece[]} */
    const pieces = [];
    let [i, isChanged] = [0, false];
    for (let j = 0; j < segments.length; ) {
      const { start, end, covering } = segments[j];
      const signature = signatureOf(covering, levels, end);
      if (old[i]?.start === start && old[i].end === end && old[i].signature === signature) {
        pieces.push(old[i]);
        [i, j] = [i + 1, j + 1];
        continue;
      }
      // From here to the next edge that both share, the old pieces give way to the new ones.
      isChanged = true;
      let [oldEnd, newEnd] = [old[i]?.end ?? Infinity, end];
      const made = [this.#piece(start, end, covering, levels, signature)];
      const gone = old[i] ? [old[i]] : [];
      [i, j] = [i + 1, j + 1];
      while (oldEnd !== newEnd && (i < old.length || j < segments.length)) {
        if (oldEnd < newEnd) {
          gone.push(old[i]);
          oldEnd = old[i].end;
          i += 1;
        } else {
          const next = segments[j];
          made.push(this.#piece(next.start, next.end, next.covering, levels, signatureOf(next.covering, levels, next.end)));
          newEnd = next.end;
          j += 1;
        }
      }
      const before = gone[0]?.elements[0] ?? null;
      for (const piece of made) for (const element of piece.elements) this.root.insertBefore(element, before);
      for (const piece of gone) for (const element of piece.elements) element.remove();
      pieces.push(...made);
    }
    this.#pieces = pieces;
    if (this.root.style.getPropertyValue("--levels") !== String(depth)) this.root.style.setProperty("--levels", String(depth));
    if (isChanged && this.selection) this.#select(this.selection);
  }

  /**
   * Selects a range, or nothing.
   * @param {Range | null} range
   */
  select(range) {
    this.selection = range;
    this.clickedWord = null;
    if (range) this.#select(range);
    else getSelection()?.removeAllRanges();
    this.listener.selected(range);
  }

  /**
   * Moves the selection to the next or the previous token, or lets it grow and shrink.
   * @param {1 | -1} step
   * @param {boolean} extend
   */
  move(step, extend) {
    const { tokens } = this.#text;
    if (!tokens.length) return;
    if (this.selection && extend) this.#focus += step;
    else if (step > 0) this.#anchor = this.#focus = Math.max(this.#anchor, this.#focus) + 1;
    else this.#anchor = this.#focus = (this.#focus < 0 ? tokens.length : Math.min(this.#anchor, this.#focus)) - 1;
    const inside = (/** @type {number} */ token) => Math.min(tokens.length - 1, Math.max(0, token));
    this.#anchor = inside(this.#anchor);
    this.#focus = inside(this.#focus);
    const [first, last] = [Math.min(this.#anchor, this.#focus), Math.max(this.#anchor, this.#focus)];
    this.select({ start: tokens[first][0], end: tokens[last][1] });
    this.#reveal(this.#focus);
  }

  /**
   * A piece of the text that the same spans cover, with the tags of the spans that end there.
   * @param {number} start
   * @param {number} end
   * @param {PaintedSpan[]} covering
   * @param {Map<string, number>} levels
   * @param {string} signature
   * @returns {Piece}
   */
  #piece(start, end, covering, levels, signature) {
    const node = document.createTextNode(this.#text.slice(start, end));
    const unit = this.#text.unit(start);
    this.#unitOf.set(node, unit);
    if (!covering.length) return { start, end, unit, signature, node, elements: [h("span", {}, node)] };
    const inner = covering.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
    const piece = h("span.piece", { "data-spans": covering.map((span) => span.id).join(" ") }, node);
    applyColor(piece, inner.color);
    piece.classList.toggle("piece-active", covering.some((span) => span.active));
    for (const kind of new Set(covering.map((span) => span.kind))) if (kind) piece.classList.add(kind);
    piece.style.boxShadow = lines(covering, levels);
    const tags = covering
      .filter((span) => span.end === end && span.tag)
      .sort((a, b) => a.end - a.start - (b.end - b.start))
      .map((span) => {
        // The tag is drawn by ::after, so that the text that is selected and copied stays the text alone.
        const tag = h("span.piece-tag", { "data-tag": span.tag, "data-spans": span.id, "aria-hidden": "true" });
        applyColor(tag, span.color);
        tag.classList.toggle("piece-tag-active", Boolean(span.active));
        return tag;
      });
    return { start, end, unit, signature, node, elements: [piece, ...tags] };
  }

  /** @param {PointerEvent} event */
  #released(event) {
    const down = this.#down;
    this.#down = null;
    if (!down || !(this.#isInside(down) || this.#isInside(event))) return;
    this.#exact = event.altKey;
    // A click that ends a selection empties it only after this event.
    this.#due = { down, up: event };
    setTimeout(() => this.#settleDue(), 0);
  }

  #changed() {
    if (this.#down) return;
    clearTimeout(this.#timer);
    // The handles of a touch screen send no pointer events: the selection is taken when it rests.
    this.#timer = setTimeout(() => this.#settle(), 250);
  }

  #settleDue() {
    const due = this.#due;
    this.#due = null;
    if (due && this.#isInside(due.down) && this.#isInside(due.up)) this.#settle(due.up);
    else if (due) this.#settleOverTheEdge(due.down, due.up);
  }

  /**
   * Takes what the browser has selected.
   * @param {PointerEvent} [event] the release that ended it, if one did
   */
  #settle(event) {
    const chosen = getSelection();
    if (!chosen?.rangeCount || !this.root.contains(chosen.anchorNode) || !this.root.contains(chosen.focusNode)) return;
    if (chosen.isCollapsed) {
      if (event) this.#clicked(event, this.#point(chosen.anchorNode, chosen.anchorOffset));
      return;
    }
    const range = chosen.getRangeAt(0);
    this.#take(this.#point(range.startContainer, range.startOffset), this.#point(range.endContainer, range.endOffset));
  }

  /**
   * Takes a drag of which one end lies outside of the text: it selects up to the edge.
   * @param {PointerEvent} down
   * @param {PointerEvent} up
   */
  #settleOverTheEdge(down, up) {
    const [from, to] = [this.#edge(down), this.#edge(up)];
    if (from !== to) this.#take(Math.min(from, to), Math.max(from, to));
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #take(start, end) {
    const snapped = this.#exact ? this.#text.snapToCharacters(start, end) : this.#text.snap(start, end);
    const range = snapped && this.#text.trim(snapped.start, snapped.end);
    if (!range) {
      this.select(null);
      this.listener.blank();
      return;
    }
    if (this.selection?.start === range.start && this.selection.end === range.end) return;
    this.#anchor = this.#text.tokenAt(range.start);
    this.#focus = this.#text.tokenAt(range.end - 1);
    this.select(range);
  }

  /**
   * A click picks the span under it, the next outer one when it is picked already; beside spans, the word.
   * @param {PointerEvent} event
   * @param {number} point
   */
  #clicked(event, point) {
    const target = /** @type {Element} */ (event.target);
    const ids = (target.closest("[data-spans]")?.getAttribute("data-spans") ?? "").split(" ").filter(Boolean);
    const hit = this.#spans.filter((span) => ids.includes(span.id)).sort((a, b) => a.end - a.start - (b.end - b.start));
    const token = this.#text.tokenAt(point);
    const [start, end] = this.#text.tokens[token] ?? [0, 0];
    if (hit.length && !event.shiftKey) {
      const at = hit.findIndex((span) => span.active);
      this.listener.picked(hit[(at + 1) % hit.length].id);
      if (token >= 0) this.clickedWord = { start, end };
      return;
    }
    if (token < 0) return;
    this.#anchor = this.#focus = token;
    this.select({ start, end });
  }

  /** @param {PointerEvent} event */
  #isInside({ target }) {
    return this.root.contains(/** @type {Node | null} */ (target));
  }

  /**
   * The place in the text that is nearest to a pointer.
   * @param {PointerEvent} event
   */
  #edge({ clientX, clientY }) {
    const box = this.root.getBoundingClientRect();
    const isAllSeen = this.root.scrollHeight <= this.root.clientHeight;
    if (isAllSeen && clientY >= box.bottom) return this.#text.length;
    if (isAllSeen && clientY <= box.top) return 0;
    const inside = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
      Math.min(high - 3, Math.max(low + 3, value));
    const caret = caretAt(inside(clientX, box.left, box.right), inside(clientY, box.top, box.bottom));
    return caret && this.root.contains(caret.node) ? this.#point(caret.node, caret.offset) : this.#text.length;
  }

  /**
   * Where in the text a place of the document is, in code points.
   * @param {Node | null} node
   * @param {number} offset
   */
  #point(node, offset) {
    if (!node) return 0;
    const unit = this.#unitOf.get(node);
    if (unit !== undefined) return this.#text.point(unit + offset);
    const range = document.createRange();
    range.setStart(this.root, 0);
    range.setEnd(node, offset);
    return this.#text.point(range.toString().length);
  }

  /** @param {Range} range */
  #select({ start, end }) {
    const [from, to] = [this.#place(start, true), this.#place(end, false)];
    if (from && to) getSelection()?.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
  }

  /**
   * The node and offset of a place. On an edge between pieces, a start lies in the one behind it.
   * @param {number} point
   * @param {boolean} isStart
   */
  #place(point, isStart) {
    let [low, high] = [0, this.#pieces.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isStart ? this.#pieces[middle].end > point : this.#pieces[middle].end >= point) high = middle;
      else low = middle + 1;
    }
    const piece = this.#pieces[low];
    return piece && { node: piece.node, offset: Math.min(this.#text.unit(point) - piece.unit, piece.node.length) };
  }

  /** @param {number} token */
  #reveal(token) {
    const place = this.#place(this.#text.tokens[token][0], true);
    if (!place) return;
    const range = document.createRange();
    range.setStart(place.node, place.offset);
    const [box, frame] = [range.getBoundingClientRect(), this.root.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) this.root.scrollTop += box.top - frame.top - 40;
  }
}

/**
 * All that a piece shows: pieces with the same one look the same.
 * @param {PaintedSpan[]} covering
 * @param {Map<string, number>} levels
 * @param {number} end
 */
function signatureOf(covering, levels, end) {
  let signature = "";
  for (const { id, tag, color, kind, active, end: spanEnd } of covering) {
    signature += `${id} ${levels.get(id)} ${color} ${kind ?? ""} ${active ? 1 : 0} ${spanEnd === end ? tag : ""}\n`;
  }
  return signature;
}

/**
 * The lines under a piece, one a level, as stacked shadows.
 * @param {PaintedSpan[]} covering
 * @param {Map<string, number>} levels
 */
function lines(covering, levels) {
  const byLevel = new Map(covering.map((span) => [levels.get(span.id) ?? 0, span.color]));
  const shadows = [];
  for (let level = 0; level <= Math.max(...byLevel.keys()); level += 1) {
    if (level) shadows.push(`0 ${level * 4}px 0 var(--surface)`);
    shadows.push(`0 ${level * 4 + 2}px 0 ${byLevel.get(level) ?? "var(--surface)"}`);
  }
  return shadows.join(", ");
}
