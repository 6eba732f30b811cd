// @ts-check
/** Spans with labels: select words, press a key. */

import { applyColor } from "../colors.js";
import { find, h } from "./dom.js";
import { Palette } from "./palette.js";
import { renderRows } from "./rows.js";
import { t } from "./strings.js";
import { IndexedText } from "./text.js";
import { TextView } from "./text-view.js";

/**
 * @typedef {import("./api.js").Span} Span
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {import("./workbench.js").WorkbenchContext} WorkbenchContext
 */

export class NerEditor {
  /** The label that every new selection gets at once. @type {string | null} */
  #stickyLabel = null;
  /** The span that is picked. @type {string | null} */
  #active = null;
  #text = new IndexedText("", []);

  /** @param {WorkbenchContext} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.labels = new Map(ctx.schema.labels.map((label) => [label.name, label]));
    this.palette = new Palette(find("#palette"), (label) => this.#choose(label));
    this.list = find("#entities");
    this.view = new TextView(find("#text"), {
      selected: (range) => this.#selected(range),
      picked: (id) => this.#pick(id),
      blank: () => this.ctx.say(t("only_blanks")),
    });
  }

  /** @returns {Payload} */
  empty() {
    return { spans: [] };
  }

  /** @param {import("./api.js").WorkItem} example */
  show(example) {
    this.#text = new IndexedText(example.inputs.text, example.inputs.tokens);
    this.#active = null;
    this.list.replaceChildren();
    this.view.show(this.#text);
  }

  /**
   * @param {Payload} payload
   * @returns {import("./comparison.js").Line[]}
   */
  describe(payload) {
    return (payload.spans ?? []).map((span) => ({
      words: this.#text.slice(span.start, span.end),
      label: this.#title(span.label),
      color: this.#color(span.label),
      key: idOf(span),
    }));
  }

  /** @param {Payload} payload */
  render(payload) {
    const spans = payload.spans ?? [];
    if (!spans.some((span) => idOf(span) === this.#active)) this.#active = null;
    this.view.paint(
      spans.map((span) => ({
        id: idOf(span),
        start: span.start,
        end: span.end,
        tag: this.#title(span.label),
        color: this.#color(span.label),
        active: idOf(span) === this.#active,
      })),
    );
    const lookOf = (/** @type {Span} */ span) => `${idOf(span)} ${idOf(span) === this.#active}`;
    renderRows(this.list, spans, lookOf, (span) => this.#row(span));
    find("#entities-empty").hidden = spans.length > 0;
    const active = this.#span();
    this.palette.press(active ? [active.label] : this.#stickyLabel ? [this.#stickyLabel] : []);
  }

  missing() {
    return "";
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return this.palette.key(event);
  }

  /** @returns {import("./keys.js").Binding[]} */
  bindings() {
    const move = (/** @type {1 | -1} */ step, extend = false) => () => {
      if (this.#active) this.#pick(null);
      this.view.move(step, extend);
    };
    return [
      { keys: ["ArrowRight"], shown: "→", text: t("key_next_word"), run: move(1), repeats: true },
      { keys: ["ArrowLeft"], shown: "←", text: t("key_previous_word"), run: move(-1), repeats: true },
      { keys: ["Shift+ArrowRight"], shown: "⇧ →", text: t("key_grow"), run: move(1, true), repeats: true },
      { keys: ["Shift+ArrowLeft"], shown: "⇧ ←", text: t("key_shrink"), run: move(-1, true), repeats: true },
      { keys: ["]"], shown: "]", text: t("key_next_entity"), run: () => this.#walk(1), repeats: true },
      { keys: ["["], shown: "[", text: t("key_previous_entity"), run: () => this.#walk(-1), repeats: true },
      { keys: ["Delete", "Backspace"], shown: "⌫", text: t("key_remove"), run: () => this.#remove(this.#active) },
      { keys: ["Escape"], shown: "Esc", text: t("key_deselect"), run: () => this.#clearSelection() },
    ];
  }

  /** @param {Span} span */
  #row(span) {
    const chip = h("span.chip", {}, this.#title(span.label));
    chip.dataset.color = this.#color(span.label);
    applyColor(chip, this.#color(span.label));
    const words = this.#text.slice(span.start, span.end);
    return h(
      "li.item",
      idOf(span) === this.#active ? { "aria-current": "true" } : {},
      h("button.item-pick", { type: "button", onclick: () => this.#pick(idOf(span)) }, h("span.item-words", {}, words), chip),
      h(
        "button.btn.btn-ghost.btn-icon.btn-small",
        { type: "button", "aria-label": t("remove_span", { words }), title: t("remove"), onclick: () => this.#remove(idOf(span)) },
        "×",
      ),
    );
  }

  /** @param {string} label */
  #choose(label) {
    const active = this.#span();
    if (active) this.#relabel(active, label);
    else if (this.view.selection) this.#add(label);
    else {
      this.#stickyLabel = this.#stickyLabel === label ? null : label;
      this.ctx.say(this.#stickyLabel ? t("brush_on", { label: this.#title(label) }) : t("brush_off"));
      this.render(this.ctx.payload);
    }
  }

  /** @param {import("./text-view.js").Range | null} range */
  #selected(range) {
    if (!range) return;
    if (this.#active) {
      this.#active = null;
      this.render(this.ctx.payload);
    }
    if (this.#stickyLabel) this.#add(this.#stickyLabel);
  }

  /** @param {string} label */
  #add(label) {
    const range = this.view.selection;
    if (!range) return;
    const span = { ...range, label };
    const { spans = [] } = this.ctx.payload;
    const mode = this.ctx.schema.mode;
    const same = (/** @type {Span} */ other) => other.start === span.start && other.end === span.end;
    let kept = spans;
    /** @type {Span[]} */
    let replaced = [];
    if (mode === "flat") kept = spans.filter((other) => other.end <= span.start || span.end <= other.start);
    else if (mode === "nested") {
      const crossing = spans.find((other) => crosses(other, span));
      if (crossing) {
        this.ctx.say(t("crosses", { words: this.#text.slice(crossing.start, crossing.end) }));
        return;
      }
      kept = spans.filter((other) => !same(other));
    } else kept = spans.filter((other) => !(same(other) && other.label === label));
    if (mode === "flat") replaced = spans.filter((other) => !kept.includes(other) && !same(other));
    this.view.select(null);
    this.#change([...kept, span]);
    const words = (/** @type {Span} */ { start, end }) => this.#text.slice(start, end);
    const said = { words: words(span), label: this.#title(label), instead: replaced.map(words).join("”, “") };
    this.ctx.say(t(replaced.length ? "replaced" : "added", said));
  }

  /**
   * @param {Span} span
   * @param {string} label
   */
  #relabel(span, label) {
    this.#active = idOf({ ...span, label });
    const others = (this.ctx.payload.spans ?? []).filter((other) => other !== span && idOf(other) !== this.#active);
    this.#change([...others, { ...span, label }]);
  }

  /** @param {string | null} id */
  #remove(id) {
    const { spans = [] } = this.ctx.payload;
    if (spans.some((span) => idOf(span) === id)) this.#change(spans.filter((span) => idOf(span) !== id));
  }

  /** @param {Span[]} spans */
  #change(spans) {
    this.ctx.change({ spans: spans.sort((a, b) => a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : 1)) });
  }

  /** @param {string | null} id */
  #pick(id) {
    if (this.view.selection) this.view.select(null);
    this.#active = id;
    this.render(this.ctx.payload);
  }

  /** @param {1 | -1} step */
  #walk(step) {
    const { spans = [] } = this.ctx.payload;
    if (!spans.length) return;
    const at = spans.findIndex((span) => idOf(span) === this.#active);
    const next = at < 0 ? (step > 0 ? 0 : spans.length - 1) : (at + step + spans.length) % spans.length;
    this.#pick(idOf(spans[next]));
  }

  #clearSelection() {
    this.#stickyLabel = null;
    this.#pick(null);
  }

  #span() {
    return (this.ctx.payload.spans ?? []).find((span) => idOf(span) === this.#active);
  }

  /** @param {string} label */
  #title(label) {
    return this.labels.get(label)?.title || label;
  }

  /** @param {string} label */
  #color(label) {
    return this.labels.get(label)?.color ?? "#64748b";
  }
}

/** @param {Span} span */
function idOf(span) {
  return `${span.start}-${span.end}-${encodeURIComponent(span.label)}`;
}

/**
 * Whether two spans share text and neither holds the other.
 * @param {Span} a
 * @param {Span} b
 */
function crosses(a, b) {
  const apart = a.end <= b.start || b.end <= a.start;
  const nested = (a.start <= b.start && b.end <= a.end) || (b.start <= a.start && a.end <= b.end);
  return !apart && !nested;
}
