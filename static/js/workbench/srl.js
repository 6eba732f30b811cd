// @ts-check
/** Semantic roles: mark a predicate, choose its sense, then give its arguments their roles. */

import { applyColor } from "../colors.js";
import { find, h } from "./dom.js";
import { Palette } from "./palette.js";
import { renderRows } from "./rows.js";
import { t } from "./strings.js";
import { IndexedText } from "./text.js";
import { TextView } from "./text-view.js";

/**
 * @typedef {import("./api.js").Argument} Argument
 * @typedef {import("./api.js").Predicate} Predicate
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {import("./api.js").Roleset} Roleset
 * @typedef {import("./text-view.js").Range} Range
 * @typedef {import("./workbench.js").WorkbenchContext} WorkbenchContext
 */

const OTHER = "#64748b";
const PREDICATE = "#b45309";

export class SrlEditor {
  /** The predicate that is worked on, by its place. @type {string | null} */
  #current = null;
  /** Its argument that is picked, by its place. @type {string | null} */
  #active = null;
  #text = new IndexedText("", []);
  /** Whether the example has just been opened: its first predicate is the one to look at. */
  #isFresh = true;
  /** @type {Map<string, Promise<Roleset[]>>} */
  #rolesets = new Map();

  /** @param {WorkbenchContext} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.roles = new Map(ctx.schema.roles.map((role) => [role.name, role]));
    this.palette = new Palette(find("#palette"), (role) => this.#choose(role));
    this.predicates = find("#predicates");
    this.arguments = find("#arguments");
    this.senses = find("#senses");
    this.view = new TextView(find("#text"), {
      selected: (range) => range && this.#active && this.#pickArgument(null),
      picked: (id) => this.#picked(id),
      blank: () => this.ctx.say(t("only_blanks")),
    });
    find("#mark-predicate").addEventListener("click", () => this.#markPredicate());
  }

  /** @returns {Payload} */
  empty() {
    return { predicates: [] };
  }

