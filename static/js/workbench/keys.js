// @ts-check
/** One table of keys: what listens is what the help shows. The same on every keyboard layout. */

/**
 * @typedef {{keys: string[], shown: string, text: string, run: (event: KeyboardEvent) => void, repeats?: boolean}} Binding
 * `keys` are names as `namesOf` gives them; `shown` is how the help writes them; only what `repeats` does its work
 * again and again while its key is held down.
 */

/** What a key types on a US keyboard, where that is not in its code's name. @type {Record<string, string>} */
const PUNCTUATION = { BracketLeft: "[", BracketRight: "]", Semicolon: ";" };

/**
 * The names of a key press, the likeliest first: "a", "Shift+a", "?", "Enter", "Ctrl+z", "Shift+ArrowLeft", "Shift+Digit1".
 *
 * The character comes first, and then the place of the key, for layouts that type something else there: the digit row of
 * AZERTY, every key of a Cyrillic or Greek layout, any key while an input method is on. A Latin letter is always itself.
 * Caps Lock makes no difference.
 * @param {KeyboardEvent} event
 * @returns {string[]}
 */
export function namesOf(event) {
  const { key, code, shiftKey } = event;
  const typed = [...key.normalize("NFKC")].length === 1 ? key.normalize("NFKC") : "";
  const isLatin = /[a-z0-9]/i.test(typed);
  // AltGr types characters; some systems report it as Ctrl and Alt together, and others as Alt.
  const isAltGr = event.getModifierState("AltGraph") || (event.altKey && typed !== "" && !isLatin);
  const command = !isAltGr && (event.ctrlKey || event.metaKey) ? "Ctrl+" : "";
  const shift = shiftKey ? "Shift+" : "";
  const isUntold = !typed && ["Process", "Unidentified", "Dead"].includes(key);
  if (!typed && !isUntold) return [`${command}${event.altKey ? "Alt+" : ""}${shift}${key}`];

  const names = [];
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit && shiftKey && !command && typed !== "?" && !isLatin) names.push(`Shift+${code}`);
  if (typed && (isAltGr || !event.altKey)) {
    const small = typed.toLowerCase();
    const isLetter = small !== typed.toUpperCase();
    names.push(command + (isLetter || command ? shift : "") + small);
  }
  if (isLatin || event.altKey || isAltGr) return names;
  const letter = /^Key([A-Z])$/.exec(code)?.[1].toLowerCase();
  if (letter) names.push(command + shift + letter);
  else if (digit && !shiftKey) names.push(command + digit);
  else if (PUNCTUATION[code] && !shiftKey && !(typed && typed <= "~")) names.push(command + PUNCTUATION[code]);
  else if (isUntold && code === "Slash" && shiftKey) names.push("?");
  return names;
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
 * Runs the binding of a key press. A key that is held down acts once, unless its binding repeats.
 * @param {Binding[]} bindings
 * @param {KeyboardEvent} event
 * @returns {boolean} whether there was one
 */
export function dispatch(bindings, event) {
  for (const name of namesOf(event)) {
    const binding = bindings.find((item) => item.keys.includes(name));
    if (!binding) continue;
    event.preventDefault();
    if (!event.repeat || binding.repeats) binding.run(event);
    return true;
  }
  return false;
}
