// @ts-check
/** `<form data-confirm="Really?">` asks before it is sent. */

export function confirmForms() {
  document.addEventListener(
    "submit",
    (event) => {
      const form = /** @type {HTMLFormElement} */ (event.target);
      const question = form.dataset.confirm;
      if (!question || form.dataset.confirmed) return;
      event.preventDefault();
      event.stopPropagation();
      const submitter = /** @type {HTMLElement | null} */ (event.submitter);
      ask(question, submitter?.textContent?.trim() ?? "").then((yes) => {
        if (!yes) return;
        form.dataset.confirmed = "yes";
        form.requestSubmit(submitter);
        delete form.dataset.confirmed;
      });
    },
    { capture: true },
  );
}

/**
 * A question with two answers.
 * @param {string} question
 * @param {string} verb what the confirming button says
 * @returns {Promise<boolean>}
 */
function ask(question, verb) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  const title = document.createElement("h2");
  title.id = "confirm-title";
  title.textContent = question;
  const actions = document.createElement("form");
  actions.method = "dialog";
  actions.className = "dialog-actions";
  const { textCancel = "Cancel", textConfirm = "OK" } = document.body.dataset;
  actions.append(
    button(textCancel, "btn", "no"),
    button(verb || textConfirm, "btn btn-danger", "yes"),
  );
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(title, actions);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}

/**
 * @param {string} text
 * @param {string} className
 * @param {string} value
 */
function button(text, className, value) {
  const element = document.createElement("button");
  element.className = className;
  element.value = value;
  element.textContent = text;
  return element;
}