  /** @param {import("./api.js").WorkItem} example */
  show(example) {
    this.#text = new IndexedText(example.inputs.text, example.inputs.tokens);
    this.#current = this.#active = null;
    this.#isFresh = true;
    this.predicates.replaceChildren();
    this.arguments.replaceChildren();
    this.view.show(this.#text);
  }

  /**
   * @param {Payload} payload
   * @returns {import("./comparison.js").Line[]}
   */
  describe(payload) {
    const words = (/** @type {Range} */ { start, end }) => this.#text.slice(start, end);
    return (payload.predicates ?? []).flatMap((predicate) => [
      { words: words(predicate), label: predicate.sense || t("predicate_tag"), color: PREDICATE, key: `${placeOf(predicate)} ${predicate.sense}` },
      ...predicate.arguments.map((item) => ({
        words: words(item),
        label: item.role,
        color: this.#color(item.role),
        key: `${placeOf(predicate)} ${placeOf(item)} ${item.role}`,
        isPart: true,
      })),
    ]);
  }

  /** @param {Payload} payload */
  render(payload) {
    const predicates = payload.predicates ?? [];
    if (!predicates.some((item) => placeOf(item) === this.#current)) {
      this.#current = predicates.length ? placeOf(predicates[this.#isFresh ? 0 : predicates.length - 1]) : null;
    }
    this.#isFresh = false;
    const current = this.#predicate();
    if (!current?.arguments.some((item) => placeOf(item) === this.#active)) this.#active = null;
    this.view.paint([
      ...predicates.map((item) => ({
        id: `p:${placeOf(item)}`,
        ...range(item),
        tag: item === current ? item.sense || t("predicate_tag") : "",
        color: item === current ? PREDICATE : OTHER,
        kind: item === current ? "piece-predicate" : "piece-other",
      })),
      ...(current?.arguments ?? []).map((item) => ({
        id: `a:${placeOf(item)}`,
        ...range(item),
        tag: short(item.role),
        color: this.#color(item.role),
        active: placeOf(item) === this.#active,
      })),
    ]);
    const predicateLook = (/** @type {Predicate} */ item) =>
      `${placeOf(item)} ${item.sense} ${item.arguments.length} ${item === current}`;
    renderRows(this.predicates, predicates, predicateLook, (item) => this.#predicateRow(item));
    find("#predicates-empty").hidden = predicates.length > 0;
    find("#frame").hidden = !current;
    const argumentLook = (/** @type {Argument} */ item) => `${placeOf(item)} ${item.role} ${placeOf(item) === this.#active}`;
    renderRows(this.arguments, current?.arguments ?? [], argumentLook, (item) => this.#argumentRow(item));
    const active = current?.arguments.find((item) => placeOf(item) === this.#active);
    this.palette.press(active ? [baseOf(active.role)] : []);
    this.#renderSenses(current);
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
    const move = (/** @type {1 | -1} */ step, extend = false) => () => this.view.move(step, extend);
    const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `Shift+Digit${n}`);
    return [
      { keys: ["ArrowRight"], shown: "→", text: t("key_next_word"), run: move(1), repeats: true },
      { keys: ["ArrowLeft"], shown: "←", text: t("key_previous_word"), run: move(-1), repeats: true },
      { keys: ["Shift+ArrowRight"], shown: "⇧ →", text: t("key_grow"), run: move(1, true), repeats: true },
      { keys: ["Shift+ArrowLeft"], shown: "⇧ ←", text: t("key_shrink"), run: move(-1, true), repeats: true },
      { keys: ["Shift+p"], shown: "⇧ P", text: t("key_predicate"), run: () => this.#markPredicate() },
      { keys: digits, shown: "⇧ 1 … 9", text: t("key_sense"), run: (event) => this.#chooseSense(Number(event.code.slice(5)) - 1) },
      { keys: ["Shift+v"], shown: "⇧ V", text: t("key_next_sense"), run: () => this.#nextSense() },
      { keys: ["]"], shown: "]", text: t("key_next_predicate"), run: () => this.#walk(1), repeats: true },
      { keys: ["["], shown: "[", text: t("key_previous_predicate"), run: () => this.#walk(-1), repeats: true },
      { keys: [";"], shown: ";", text: t("key_next_argument"), run: () => this.#walkArguments(), repeats: true },
      { keys: ["Shift+c"], shown: "⇧ C", text: t("key_continuation"), run: () => this.#prefix("C-") },
      { keys: ["Shift+r"], shown: "⇧ R", text: t("key_reference"), run: () => this.#prefix("R-") },
      { keys: ["Delete", "Backspace"], shown: "⌫", text: t("key_remove"), run: () => this.#removePicked() },
      { keys: ["Escape"], shown: "Esc", text: t("key_deselect"), run: () => (this.view.select(null), this.#pickArgument(null)) },
    ];
  }

  /** @param {Predicate} predicate */
  #predicateRow(predicate) {
    const words = this.#text.slice(predicate.start, predicate.end);
    const isCurrent = placeOf(predicate) === this.#current;
    return h(
      "li.item",
      isCurrent ? { "aria-current": "true" } : {},
      h(
        "button.item-pick",
        { type: "button", onclick: () => this.#pickPredicate(placeOf(predicate)) },
        h("strong.item-words", {}, words),
        predicate.sense && h("code", {}, predicate.sense),
        h("span.muted.small", {}, t("n_arguments", { n: predicate.arguments.length })),
      ),
      removeButton(t("remove_predicate", { words }), () => this.#removePredicate(placeOf(predicate))),
    );
  }

  /** @param {Argument} argument */
  #argumentRow(argument) {
    const words = this.#text.slice(argument.start, argument.end);
    const chip = h("span.chip", { "data-color": this.#color(argument.role) }, argument.role);
    applyColor(chip, this.#color(argument.role));
    const isActive = placeOf(argument) === this.#active;
    return h(
      "li.item",
      isActive ? { "aria-current": "true" } : {},
      h("button.item-pick", { type: "button", onclick: () => this.#pickArgument(placeOf(argument)) }, chip, h("span.item-words", {}, words)),
      removeButton(t("remove_span", { words }), () => this.#removeArgument(placeOf(argument))),
    );
  }

  /** @param {Predicate | undefined} current */
  async #renderSenses(current) {
    this.#describeRoles(null);
    if (!current) return;
    const words = this.#text.slice(current.start, current.end);
    find("#frame-title").textContent = words;
    const field = /** @type {HTMLInputElement} */ (find("#sense-other"));
    if (document.activeElement !== field) field.value = current.sense ?? "";
    field.onchange = () => this.#setSense(field.value.trim() || null);
    const known = await this.#lookUp(words);
    if (placeOf(this.#predicate() ?? { start: -1, end: -1 }) !== placeOf(current)) return;
    this.senses.replaceChildren(
      ...known.map((roleset, i) =>
        h(
          "button.sense",
          {
            type: "button",
            "aria-pressed": String(roleset.id === current.sense),
            onclick: () => this.#setSense(roleset.id === current.sense ? null : roleset.id),
          },
          h("code", {}, roleset.id),
          h("span", {}, roleset.name),
          i < 9 && h("kbd", {}, `⇧${i + 1}`),
        ),
      ),
    );
    find("#senses-none").hidden = known.length > 0;
    this.#describeRoles(known.find((roleset) => roleset.id === current.sense) ?? null);
  }

  /**
   * What each role means for the sense that is chosen, beside its button.
   * @param {Roleset | null} roleset
   */
  #describeRoles(roleset) {
    const said = new Map((roleset?.roles ?? []).map((item) => [item.role, item.description]));
    for (const button of this.palette.buttons) {
      const place = button.querySelector(".palette-hint");
      if (place) place.textContent = said.get(button.dataset.label ?? "") ?? "";
      button.classList.toggle("palette-expected", said.has(button.dataset.label ?? ""));
    }
  }

  /**
   * @param {string} words
   * @returns {Promise<Roleset[]>}
   */
  #lookUp(words) {
    let found = this.#rolesets.get(words);
    if (!found) {
      found = this.ctx.api.rolesets(words).then(
        (answer) => answer.items,
        () => (this.#rolesets.delete(words), []),
      );
      this.#rolesets.set(words, found);
    }
    return found;
  }

  #markPredicate() {
    // A click inside an argument picks that; the word that was clicked can be a predicate all the same.
    const place = this.view.selection ?? (this.#active ? this.view.clickedWord : null);
    if (!place) {
      this.ctx.say(t("select_predicate"));
      return;
    }
    const { predicates = [] } = this.ctx.payload;
    this.#current = placeOf(place);
    this.#active = null;
    this.view.select(null);
    if (predicates.some((item) => placeOf(item) === this.#current)) this.render(this.ctx.payload);
    else this.#change([...predicates, { ...place, sense: null, arguments: [] }]);
  }

  /** @param {string} role */
  #choose(role) {
    const current = this.#predicate();
    if (!current) {
      this.ctx.say(t("predicate_first"));
      return;
    }
    if (this.#active) {
      const prefix = current.arguments.find((item) => placeOf(item) === this.#active)?.role.match(/^[CR]-/)?.[0] ?? "";
      this.#setRole(prefix + role);
      return;
    }
    const place = this.view.selection;
    if (!place) {
      this.ctx.say(t("select_argument"));
      return;
    }
    // A word plays one role for a predicate: what was there gives way (and undo brings it back).
    const apart = current.arguments.filter((item) => item.end <= place.start || place.end <= item.start);
    const replaced = current.arguments.filter((item) => !apart.includes(item));
    const words = (/** @type {Range} */ { start, end }) => this.#text.slice(start, end);
    const instead = replaced.map((item) => `${words(item)} (${item.role})`).join("”, “");
    this.view.select(null);
    this.#update({ ...current, arguments: [...apart, { ...place, role }] });
    this.ctx.say(t(replaced.length ? "replaced" : "added", { words: words(place), label: role, instead }));
  }

  /** @param {"C-" | "R-"} prefix */
  #prefix(prefix) {
    const active = this.#predicate()?.arguments.find((item) => placeOf(item) === this.#active);
    if (!active) {
      this.ctx.say(t("pick_argument"));
      return;
    }
    this.#setRole(active.role.startsWith(prefix) ? baseOf(active.role) : prefix + baseOf(active.role));
  }

  /** @param {string} role */
  #setRole(role) {
    const current = this.#predicate();
    if (!current) return;
    this.#update({
      ...current,
      arguments: current.arguments.map((item) => (placeOf(item) === this.#active ? { ...item, role } : item)),
    });
  }

  /** @param {string | null} sense */
  #setSense(sense) {
    const current = this.#predicate();
    if (current && current.sense !== sense) this.#update({ ...current, sense });
  }

  /** @param {number} place */
  async #chooseSense(place) {
    const current = this.#predicate();
    if (!current) return;
    const known = await this.#lookUp(this.#text.slice(current.start, current.end));
    if (known[place]) this.#setSense(known[place].id);
  }

  /** The sense after the one that is chosen; none after the last. */
  async #nextSense() {
    const current = this.#predicate();
    if (!current) return;
    const known = await this.#lookUp(this.#text.slice(current.start, current.end));
    const at = known.findIndex((roleset) => roleset.id === current.sense);
    if (known.length) this.#setSense(known[at + 1]?.id ?? null);
  }

  #removePicked() {
    const selection = this.view.selection;
    if (this.#active) this.#removeArgument(this.#active);
    else if (selection) {
      const argument = this.#predicate()?.arguments.find((item) => placeOf(item) === placeOf(selection));
      if (argument) this.#removeArgument(placeOf(argument));
      else this.ctx.say(t("pick_argument"));
    } else if (this.#current) this.#removePredicate(this.#current);
  }

  /** @param {string} place */
  #removeArgument(place) {
    const current = this.#predicate();
    if (current) this.#update({ ...current, arguments: current.arguments.filter((item) => placeOf(item) !== place) });
  }

  /** @param {string} place */
  #removePredicate(place) {
    this.#change((this.ctx.payload.predicates ?? []).filter((item) => placeOf(item) !== place));
  }

  /** @param {Predicate} predicate */
  #update(predicate) {
    const sorted = [...predicate.arguments].sort((a, b) => a.start - b.start || a.end - b.end);
    this.#change(
      (this.ctx.payload.predicates ?? []).map((item) =>
        placeOf(item) === placeOf(predicate) ? { ...predicate, arguments: sorted } : item,
      ),
    );
  }

  /** @param {Predicate[]} predicates */
  #change(predicates) {
    this.ctx.change({ predicates: [...predicates].sort((a, b) => a.start - b.start || a.end - b.end) });
  }

  /** @param {string} id */
  #picked(id) {
    if (id.startsWith("p:")) this.#pickPredicate(id.slice(2));
    else this.#pickArgument(id.slice(2));
  }

  /** @param {string} place */
  #pickPredicate(place) {
    // A second click on the predicate in work takes its word, so that it can be an argument as well.
    if (place === this.#current) {
      const current = this.#predicate();
      if (current) this.view.select(range(current));
      return;
    }
    this.#current = place;
    this.#pickArgument(null);
  }

  /** @param {string | null} place */
  #pickArgument(place) {
    if (place && this.view.selection) this.view.select(null);
    this.#active = place;
    this.render(this.ctx.payload);
  }

  /** @param {1 | -1} step */
  #walk(step) {
    const { predicates = [] } = this.ctx.payload;
    if (!predicates.length) return;
    const at = predicates.findIndex((item) => placeOf(item) === this.#current);
    this.#current = placeOf(predicates[(at + step + predicates.length) % predicates.length]);
    this.#pickArgument(null);
  }

  #walkArguments() {
    const all = this.#predicate()?.arguments ?? [];
    if (!all.length) return;
    const at = all.findIndex((item) => placeOf(item) === this.#active);
    this.#pickArgument(placeOf(all[(at + 1) % all.length]));
  }

  #predicate() {
    return (this.ctx.payload.predicates ?? []).find((item) => placeOf(item) === this.#current);
  }

  /** @param {string} role */
  #color(role) {
    return this.roles.get(baseOf(role))?.color ?? OTHER;
  }
}

/**
 * @param {string} label
 * @param {() => void} run
 */
function removeButton(label, run) {
  return h("button.btn.btn-ghost.btn-icon.btn-small", { type: "button", "aria-label": label, title: t("remove"), onclick: run }, "×");
}

/** @param {Range} item */
function placeOf(item) {
  return `${item.start}-${item.end}`;
}

/** @param {Range} item */
function range({ start, end }) {
  return { start, end };
}

/** @param {string} role */
function baseOf(role) {
  return role.replace(/^(?:[CR]-)+/, "");
}

/** A role as it stands in the text: ARGM-TMP is TMP, ARG0 is A0. @param {string} role */
function short(role) {
  return role.replace("ARGM-", "").replace(/ARG(?=[0-9A])/, "A");
}
