// @ts-check
/** What a pointer points at. */

/**
 * The place between two characters that is nearest to a point of the window.
 * @param {number} x
 * @param {number} y
 * @returns {{node: Node, offset: number} | null}
 */
export function caretAt(x, y) {
  const position = document.caretPositionFromPoint?.(x, y);
  if (position) return { node: position.offsetNode, offset: position.offset };
  const range = document.caretRangeFromPoint?.(x, y);
  return range ? { node: range.startContainer, offset: range.startOffset } : null;
}

/**
 * Whether a pointer that goes down here presses something rather than beginning a selection.
 * @param {EventTarget | null} target
 */
export function isControl(target) {
  return target instanceof Element && Boolean(target.closest("button, a, summary, input, textarea, select, label, dialog"));
}
