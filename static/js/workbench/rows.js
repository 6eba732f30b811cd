// @ts-check
/** A list on the page that follows a list of things: a row that looks the same stays the same element. */

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/**
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} items
 * @param {(item: T) => string} lookOf all that a row shows and does: rows with the same one are alike
 * @param {(item: T) => HTMLElement} make
 */
export function renderRows(list, items, lookOf, make) {
  const looks = items.map(lookOf);
  const wanted = new Set(looks);
  let row = list.firstElementChild;
  items.forEach((item, i) => {
    while (row && !wanted.has(shown.get(row) ?? "")) {
      const gone = row;
      row = row.nextElementSibling;
      gone.remove();
    }
    if (row && shown.get(row) === looks[i]) {
      row = row.nextElementSibling;
      return;
    }
    const made = make(item);
    shown.set(made, looks[i]);
    list.insertBefore(made, row);
  });
  while (row) {
    const gone = row;
    row = row.nextElementSibling;
    gone.remove();
  }
}
