// @ts-check
/** The workbench: brings the example, keeps what is done to it, saves it, brings the next. */

import { Api, Refused, Unreachable } from "./api.js";
import { Dialogs } from "./dialogs.js";
import { find, h } from "./dom.js";
import { dispatch, isElsewhere } from "./keys.js";
import { Drafts, Outbox } from "./outbox.js";
import { t } from "./strings.js";

/**
 * @typedef {import("./api.js").Example} Example
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {{name: string, title: string | null, color: string, hotkey: string | null, description: string}} Label
 * @typedef {{mode?: string, labels: Label[], roles: Label[]}} Schema
 * @typedef {{id: string, name: string, task: string, language: string, schema: Schema}} Project
 *
 * What a task's editor sees of the workbench:
 * @typedef {{schema: Schema, api: Api, payload: Payload, change: (payload: Payload) => void,
 *   save: () => void, say: (words: string) => void}} Desk
 *
 * What the workbench wants of a task's editor:
 * @typedef {{empty: () => Payload, show: (example: Example) => void, render: (payload: Payload) => void,
 *   missing: (payload: Payload) => string, key: (event: KeyboardEvent) => boolean,
 *   bindings: () => import("./keys.js").Binding[]}} Editor
 */

export class Workbench {
  /** @type {Example | null} */
  #example = null;
  /** @type {Payload} */
  payload = {};
  /** @type {Payload[]} */
  #done = [];
  /** @type {Payload[]} */
  #undone = [];
  #isBusy = false;
  /** The example that was saved last, for going back by undo. @type {number | null} */
  #last = null;
  #seconds = new Stopwatch();

  /**
   * @param {Project} project
   * @param {{api: string}} urls
   * @param {new (desk: Desk) => Editor} EditorType
   */
  constructor(project, urls, EditorType) {
    this.project = project;
    this.schema = project.schema;
    this.api = new Api(urls.api);
    this.outbox = new Outbox(this.api, project.id, (isReachable) => this.#connection(isReachable));
    this.drafts = new Drafts(project.id);
    this.comment = /** @type {HTMLTextAreaElement} */ (find("#comment"));
    this.editor = new EditorType(this);
    this.bindings = [...this.#commands(), ...this.editor.bindings()];
    this.dialogs = new Dialogs(this.api, this.bindings, (id) => this.open(id));
    this.#listen();
  }

  /**
   * Begins: sends what an earlier page could not, then shows the example that came with the page, or the next.
   * @param {Example | null} example
   */
  async start(example) {
    await this.#busy(async () => {
      const { sent, refused } = await this.outbox.flush();
      if (example) this.#show(sent ? await this.api.example(example.id) : example);
      else await this.#next(null);
      if (sent) this.say(t("sent_late", { n: sent }));
      if (refused.length) this.#problem(t("refused_late", { n: refused.length }));
    });
  }

