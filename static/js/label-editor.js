// @ts-check
/**
 * Rows of labels in a form: added, removed and moved up and down; Enter in a row makes the next one instead of sending
 * the form, Alt with an arrow moves it.
 */

/** As app/tasks/base.py hands them out; each reads under white text. */
const PALETTE = [
  "#2563eb", "#c2410c", "#15803d", "#a21caf", "#b45309", "#0e7490", "#be123c", "#6d28d9",
  "#4d7c0f", "#0369a1", "#9d174d", "#854d0e", "#3f6212", "#1d4ed8", "#7e22ce", "#0f766e",
];

export function editLabels() {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const editor = target.closest("[data-label-editor]");
    if (!editor) return;
    if (target.closest("[data-add-row]")) addRow(editor);
    const remove = target.closest("[data-remove-row]");
    if (remove) removeRow(editor, /** @type {HTMLTableRowElement} */ (remove.closest("tr")));
    const move = /** @type {HTMLElement | null} */ (target.closest("[data-move-row]"));
    if (move) moveRow(/** @type {HTMLElement} */ (target.closest("button")), Number(move.dataset.moveRow));
  });
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const editor = target.closest("[data-label-editor]");
    if (editor && event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      moveRow(/** @type {HTMLElement} */ (target), event.key === "ArrowUp" ? -1 : 1);
      return;
    }
    if (!editor || event.key !== "Enter" || !target.matches("td input")) return;
    event.preventDefault();
    addRow(editor);
  });
}

/** @param {Element} editor */
function addRow(editor) {
  const body = /** @type {HTMLTableSectionElement} */ (editor.querySelector("tbody"));
  const last = /** @type {HTMLTableRowElement} */ (body.rows[body.rows.length - 1]);
  const row = /** @type {HTMLTableRowElement} */ (last.cloneNode(true));
  clear(row);
  const color = /** @type {HTMLInputElement | null} */ (row.querySelector("input[type=color]"));
  if (color) color.value = PALETTE[body.rows.length % PALETTE.length];
  body.append(row);
  nameField(row)?.focus();
}

/**
 * The last row is emptied rather than removed: new rows are made after it.
 * @param {Element} editor
 * @param {HTMLTableRowElement} row
 */
function removeRow(editor, row) {
  if (editor.querySelectorAll("tbody tr").length === 1) {
    clear(row);
    nameField(row)?.focus();
    return;
  }
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (next) nameField(next)?.focus();
}

/**
 * The focus goes with the row.
 * @param {HTMLElement} focused is in the row
 * @param {number} by
 */
function moveRow(focused, by) {
  const row = focused.closest("tr");
  const other = by < 0 ? row?.previousElementSibling : row?.nextElementSibling;
  if (!row || !other) return;
  if (by < 0) other.before(row);
  else other.after(row);
  focused.focus();
}

/** @param {Element} row */
function clear(row) {
  for (const input of row.querySelectorAll("input")) {
    if (input.type !== "color") input.value = "";
    input.readOnly = false;
  }
}

/**
 * @param {Element} row
 * @returns {HTMLInputElement | null}
 */
function nameField(row) {
  return row.querySelector('input[name="label_name"]');
}
