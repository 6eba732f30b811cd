// @ts-check
/** The workbench: brings the example, keeps what is done to it, saves it, brings the next. */

import { showFacts, showProgress } from "./about.js";
import { Api, Refused, Unreachable } from "./api.js";
import { Banner } from "./banner.js";
import { listenToButtons, listenToKeys } from "./controls.js";
import { Dialogs } from "./dialogs.js";
import { find } from "./dom.js";
import { showDrafts } from "./draft-list.js";
import { Drafts } from "./drafts.js";
import { showFinished } from "./finished.js";
import { LeaseKeeper } from "./lease.js";
import { showConnection, showOutdated, showProblem, showRefusal } from "./notices.js";
import { Outbox } from "./outbox.js";
import { Stopwatch } from "./stopwatch.js";
import { t } from "./strings.js";
import { Trail } from "./trail.js";

/**
 * @typedef {import("./api.js").WorkItem} WorkItem
 * @typedef {import("./api.js").Payload} Payload
 * @typedef {{name: string, title: string | null, color: string, hotkey: string | null, description: string}} Label
 * @typedef {{mode?: string, labels: Label[], roles: Label[]}} Schema
 * @typedef {{id: string, name: string, task: string, language: string, schema: Schema, digest: string}} Project
 * @typedef {{project: Project, person: {id: string, name: string}, urls: {api: string}, lease_seconds: number,
 *   worklist: number[] | null}} Settings
 *
 * What a task's editor sees of the workbench:
 * @typedef {{schema: Schema, api: Api, payload: Payload, change: (payload: Payload) => void, save: () => void,
 *   savesAtOnce: () => boolean, say: (words: string) => void}} WorkbenchContext
 *
 * What the workbench wants of a task's editor:
 * @typedef {{empty: () => Payload, show: (item: WorkItem) => void, render: (payload: Payload) => void,
 *   missing: (payload: Payload) => string, describe: (payload: Payload) => import("./comparison.js").Line[],
 *   key: (event: KeyboardEvent) => boolean, bindings: () => import("./keys.js").Binding[]}} Editor
 */

/** What a save does, by what this person may do. @type {Record<string, import("./api.js").Effect>} */
const EFFECTS = { write: "stand", replace: "replace", propose: "propose" };
/** Keys that work when no example is open. */
const ALWAYS = ["previous", "history", "help", "guidelines", "undo"];

export class Workbench {
  /** @type {WorkItem | null} */
  #item = null;
  /** @type {Payload} */
  payload = {};
  /** @type {Payload[]} */
  #done = [];
  /** @type {Payload[]} */
  #undone = [];
  #isBusy = false;
  /** The example that was saved last, for going back by undo. @type {number | null} */
  #last = null;
  /** What was stored of the example that is open, as `#snapshot` writes it. */
  #stored = "";
  #seconds = new Stopwatch();

