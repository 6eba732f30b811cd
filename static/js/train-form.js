// @ts-check
/** `<form data-suggested='{"scratch": {"epochs": 10}, …}'>`: another base model brings its own suggestions. */

export function suggestParams() {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-suggested]"));
  if (!form) return;
  /** @type {Record<string, Record<string, unknown>>} */
  const suggested = JSON.parse(form.dataset.suggested ?? "{}");
  let before = base(form);
  form.addEventListener("change", (event) => {
    const target = /** @type {HTMLInputElement} */ (event.target);
    if (target.name !== "base") return;
    const after = base(form);
    for (const [name, value] of Object.entries(suggested[after] ?? {})) {
      const field = form.elements.namedItem(name);
      // What somebody has changed stays as it is.
      if (!(field instanceof HTMLInputElement) || field.type === "radio") continue;
      if (Number(field.value) === Number(suggested[before]?.[name])) field.value = String(value ?? "");
    }
    before = after;
  });
  // Writing into a choice's own field chooses it.
  for (const field of form.querySelectorAll(".choice .input")) {
    field.addEventListener("input", () => {
      const radio = field.closest(".choice")?.querySelector("input[type=radio]");
      if (radio instanceof HTMLInputElement && !radio.checked) radio.click();
    });
  }
}

/** @param {HTMLFormElement} form */
function base(form) {
  return String(new FormData(form).get("base") ?? "");
}