  /**
   * Shows an example by its id.
   * @param {number} id
   */
  open(id) {
    return this.#busy(async () => {
      this.#show(await this.api.example(id));
      history.replaceState(null, "", `?example=${id}`);
    });
  }

  // -- what editors call ---------------------------------------------------------------------

  /** @param {Payload} payload */
  change(payload) {
    // What is being saved stands still: a key pressed meanwhile was meant for nothing that can be seen yet.
    if (this.#isBusy) return;
    this.say("");
    this.#done.push(this.payload);
    this.#undone = [];
    this.#set(payload);
  }

  save() {
    return this.#send(false);
  }

  /** @param {string} words */
  say(words) {
    find("#said").textContent = words;
  }

  // -- the flow ------------------------------------------------------------------------------

  /** @param {boolean} skipped */
  #send(skipped) {
    return this.#busy(async () => {
      const example = this.#example;
      if (!example) return;
      const missing = skipped ? "" : this.editor.missing(this.payload);
      if (missing) {
        this.say(t(missing));
        return;
      }
      let words = "";
      if (skipped || !this.#isSaved()) {
        const saved = await this.#saveOn(example, skipped, example.revision);
        if (!saved) return;
        this.#last = example.id;
        words = skipped ? t("skipped") : t("saved");
      }
      await this.#next(example.id);
      if (words && !find("#said").textContent) this.say(words);
    });
  }

  /**
   * @param {Example} example
   * @param {boolean} skipped
   * @param {number} base
   * @returns {Promise<boolean>} whether it is saved
   */
  async #saveOn(example, skipped, base) {
    const saving = {
      payload: skipped ? null : this.payload,
      skipped,
      comment: this.comment.value,
      base_revision: base,
      client_key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
      seconds: this.#seconds.read(),
    };
    try {
      await this.outbox.send({ example: example.id, saving });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 409 && error.problem.current) return this.#settle(example, skipped, error.problem.current);
      this.#refused(error);
      return false;
    }
    this.drafts.drop(example.id);
    return true;
  }

  /**
   * Another tab was quicker: the person decides which of the two stands.
   * @param {Example} example
   * @param {boolean} skipped
   * @param {{revision: number, payload: Payload | null, comment?: string}} current
   */
  async #settle(example, skipped, current) {
    const choice = await this.dialogs.conflict();
    if (choice === "mine") return this.#saveOn(example, skipped, current.revision);
    this.drafts.drop(example.id);
    if (choice === "theirs") this.#show(await this.api.example(example.id));
    return false;
  }

  /** @param {number | null} after */
  async #next(after) {
    const example = await this.api.next(after);
    if (location.search) history.replaceState(null, "", location.pathname);
    if (example) this.#show(example);
    else this.#finish();
  }

  /** @param {Example} example */
  #show(example) {
    this.#example = example;
    this.#done = [];
    this.#undone = [];
    const draft = this.drafts.find(example.id, example.revision);
    this.comment.value = draft ? draft.comment : example.comment;
    find("#desk").hidden = false;
    find("#finished").hidden = true;
    this.#problem("");
    this.say("");
    this.editor.show(draft ? { ...example, annotation: draft.payload } : example);
    this.payload = draft?.payload ?? example.annotation ?? this.editor.empty();
    this.editor.render(this.payload);
    this.#buttons();
    this.#about(example);
    if (draft) this.say(t("draft_restored"));
    this.#seconds.start();
  }

  #finish() {
    this.#example = null;
    find("#desk").hidden = true;
    find("#finished").hidden = false;
    find("#finished h2").focus();
  }

  /** @param {Payload} payload */
  #set(payload) {
    this.payload = payload;
    this.editor.render(payload);
    this.#buttons();
    this.#keepDraft();
  }

  #keepDraft() {
    const example = this.#example;
    if (!example) return;
    if (this.#isUnchanged()) this.drafts.drop(example.id);
    else this.drafts.keep(example.id, { payload: this.payload, comment: this.comment.value, revision: example.revision });
  }

  /** Whether the example stands as it came. */
  #isUnchanged() {
    const example = this.#example;
    const before = example?.annotation ?? this.editor.empty();
    return JSON.stringify(before) === JSON.stringify(this.payload) && example?.comment === this.comment.value;
  }

  /** Whether saving would say again what I have said already. */
  #isSaved() {
    return this.#isUnchanged() && Boolean(this.#example?.revision) && !this.#example?.skipped;
  }

  #undo() {
    if (this.#isBusy) return;
    const before = this.#done.pop();
    if (before) {
      this.#undone.push(this.payload);
      this.#set(before);
      this.say(t("undone"));
    } else if (this.#last !== null && this.#last !== this.#example?.id) {
      this.open(this.#last);
    }
  }

  #redo() {
    if (this.#isBusy) return;
    const after = this.#undone.pop();
    if (!after) return;
    this.say("");
    this.#done.push(this.payload);
    this.#set(after);
  }

  /** The example that I worked on before this one. */
  #back() {
    return this.#busy(async () => {
      const { items } = await this.api.mine();
      const here = items.findIndex((item) => item.id === this.#example?.id);
      const before = items[here + 1];
      if (!before) {
        this.say(t("nothing_before"));
        return;
      }
      this.#show(await this.api.example(before.id));
      history.replaceState(null, "", `?example=${before.id}`);
    });
  }

  /**
   * One thing at a time: a key pressed while something is under way does nothing twice.
   * @param {() => Promise<void>} work
   */
  async #busy(work) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    find("#desk").setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      if (error instanceof Refused) this.#refused(error);
      else if (error instanceof Unreachable) this.#problem(t("unreachable"));
      else throw error;
    } finally {
      this.#isBusy = false;
      find("#desk").removeAttribute("aria-busy");
    }
  }

  // -- the page ------------------------------------------------------------------------------

  /** @returns {import("./keys.js").Binding[]} */
  #commands() {
    return [
      { keys: ["Enter"], shown: "↵", text: t("key_save"), run: () => this.#send(false) },
      { keys: ["S"], shown: "⇧ S", text: t("key_skip"), run: () => this.#send(true) },
      { keys: ["Ctrl+z"], shown: "Ctrl Z", text: t("key_undo"), run: () => this.#undo() },
      { keys: ["Ctrl+Shift+z", "Ctrl+y"], shown: "Ctrl ⇧ Z", text: t("key_redo"), run: () => this.#redo() },
      { keys: ["B"], shown: "⇧ B", text: t("key_back"), run: () => this.#back() },
      { keys: ["H"], shown: "⇧ H", text: t("key_history"), run: () => this.dialogs.history() },
      { keys: ["N"], shown: "⇧ N", text: t("key_comment"), run: () => this.#openComment() },
      { keys: ["G"], shown: "⇧ G", text: t("key_guidelines"), run: () => this.dialogs.guidelines() },
      { keys: ["?"], shown: "?", text: t("key_help"), run: () => this.dialogs.help() },
    ];
  }

  #listen() {
    document.addEventListener("keydown", (event) => {
      if (event.isComposing || isElsewhere(event)) {
        if (event.key === "Escape" && event.target === this.comment) this.comment.blur();
        return;
      }
      if (this.#example === null && !["H", "B", "?", "G", "Ctrl+z"].includes(event.key)) return;
      if (!dispatch(this.bindings, event) && !event.ctrlKey && !event.metaKey && !event.altKey) this.editor.key(event);
    });
    /** @type {Record<string, () => void>} */
    const buttons = {
      save: () => this.#send(false),
      skip: () => this.#send(true),
      undo: () => this.#undo(),
      redo: () => this.#redo(),
      back: () => this.#back(),
      history: () => this.dialogs.history(),
      help: () => this.dialogs.help(),
      guidelines: () => this.dialogs.guidelines(),
    };
    for (const button of document.querySelectorAll("[data-do]")) {
      button.addEventListener("pointerdown", (event) => event.preventDefault());
      button.addEventListener("click", () => buttons[/** @type {HTMLElement} */ (button).dataset.do ?? ""]?.());
    }
    this.comment.addEventListener("input", () => this.#keepDraft());
  }

  #openComment() {
    const box = /** @type {HTMLDetailsElement} */ (find("#comment-box"));
    box.open = true;
    this.comment.focus();
  }

  #buttons() {
    const disable = (/** @type {string} */ name, /** @type {boolean} */ isOff) => {
      for (const button of document.querySelectorAll(`[data-do=${name}]`)) button.setAttribute("aria-disabled", String(isOff));
    };
    disable("undo", !this.#done.length && (this.#last === null || this.#last === this.#example?.id));
    disable("redo", !this.#undone.length);
  }

  /** @param {Example} example */
  #about(example) {
    const { done, total, mine } = example.progress;
    const bar = /** @type {HTMLProgressElement} */ (find("#progress"));
    bar.max = total;
    bar.value = done;
    find("#progress-text").textContent = t("progress", { done: done.toLocaleString(), total: total.toLocaleString(), mine: mine.toLocaleString() });
    const state = example.skipped ? t("state_skipped") : example.revision ? t("state_mine") : example.annotation ? t("state_given") : "";
    find("#state").textContent = state;
    find("#state").hidden = !state;
    const facts = Object.entries({ ...(example.external_id ? { id: example.external_id } : {}), ...example.meta });
    find("#about").hidden = !facts.length;
    find("#facts").replaceChildren(
      ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd.wrap", {}, typeof value === "string" ? value : JSON.stringify(value)))),
    );
    const box = /** @type {HTMLDetailsElement} */ (find("#comment-box"));
    box.open = Boolean(this.comment.value);
  }

  /** @param {Refused} error */
  #refused(error) {
    if (error.status === 401) this.#problem(t("logged_out"), { href: `/login?next=${encodeURIComponent(location.pathname)}`, text: t("log_in") });
    else this.#problem([error.message, ...(error.problem.problems ?? []).slice(1).map((/** @type {any} */ item) => item.message)].join(" "));
  }

  /**
   * @param {string} words empty: there is none
   * @param {{href: string, text: string}} [link]
   */
  #problem(words, link) {
    const place = find("#problem");
    place.replaceChildren(words, ...(link ? [" ", h("a", { href: link.href }, link.text)] : []));
    place.hidden = !words;
  }

  /** @param {boolean} isReachable */
  #connection(isReachable) {
    find("#offline").hidden = isReachable;
  }
}

/** The seconds that the page was looked at. */
class Stopwatch {
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
