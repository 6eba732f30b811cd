// @ts-check
/** The page's CSRF token, for whoever sends a request. */

/** @returns {string} */
export function csrfToken() {
  const meta = /** @type {HTMLMetaElement | null} */ (
    document.querySelector('meta[name="csrf-token"]')
  );
  return meta?.content ?? "";
}

/** Adds the token to every request that htmx makes. */
export function sendCsrfWithHtmx() {
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    ctx.request.headers["X-CSRF-Token"] = csrfToken();
  });
}
