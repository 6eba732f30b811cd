// @ts-check
/** The REST API, as the workbench needs it. */

import { csrfToken } from "../csrf.js";

/** The server said no: its status, its sentence, and its whole answer. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {any} problem RFC 9457
   */
  constructor(status, problem) {
    super(problem?.detail || `HTTP ${status}`);
    this.status = status;
    this.problem = problem ?? {};
  }
}

/** The server could not be reached, or is not well: the same request may succeed later. */
export class Unreachable extends Error {
  /**
   * @param {string} message
   * @param {number | null} retryAfter milliseconds that the server asks to wait
   * @param {string} why what the server says of it, if it does
   */
  constructor(message, retryAfter = null, why = "") {
    super(message);
    this.retryAfter = retryAfter;
    this.why = why;
  }
}

/**
 * @typedef {{start: number, end: number, label: string}} Span
 * @typedef {{start: number, end: number, role: string}} Argument
 * @typedef {{start: number, end: number, sense: string | null, arguments: Argument[]}} Predicate
 * @typedef {{labels?: string[], spans?: Span[], predicates?: Predicate[]}} Payload
 * @typedef {{id: string, name: string}} Author
 * @typedef {{annotation_id: number, revision: number, payload: Payload | null, skipped: boolean, proposal: boolean, comment: string,
 *   by: Author | null, source: "person" | "import", created_at: string}} Said
 * @typedef {{text: string, by: Author, created_at: string}} Comment
 * @typedef {{done: number, total: number, mine: number, skipped: number, skipped_mine: number, changed: number}} Progress
 * @typedef {{id: number, external_id: string | null, inputs: {text: string, tokens: [number, number][]},
 *   meta: Record<string, any>, status: string, base: number, standing: Said | null, mine: Said | null, others: Said[],
 *   comments: Comment[], changed: boolean, access: "write" | "replace" | "propose" | "read", access_reason: string,
 *   lease_until: string | null, labels_digest: string, progress: Progress}} WorkItem
 * @typedef {"stand" | "replace" | "propose"} Effect
 * @typedef {{payload: Payload | null, skipped: boolean, comment: string, base: number, effect: Effect, client_key: string,
 *   seconds: number}} AnnotationCreate
 * @typedef {{id: number, revision: number, base: number, stands: boolean, payload: Payload | null, comment: string,
 *   created_at: string}} Saved
 * @typedef {{id: number, text: string, summary: string, skipped: boolean, stands: boolean,
 *   changed: {by: Author | null, at: string, summary: string} | null, updated_at: string}} HistoryItem
 * @typedef {{id: string, lemma: string, name: string, roles: {role: string, description: string}[]}} Roleset
 */

export class Api {
  /** @param {string} base the project's address in the API */
  constructor(base) {
    this.base = base;
  }

  /**
   * The next example that is open, or null when nothing is left.
   * @param {number | null} after the example that is left
   * @returns {Promise<WorkItem | null>}
   */
  next(after) {
    return this.#ask("POST", "/queue/next", { after });
  }

  /**
   * @param {number} id
   * @returns {Promise<WorkItem>}
   */
  example(id) {
    return this.#ask("GET", `/examples/${id}`);
  }

  /**
   * @param {number} id
   * @param {AnnotationCreate} saving
   * @returns {Promise<Saved>}
   */
  save(id, saving) {
    return this.#ask("POST", `/examples/${id}/annotations`, saving);
  }

  /**
   * Reserves an example for a while longer.
   * @param {number} id
   * @returns {Promise<{lease_until: string | null}>}
   */
  renew(id) {
    return this.#ask("POST", `/examples/${id}/lease`, {});
  }

  /**
   * I have seen that somebody changed what I had said.
   * @param {number} id
   * @returns {Promise<null>}
   */
  seen(id) {
    return this.#ask("POST", `/examples/${id}/seen`, {});
  }

  /**
   * How much is left, and how much is set aside.
   * @returns {Promise<Progress & {open: number, held_by_others: number}>}
   */
  queue() {
    return this.#ask("GET", "/queue");
  }

  /**
   * Puts skipped examples back into the queue.
   * @param {"mine" | "all"} whose
   * @returns {Promise<{restored: number}>}
   */
  restore(whose) {
    return this.#ask("POST", "/queue/restore", { whose });
  }

  /**
   * What this person said last, newest first.
   * @param {boolean} isChanged only what others have changed since
   * @returns {Promise<{items: HistoryItem[]}>}
   */
  mine(isChanged = false) {
    return this.#ask("GET", `/mine?limit=100${isChanged ? "&changed=true" : ""}`);
  }

  /**
   * @param {string} lemma
   * @returns {Promise<{items: Roleset[]}>}
   */
  rolesets(lemma) {
    return this.#ask("GET", `/rolesets?lemma=${encodeURIComponent(lemma.slice(0, 200))}`);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #ask(method, path, body) {
    let answer;
    try {
      answer = await fetch(this.base + path, {
        method,
        headers: {
          Accept: "application/json",
          "X-CSRF-Token": csrfToken(),
          ...(body ? { "Content-Type": "application/json" } : {}),
        },
        body: body ? JSON.stringify(body) : undefined,
      });
      if (answer.status === 204) return null;
      if (answer.ok) return await answer.json();
    } catch (error) {
      throw new Unreachable(String(error));
    }
    if (answer.status >= 500 || answer.status === 429) {
      const seconds = Number.parseFloat(answer.headers.get("Retry-After") ?? "");
      const problem = await answer.json().catch(() => null);
      throw new Unreachable(`HTTP ${answer.status}`, seconds >= 0 ? seconds * 1000 : null, problem?.detail ?? "");
    }
    throw new Refused(answer.status, await answer.json().catch(() => null));
  }
}
