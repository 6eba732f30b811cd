// @ts-check
/** One table of keys: what listens is what the help shows. */

/**
 * @typedef {{keys: string[], shown: string, text: string, run: (event: KeyboardEvent) => void}} Binding
 * `keys` are names as `nameOf` gives them; `shown` is how the help writes them.
 */

/**
 * The name of a key press: "a", "A" (with shift), "Enter", "Ctrl+z", "Shift+ArrowLeft", "Shift+Digit1".
 * @param {KeyboardEvent} event
 * @returns {string}
 */
export function nameOf(event) {
  // An input method composes; the key under the finger still counts.
  const composed = event.key === "Process" || event.key === "Unidentified";
  const bare = composed ? event.code.replace(/^(Key|Digit)/, "").toLowerCase() : event.key;
  const command = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  if (bare.length === 1) {
    if (event.shiftKey && event.code.startsWith("Digit")) return `${command}Shift+${event.code}`;
    return command + (command ? (event.shiftKey ? "Shift+" : "") + bare.toLowerCase() : bare);
  }
  return `${command}${event.altKey ? "Alt+" : ""}${event.shiftKey ? "Shift+" : ""}${bare}`;
}

/**
 * Whether a key press belongs to a field, a dialog or a control rather than to the workbench.
 * @param {KeyboardEvent} event
 */
export function isElsewhere(event) {
  const target = /** @type {Element} */ (event.target);
  if (target.closest("input, textarea, select, dialog, [contenteditable]")) return true;
  // Enter and space press what has the focus.
  return ["Enter", " "].includes(event.key) && Boolean(target.closest("button, a, summary"));
}

/**
 * Runs the binding of a key press.
 * @param {Binding[]} bindings
 * @param {KeyboardEvent} event
 * @returns {boolean} whether there was one
 */
export function dispatch(bindings, event) {
  const name = nameOf(event);
  const binding = bindings.find((item) => item.keys.includes(name));
  if (!binding) return false;
  event.preventDefault();
  binding.run(event);
  return true;
}