  /**
   * @param {Settings} settings
   * @param {new (ctx: WorkbenchContext) => Editor} EditorType
   */
  constructor({ project, person, urls, lease_seconds, worklist }, EditorType) {
    this.schema = project.schema;
    this.digest = project.digest;
    this.api = new Api(urls.api);
    this.outbox = new Outbox(this.api, person.id, project.id, showConnection);
    this.drafts = new Drafts(person.id, project.id);
    this.isWorklist = worklist !== null;
    this.trail = new Trail(worklist ?? []);
    this.lease = new LeaseKeeper(this.api, lease_seconds, (id, current) => this.#leaseLost(id, current));
    this.comment = /** @type {HTMLTextAreaElement} */ (find("#comment"));
    this.editor = new EditorType(this);
    this.banner = new Banner(person.id, (payload) => this.editor.describe(payload), (payload, comment) => this.#use(payload, comment));
    this.commands = this.#commands();
    const bindings = [...Object.values(this.commands), ...this.editor.bindings()].filter((binding) => binding.text);
    this.dialogs = new Dialogs(this.api, bindings, (id) => this.open(id));
    const always = ALWAYS.map((name) => this.commands[name]);
    listenToKeys(() => (this.#item ? bindings : always), (event) => this.#item && this.editor.key(event));
    listenToButtons(this.commands);
    this.comment.addEventListener("input", () => this.#keepDraft());
  }

  /**
   * Begins: sends what an earlier page could not, then shows the example that came with the page, or the next.
   * @param {WorkItem | null} item
   */
  async start(item) {
    await this.#busy(async () => {
      const { sent, refused } = await this.outbox.flush();
      // Of a skip that no longer fits, nothing is lost.
      for (const { example, saving, draft } of refused) this.drafts.refused(example, saving, draft ?? null);
      for (const { example, draft } of sent) this.drafts.settle(example, draft ?? null);
      if (item) this.#show(sent.length ? await this.api.example(item.id) : item);
      else await this.#fetchNext(null);
      if (sent.length) this.say(t("sent_late", { n: sent.length }));
      this.#listDrafts();
      const ofOthers = this.outbox.ofOthers();
      if (ofOthers) showProblem(t("others_unsent", { n: ofOthers }));
      if (refused.length) {
        showProblem(t("refused_late", { n: refused.length }));
      }
    });
  }

  /**
   * Shows an example by its id.
   * @param {number} id
   */
  open(id) {
    return this.#busy(() => this.#fetch(id));
  }

  // -- what editors call ---------------------------------------------------------------------

  /** @param {Payload} payload */
  change(payload) {
    // What is being saved stands still: a key pressed meanwhile was meant for nothing that can be seen yet.
    if (this.#isBusy || !this.#item) return;
    if (this.#item.access === "read") {
      this.say(this.#item.access_reason);
      return;
    }
    this.say("");
    this.#done.push(this.payload);
    this.#undone = [];
    this.#set(payload);
  }

  save() {
    return this.#busy(async () => {
      const item = this.#item;
      if (!item) return;
      if (this.#isStored()) return this.#confirm(item);
      const missing = this.editor.missing(this.payload);
      if (item.access === "read" || missing) this.say(missing ? t(missing) : item.access_reason);
      else await this.#store(item, this.payload, EFFECTS[item.access]);
    });
  }

  /** Whether a choice that says all is saved without another key: not over what somebody else said. */
  savesAtOnce() {
    return this.#item?.access === "write";
  }

  /** @param {string} words */
  say(words) {
    find("#said").textContent = words;
  }

  // -- saving --------------------------------------------------------------------------------

  /** Sets the example aside. Where it is labelled, or set aside already, this is moving on alone. */
  #skip() {
    return this.#busy(async () => {
      const item = this.#item;
      if (!item) return;
      if (this.#canSkip(item)) await this.#store(item, null, "stand");
      else await this.#advance(item.id);
    });
  }

  /** @param {WorkItem} item */
  #canSkip(item) {
    const isAside = item.status === "skipped" && (item.mine?.comment ?? "") === this.comment.value;
    return item.access === "write" && !item.standing && !isAside;
  }

  /**
   * Saves, and goes on to the next; what somebody said meanwhile is settled first.
   * @param {WorkItem} item
   * @param {Payload | null} payload null sets the example aside
   * @param {import("./api.js").Effect} effect
   * @returns {Promise<void>}
   */
  async #store(item, payload, effect) {
    const saving = {
      payload,
      skipped: payload === null,
      comment: this.comment.value,
      base: item.base,
      effect,
      client_key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
      seconds: this.#seconds.read(),
    };
    try {
      const saved = await this.outbox.send({ example: item.id, saving, draft: this.drafts.find(item.id) });
      this.#remember(item, saving, saved);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status !== 409 || !error.problem.current) {
        showRefusal(error);
        if (error.status === 422) showOutdated((await this.api.example(item.id)).labels_digest !== this.digest);
        return;
      }
      return this.#settle({ ...error.problem.current, inputs: item.inputs }, payload, error.message);
    }
    const words = t(payload === null ? "skipped" : effect === "propose" ? "proposed" : "saved");
    await this.#advance(item.id, words);
  }

  /**
   * Saving would say again what is known: nothing is written, but what somebody else said meanwhile is settled first.
   * @param {WorkItem} item
   */
  async #confirm(item) {
    const current = await this.outbox.persist(() => this.api.example(item.id));
    if (current.base !== item.base && !this.#looksTheSame(current)) return this.#settle(current, this.payload, t("said_meanwhile"));
    const wasJustSaved = this.#stored === this.#snapshot();
    await this.#advance(item.id);
    if (!wasJustSaved && !find("#said").textContent) this.say(t("not_changed"));
  }

  /**
   * What is stored is known at once, even if the next example cannot be fetched: it is not asked about again.
   * @param {WorkItem} item
   * @param {import("./api.js").AnnotationCreate} saving
   * @param {import("./api.js").Saved} saved
   */
  #remember(item, saving, saved) {
    const isUnsaved = saving.skipped && JSON.stringify(this.payload) !== JSON.stringify(this.#before().payload);
    this.drafts.discard(item.id);
    // What was worked on before it was set aside is there when it comes back.
    if (isUnsaved) this.drafts.setAside(item.id, { payload: this.payload, comment: "", base: saved.base });
    this.#last = item.id;
    this.#stored = this.#snapshot();
    item.base = saved.base;
    if (saving.skipped) {
      item.status = "skipped";
      item.mine = { ...saved, annotation_id: saved.id, payload: null, skipped: true, by: null, source: "person" };
    }
  }

  /**
   * Somebody said something while this person worked: they see both, and choose.
   * @param {WorkItem} current
   * @param {Payload | null} payload
   * @param {string} why
   * @returns {Promise<void>}
   */
  async #settle(current, payload, why) {
    const { standing } = current;
    if (payload === null) {
      if (current.access === "write" && current.status === "open") return this.#store(current, null, "stand");
      // What was worked on before it was to be set aside stays as a draft.
      return this.#advance(current.id, standing ? t("not_skipped", { name: this.banner.nameOf(standing) }) : why);
    }
    if (standing && JSON.stringify(standing.payload) === JSON.stringify(payload)) {
      const isNew = this.comment.value !== (standing.annotation_id === current.mine?.annotation_id ? standing.comment : "");
      if (isNew && current.access !== "read") return this.#store(current, payload, current.access === "write" ? "stand" : "propose");
      this.drafts.discard(current.id);
      return this.#advance(current.id, t("same_said", { name: this.banner.nameOf(standing) }));
    }
    if (current.access === "write" && this.#looksTheSame(current)) return this.#store(current, payload, "stand");
    const { mine } = current;
    const newest = [mine, ...current.others].find((said) => said?.annotation_id === current.base);
    const columns = [
      ...(standing ? [this.banner.standing(standing)] : []),
      ...(newest && newest.annotation_id !== standing?.annotation_id
        ? [this.banner.beside(newest)]
        : []),
      { title: t("yours"), lines: this.editor.describe(payload), comment: this.comment.value },
    ];
    const isOwn = (standing ?? newest ?? mine)?.annotation_id === mine?.annotation_id;
    const choice = await this.dialogs.conflict(why, columns, {
      theirs: t(isOwn ? "drop_mine" : "take_theirs"),
      ...(current.access === "write" ? { mine: t("save_mine") } : {}),
      ...(current.access === "replace" ? { mine: t("replace_with_mine") } : {}),
      ...(["replace", "propose"].includes(current.access) ? { beside: t("keep_beside") } : {}),
    });
    if (choice === "mine") return this.#store(current, payload, EFFECTS[current.access]);
    if (choice === "beside") return this.#store(current, payload, "propose");
    if (choice === "") return this.#adopt(current);
    this.drafts.discard(current.id);
    await this.#advance(current.id, t(isOwn || !standing ? "left_as_it_is" : "taken_theirs"));
  }

  /**
   * Whether this person can see nothing that was said meanwhile, such as a proposal that is for reviewers.
   * @param {WorkItem} current
   */
  #looksTheSame({ standing, mine, others }) {
    const before = this.#item;
    const ids = (/** @type {(import("./api.js").Said | null | undefined)[]} */ said) => said.map((one) => one?.annotation_id ?? 0).join();
    return ids([standing, mine, ...others]) === ids([before?.standing, before?.mine, ...(before?.others ?? [])]);
  }

  /**
   * @param {number} id
   * @param {any} current
   */
  #leaseLost(id, current) {
    const item = this.#item;
    if (item?.id !== id || this.#isBusy || !current) return;
    if (!this.#isUnchanged()) return this.#adopt({ ...current, inputs: item.inputs });
    const isCommenting = document.activeElement === this.comment;
    this.#show({ ...current, inputs: item.inputs });
    if (isCommenting) this.#openComment(); // what they go on to type is no command
  }

  /**
   * The example as it stands by now, and under it what this person is working on.
   * @param {WorkItem} item
   */
  #adopt(item) {
    this.#item = item;
    this.#stored = "";
    this.lease.watch(item);
    this.#keepDraft();
    this.#around(item);
  }

  // -- moving --------------------------------------------------------------------------------

  /**
   * Goes on, and writes nothing: along the way that this page has come, else to the next of the queue.
   * @param {number} id the example that is left
   * @param {string} [words] to say there
   */
  async #advance(id, words = "") {
    const isAlongTrail = this.isWorklist || !words;
    const ahead = isAlongTrail ? this.trail.after : undefined;
    if (ahead !== undefined) {
      if (!(await this.#fetchIfThere(ahead))) return this.#advance(id, words);
    } else if (this.isWorklist) this.#endOfList();
    else await this.#fetchNext(id);
    if (words && !find("#said").textContent) this.say(words);
  }

  #next() {
    return this.#busy(async () => {
      if (this.#item) await this.#advance(this.#item.id);
    });
  }

  /** The example before this one: on this page, else the one that this person labelled last. */
  #previous() {
    return this.#busy(async () => {
      if (this.#item === null && this.trail.ids.length) return this.#fetch(this.trail.ids[this.trail.at]);
      if (this.trail.before === undefined && !this.isWorklist) {
        const { items } = await this.api.mine();
        const older = items.find((item) => !this.trail.ids.includes(item.id));
        if (older) this.trail.prepend(older.id);
      }
      const before = this.#item ? this.trail.before : this.trail.ids[this.trail.at];
      if (before === undefined) return this.say(t("nothing_before"));
      if (!(await this.#fetchIfThere(before))) this.say(t("gone"));
    });
  }

  /**
   * Along the way that this page has come an import may have been taken back.
   * @param {number} id
   * @returns {Promise<boolean>} whether the example is there
   */
  async #fetchIfThere(id) {
    try {
      await this.#fetch(id);
      return true;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      this.trail.remove(id);
      return false;
    }
  }

  /** @param {number} id */
  async #fetch(id) {
    this.#show(await this.api.example(id));
    const query = new URLSearchParams(location.search);
    query.set("example", String(id));
    history.replaceState(null, "", `?${query}`);
  }

  /** @param {number | null} after */
  async #fetchNext(after) {
    const item = await this.outbox.persist(() => this.api.next(after));
    if (location.search) history.replaceState(null, "", location.pathname);
    if (item) this.#show(item);
    else await this.#finish();
  }

  async #finish() {
    this.#close();
    showFinished(await this.api.queue());
    find("#finished").hidden = false;
    find("#finished h2").focus();
  }

  #endOfList() {
    this.#close();
    find("#list-end").hidden = false;
    find("#list-end h2").focus();
  }

  #close() {
    this.#item = null;
    this.#done = [];
    this.#undone = [];
    this.lease.watch(null);
    find("#desk").hidden = true;
    this.#listDrafts();
  }

  /** @param {"mine" | "all"} whose */
  #restore(whose) {
    return this.#busy(async () => {
      const { restored } = await this.api.restore(whose);
      await this.#fetchNext(null);
      this.say(t("restored", { n: restored }));
    });
  }

  // -- what is open --------------------------------------------------------------------------

  /** @param {WorkItem} item */
  #show(item) {
    this.#item = item;
    this.#done = [];
    this.#undone = [];
    this.#stored = "";
    this.trail.visit(item.id);
    this.lease.watch(item);
    const draft = this.#draftOf(item);
    for (const place of ["#finished", "#list-end"]) find(place).hidden = true;
    find("#desk").hidden = false;
    showProblem("");
    this.say("");
    const before = this.#before();
    this.comment.value = (draft ?? before).comment;
    this.payload = draft?.payload ?? before.payload;
    this.editor.show(item);
    this.editor.render(this.payload);
    const box = /** @type {HTMLDetailsElement} */ (find("#comment-box"));
    box.open = Boolean(this.comment.value);
    this.#around(item);
    if (draft) this.say(t("draft_restored"));
    if (item.changed) this.#seen(item);
    this.#seconds.start();
  }

  /**
   * What to go on with; what began before what stands now is set aside first.
   * @param {WorkItem} item
   */
  #draftOf(item) {
    const draft = this.drafts.find(item.id);
    const isFresh = draft?.base === item.base && draft.payload !== null;
    if (draft && !isFresh) this.drafts.setAside(item.id, draft);
    return isFresh ? draft : null;
  }

  /** The drafts of other examples than the one that is open, and those that no longer fit. */
  #listDrafts() {
    const open = this.#item?.id;
    const ids = this.drafts.examples().filter((id) => id !== open || this.drafts.aside(id));
    showDrafts(ids, (id) => this.open(id), (id) => this.#discard(id));
  }

  /** @param {number} id */
  #discard(id) {
    if (this.#isBusy) return;
    if (this.#item?.id === id) this.drafts.dropAside(id);
    else this.drafts.discard(id);
    if (this.#item) this.#around(this.#item);
    else this.#listDrafts();
  }

  /** @param {WorkItem} item */
  #around(item) {
    showProgress(item.progress);
    showFacts(item);
    showOutdated(item.labels_digest !== this.digest);
    this.banner.show(item, this.drafts.aside(item.id), this.payload);
    this.#listDrafts();
    for (const button of document.querySelectorAll("[data-do=save]")) {
      /** @type {HTMLElement} */ (button).hidden = item.access === "read";
    }
    find("#save-words").textContent = t(item.access === "read" ? "save_write" : `save_${item.access}`);
    this.#buttons();
  }

  /** @param {WorkItem} item */
  async #seen(item) {
    try {
      await this.api.seen(item.id);
      const queue = await this.api.queue();
      if (this.#item === item) showProgress(queue);
    } catch {
      // It stays among those that are to be seen.
    }
  }

  /** What the editor starts from. */
  #before() {
    const { standing = null, mine = null } = this.#item ?? {};
    return { payload: standing?.payload ?? mine?.payload ?? this.editor.empty(), comment: mine?.comment ?? "" };
  }

  /** @param {Payload} payload */
  #set(payload) {
    this.payload = payload;
    this.editor.render(payload);
    this.banner.follow(payload);
    this.#buttons();
    this.#keepDraft();
  }

  /**
   * @param {Payload} payload
   * @param {string} comment
   */
  #use(payload, comment) {
    if (comment && !this.comment.value) this.comment.value = comment;
    this.change(payload);
    find("#text").focus();
  }

  #keepDraft() {
    const item = this.#item;
    if (!item) return;
    if (this.#isUnchanged()) this.drafts.drop(item.id);
    else this.drafts.keep(item.id, { payload: this.payload, comment: this.comment.value, base: item.base });
  }

  #snapshot() {
    return JSON.stringify([this.payload, this.comment.value]);
  }

  /** Whether the example is as it came. */
  #isUnchanged() {
    const { payload, comment } = this.#before();
    return (payload === this.payload && comment === this.comment.value) || JSON.stringify([payload, comment]) === this.#snapshot();
  }

  /** Whether saving would say again what stands or is stored already. */
  #isStored() {
    return this.#stored === this.#snapshot() || (Boolean(this.#item?.standing) && this.#isUnchanged());
  }

  #undo() {
    if (this.#isBusy) return;
    const before = this.#done.pop();
    if (before) {
      this.#undone.push(this.payload);
      this.#set(before);
      this.say(t("undone"));
    } else if (this.#last !== null && this.#last !== this.#item?.id) {
      this.open(this.#last);
    } else if (!this.#item) {
      this.#previous();
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
      if (error instanceof Refused) showRefusal(error);
      else if (error instanceof Unreachable) showProblem(t("unreachable"));
      else throw error;
    } finally {
      this.#isBusy = false;
      find("#desk").removeAttribute("aria-busy");
    }
  }

  // -- the page ------------------------------------------------------------------------------

  /** Keys and buttons by the name that buttons have in data-do. @returns {Record<string, import("./keys.js").Binding>} */
  #commands() {
    return {
      save: { keys: ["Enter"], shown: "↵", text: t("key_save"), run: () => this.save() },
      skip: { keys: ["Shift+s"], shown: "⇧ S", text: t("key_skip"), run: () => this.#skip() },
      next: { keys: ["Shift+f"], shown: "⇧ F", text: t("key_next"), run: () => this.#next() },
      previous: { keys: ["Shift+b"], shown: "⇧ B", text: t("key_previous"), run: () => this.#previous() },
      undo: { keys: ["Ctrl+z"], shown: "Ctrl Z", text: t("key_undo"), run: () => this.#undo() },
      redo: { keys: ["Ctrl+Shift+z", "Ctrl+y"], shown: "Ctrl ⇧ Z", text: t("key_redo"), run: () => this.#redo() },
      history: { keys: ["Shift+h"], shown: "⇧ H", text: t("key_history"), run: () => this.dialogs.history(false) },
      comment: { keys: ["Shift+n"], shown: "⇧ N", text: t("key_comment"), run: () => this.#openComment() },
      guidelines: { keys: ["Shift+g"], shown: "⇧ G", text: t("key_guidelines"), run: () => this.dialogs.guidelines() },
      help: { keys: ["?"], shown: "?", text: t("key_help"), run: () => this.dialogs.help() },
      changed: { keys: [], shown: "", text: "", run: () => this.dialogs.history(true) },
      "restore-mine": { keys: [], shown: "", text: "", run: () => this.#restore("mine") },
      "restore-all": { keys: [], shown: "", text: "", run: () => this.#restore("all") },
    };
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
    disable("undo", !this.#done.length && (this.#last === null || this.#last === this.#item?.id));
    disable("redo", !this.#undone.length);
    const isLabelled = Boolean(this.#item && (this.#item.standing || this.#item.access !== "write"));
    for (const button of document.querySelectorAll("[data-do=skip]")) /** @type {HTMLElement} */ (button).hidden = isLabelled;
  }
}
