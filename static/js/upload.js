// @ts-check
/** `<form data-drop-zone>`: files can be dropped on it, and the upload shows how far it is. */

export function uploadWithProgress() {
  for (const form of document.querySelectorAll("form[data-drop-zone]")) {
    watch(/** @type {HTMLFormElement} */ (form));
  }
}

/** @param {HTMLFormElement} form */
function watch(form) {
  const input = /** @type {HTMLInputElement | null} */ (form.querySelector("input[type=file]"));
  if (!input) return;
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.dataset.over = "";
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    form.addEventListener(kind, () => delete form.dataset.over);
  }
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer?.files.length) input.files = event.dataTransfer.files;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

/**
 * By XMLHttpRequest, since fetch does not tell how much of a body has gone out.
 * @param {HTMLFormElement} form
 */
function send(form) {
  const bar = form.querySelector("progress");
  const submit = /** @type {HTMLButtonElement | null} */ (form.querySelector("[type=submit]"));
  const request = new XMLHttpRequest();
  const body = new FormData(form);
  const finish = () => {
    if (bar) bar.hidden = true;
    if (submit) submit.disabled = false;
  };
  if (submit) submit.disabled = true;
  if (bar) {
    bar.hidden = false;
    bar.value = 0;
  }
  request.upload.addEventListener("progress", (event) => {
    if (bar && event.lengthComputable) bar.value = event.loaded / event.total;
  });
  request.upload.addEventListener("load", () => bar?.removeAttribute("value"));
  request.addEventListener("load", () => {
    const arrived = new URL(request.responseURL);
    if (arrived.pathname !== new URL(form.action).pathname) return location.assign(arrived.href);
    finish();
    const answer = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = answer.querySelector("#main");
    if (main) document.querySelector("#main")?.replaceWith(document.adoptNode(main));
    uploadWithProgress();
  });
  // The browser's own way of sending says best what is wrong with the connection.
  request.addEventListener("error", () => form.submit());
  request.open("POST", form.action);
  request.send(body);
}
