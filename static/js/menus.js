// @ts-check
/** `<details data-menu>` closes by Escape and by a click beside it. */

export function closeMenus() {
  const open = () =>
    /** @type {NodeListOf<HTMLDetailsElement>} */ (
      document.querySelectorAll("details[data-menu][open]")
    );
  document.addEventListener("click", (event) => {
    for (const menu of open()) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}
