// @ts-check
/** The browser's storage, which may be full, forbidden, or hold something else. */

/**
 * @param {string} place
 * @param {object} value
 */
export function remember(place, value) {
  try {
    localStorage.setItem(place, JSON.stringify(value));
  } catch {
    // The page itself still holds it.
  }
}

/** @param {string} place */
export function read(place) {
  try {
    return JSON.parse(localStorage.getItem(place) ?? "null");
  } catch {
    return null;
  }
}
