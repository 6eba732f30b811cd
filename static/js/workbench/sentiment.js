// @ts-check
/** Classification: a key chooses the label; where one is all there can be, it saves as well. */

import { find } from "./dom.js";
import { Palette } from "./palette.js";
import { t } from "./strings.js";
import { IndexedText } from "./text.js";

/**
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {import("./workbench.js").WorkbenchContext} WorkbenchContext
 */

export class SentimentEditor {
  /** @param {WorkbenchContext} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.text = find("#text");
    this.palette = new Palette(find("#palette"), (label) => this.#choose(label));
    this.labels = new Map(ctx.schema.labels.map((label) => [label.name, label]));
    this.multiple = ctx.schema.mode === "multi";
  }

  /** @returns {Payload} */
  empty() {
    return { labels: [] };
  }

  /** @param {import("./api.js").WorkItem} example */
  show(example) {
    this.text.textContent = new IndexedText(example.inputs.text, []).text;
    this.text.scrollTop = 0;
  }

  /** @param {Payload} payload */
  render(payload) {
    const { labels = [] } = payload;
    this.palette.press(labels);
    this.palette.showGone(labels.filter((name) => !this.labels.has(name) || this.labels.get(name)?.retired), (label) => this.#drop(label));
  }

  /**
   * @param {Payload} payload
   * @returns {import("./comparison.js").Line[]}
   */
  describe(payload) {
    return (payload.labels ?? []).map((name) => {
      const label = this.labels.get(name);
      return { words: "", label: label?.title || name, color: label?.color ?? "#64748b", key: name };
    });
  }

  /**
   * Why the payload cannot be saved yet, if so.
   * @param {Payload} payload
   */
  missing(payload) {
    return this.multiple || payload.labels?.length === 1 ? "" : "choose_label";
  }

  /** The keys of labels, which the palette listens to: they stand here for the help. */
  bindings() {
    const text = t(this.multiple ? "key_label" : "key_label_saves");
    return [{ keys: [], shown: "1 2 3 …", text, run: () => {} }];
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return this.palette.key(event);
  }

  /** @param {string} label */
  #drop(label) {
    this.ctx.change({ labels: (this.ctx.payload.labels ?? []).filter((name) => name !== label) });
  }

  /** @param {string} label */
  #choose(label) {
    const { labels = [] } = this.ctx.payload;
    if (!this.multiple) {
      this.ctx.change({ labels: [label] });
      // Where somebody else's label stands, it takes one key more to replace it.
      if (this.ctx.savesAtOnce()) this.ctx.save();
    } else {
      this.ctx.change({
        labels: labels.includes(label) ? labels.filter((item) => item !== label) : [...labels, label].sort(),
      });
    }
  }
}
