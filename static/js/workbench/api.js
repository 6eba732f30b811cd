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
export class Unreachable extends Error {}

/**
 * @typedef {{start: number, end: number, label: string}} Span
 * @typedef {{start: number, end: number, role: string}} Argument
 * @typedef {{start: number, end: number, sense: string | null, arguments: Argument[]}} Predicate
 * @typedef {{labels?: string[], spans?: Span[], predicates?: Predicate[]}} Payload
 * @typedef {{id: number, external_id: string | null, inputs: {text: string, tokens: [number, number][]},
 *   meta: Record<string, any>, status: string, annotation: Payload | null, revision: number, comment: string,
 *   skipped: boolean, progress: {done: number, total: number, mine: number}}} Example
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
   * @returns {Promise<Example | null>}
   */
  next(after) {
    return this.#ask("POST", "/queue/next", { after });
  }

  /**
   * @param {number} id
   * @returns {Promise<Example>}
   */
  example(id) {
    return this.#ask("GET", `/examples/${id}`);
  }

  /**
   * @param {number} id
   * @param {object} saving
   * @returns {Promise<{revision: number, payload: Payload | null}>}
   */
  save(id, saving) {
    return this.#ask("POST", `/examples/${id}/annotations`, saving);
  }

  /** @returns {Promise<{items: {id: number, text: string, summary: string, skipped: boolean, updated_at: string}[]}>} */
  mine() {
    return this.#ask("GET", "/mine?limit=100");
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
    if (answer.status >= 500 || answer.status === 429) throw new Unreachable(`HTTP ${answer.status}`);
    throw new Refused(answer.status, await answer.json().catch(() => null));
  }
}
