// @ts-check
/** The text on the page: spans painted into it, and what of it is selected, by pointer, touch or keys. */

import { applyColor } from "../colors.js";
import { h } from "./dom.js";
import { IndexedText } from "./text.js";

/**
 * @typedef {{start: number, end: number}} Range code points
 * @typedef {{id: string, start: number, end: number, tag: string, color: string, kind?: string, active?: boolean}} PaintedSpan
 */

export class TextView {
  /** The selected range. @type {Range | null} */
  selection = null;
  #text = new IndexedText("", []);
  /** @type {PaintedSpan[]} */
  #spans = [];
  /** Pieces of the text in order. @type {{unit: number, node: Text}[]} */
  #pieces = [];
  /** The tokens where a selection by keys began, and where it is now; they stay when it is gone, -1 before the first. */
  #anchor = -1;
  #focus = -1;
  #pressed = false;
  #timer = 0;
  #exact = false;
  /** The release of a pointer whose selection is not taken yet. @type {PointerEvent | null} */
  #due = null;

  /**
   * @param {HTMLElement} root
   * @param {{selected: (range: Range | null) => void, picked: (id: string) => void}} listener
   */
  constructor(root, listener) {
    this.root = root;
    this.listener = listener;
    root.addEventListener("pointerdown", () => (this.#pressed = true));
    document.addEventListener("pointerup", (event) => this.#released(event));
    document.addEventListener("pointercancel", () => (this.#pressed = false));
    document.addEventListener("selectionchange", () => this.#changed());
    // What is done next builds on the selection, however quickly it follows.
    for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => this.#settleDue(), true);
  }

  /** @param {IndexedText} text */
  show(text) {
    this.#text = text;
    this.#spans = [];
    this.selection = null;
    this.#anchor = this.#focus = -1;
    this.root.scrollTop = 0;
    this.paint([]);
  }

  /**
   * Shows these spans and no others.
   * @param {PaintedSpan[]} spans
   */
  paint(spans) {
    this.#spans = spans;
    const levels = stack(spans);
    const depth = Math.max(0, ...levels.values());
    const bounds = new Set([0, this.#text.length]);
    for (const span of spans) bounds.add(span.start).add(span.end);
    const edges = [...bounds].sort((a, b) => a - b);
    this.#pieces = [];
    const nodes = edges.slice(0, -1).flatMap((start, i) => {
      const covering = spans.filter((span) => span.start <= start && edges[i + 1] <= span.end);
      return this.#piece(start, edges[i + 1], covering, levels, depth);
    });
    this.root.replaceChildren(...nodes);
    this.root.style.setProperty("--levels", String(depth));
    if (this.selection) this.#select(this.selection);
  }

  /**
   * Selects a range, or nothing.
   * @param {Range | null} range
   */
  select(range) {
    this.selection = range;
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
   * @param {number} depth
   */
  #piece(start, end, covering, levels, depth) {
    const node = document.createTextNode(this.#text.slice(start, end));
    this.#pieces.push({ unit: this.#text.unit(start), node });
    if (!covering.length) return [h("span", {}, node)];
    const inner = covering.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
    const piece = h("span.piece", { "data-spans": covering.map((span) => span.id).join(" ") }, node);
    applyColor(piece, inner.color);
    piece.classList.toggle("piece-active", covering.some((span) => span.active));
    for (const kind of new Set(covering.map((span) => span.kind))) if (kind) piece.classList.add(kind);
    piece.style.boxShadow = lines(covering, levels, depth);
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
    return [piece, ...tags];
  }

  /** @param {PointerEvent} event */
  #released(event) {
    const inside = this.#pressed;
    this.#pressed = false;
    if (!inside) return;
    this.#exact = event.altKey;
    // A click that ends a selection empties it only after this event.
    this.#due = event;
    setTimeout(() => this.#settleDue(), 0);
  }

  #changed() {
    if (this.#pressed) return;
    clearTimeout(this.#timer);
    // The handles of a touch screen send no pointer events: the selection is taken when it rests.
    this.#timer = setTimeout(() => this.#settle(null), 250);
  }

  #settleDue() {
    const event = this.#due;
    this.#due = null;
    if (event) this.#settle(event);
  }

  /** @param {PointerEvent | null} event */
  #settle(event) {
    const chosen = getSelection();
    if (!chosen?.rangeCount || !this.root.contains(chosen.anchorNode) || !this.root.contains(chosen.focusNode)) {
      return;
    }
    if (chosen.isCollapsed) {
      if (event) this.#clicked(event, this.#point(chosen.anchorNode, chosen.anchorOffset));
      return;
    }
    const range = chosen.getRangeAt(0);
    const start = this.#point(range.startContainer, range.startOffset);
    const end = this.#point(range.endContainer, range.endOffset);
    const snapped = this.#exact ? this.#text.snapToCharacters(start, end) : this.#text.snap(start, end);
    if (!snapped) return;
    if (this.selection?.start === snapped.start && this.selection.end === snapped.end) return;
    this.#anchor = this.#text.tokenAt(snapped.start);
    this.#focus = this.#text.tokenAt(snapped.end - 1);
    this.select(snapped);
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
    if (hit.length && !event.shiftKey) {
      const at = hit.findIndex((span) => span.active);
      this.listener.picked(hit[(at + 1) % hit.length].id);
      return;
    }
    const token = this.#text.tokenAt(point);
    if (token < 0) return;
    const [start, end] = this.#text.tokens[token];
    this.#anchor = this.#focus = token;
    this.select({ start, end });
  }

  /**
   * Where in the text a place of the document is, in code points.
   * @param {Node | null} node
   * @param {number} offset
   */
  #point(node, offset) {
    if (!node) return 0;
    const range = document.createRange();
    range.setStart(this.root, 0);
    range.setEnd(node, offset);
    return this.#text.point(range.toString().length);
  }

  /** @param {Range} range */
  #select({ start, end }) {
    const [from, to] = [this.#place(this.#text.unit(start), true), this.#place(this.#text.unit(end), false)];
    if (from && to) getSelection()?.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
  }

  /**
   * The node and offset of a place. On an edge between pieces, a start lies in the one behind it.
   * @param {number} unit
   * @param {boolean} isStart
   */
  #place(unit, isStart) {
    const behind = this.#pieces.findIndex((piece) => (isStart ? piece.unit > unit : piece.unit >= unit));
    const piece = this.#pieces.at(behind < 0 ? -1 : Math.max(0, behind - 1));
    return piece && { node: piece.node, offset: Math.min(unit - piece.unit, piece.node.length) };
  }

  /** @param {number} token */
  #reveal(token) {
    const place = this.#place(this.#text.unit(this.#text.tokens[token][0]), true);
    if (!place) return;
    const range = document.createRange();
    range.setStart(place.node, place.offset);
    const [box, frame] = [range.getBoundingClientRect(), this.root.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) this.root.scrollTop += box.top - frame.top - 40;
  }
}

/**
 * A level for each span, so that the lines under spans that share text do not meet: short ones lie on top.
 * @param {PaintedSpan[]} spans
 * @returns {Map<string, number>}
 */
function stack(spans) {
  const levels = new Map();
  const placed = /** @type {PaintedSpan[]} */ ([]);
  for (const span of [...spans].sort((a, b) => a.end - a.start - (b.end - b.start))) {
    const taken = new Set(
      placed.filter((other) => other.start < span.end && span.start < other.end).map((other) => levels.get(other.id)),
    );
    let level = 0;
    while (taken.has(level)) level += 1;
    levels.set(span.id, level);
    placed.push(span);
  }
  return levels;
}

/**
 * The lines under a piece, one a level, as stacked shadows.
 * @param {PaintedSpan[]} covering
 * @param {Map<string, number>} levels
 * @param {number} depth
 */
function lines(covering, levels, depth) {
  const shadows = [];
  for (let level = 0; level <= depth; level += 1) {
    const span = covering.find((item) => levels.get(item.id) === level);
    if (level) shadows.push(`0 ${level * 4}px 0 var(--surface)`);
    shadows.push(`0 ${level * 4 + 2}px 0 ${span ? span.color : "var(--surface)"}`);
  }
  return shadows.join(", ");
}
