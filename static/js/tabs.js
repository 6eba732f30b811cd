// @ts-check
/** Tabs that are wider than the screen show the one that we are on. The page itself stays where it is. */

export function showTab() {
  const tab = document.querySelector(".tabs [aria-current]");
  const row = tab?.parentElement;
  if (!tab || !row) return;
  const [inner, outer] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}
