// @ts-check
/** Label colours are data: `data-color="#2e7d32"` becomes the custom properties that components use. */

import { onInsert } from "./insertions.js";

/** Gives every element with `data-color` its colour and a readable ink. */
export function watchColors() {
  onInsert("[data-color]", (element) => applyColor(element, element.dataset.color ?? ""));
}

/**
 * Sets --label and --label-ink on an element. Anything but #rrggbb is left alone.
 * @param {HTMLElement | SVGElement} element
 * @param {string} color
 */
export function applyColor(element, color) {
  if (!/^#[0-9a-f]{6}$/i.test(color)) return;
  element.style.setProperty("--label", color);
  element.style.setProperty("--label-ink", readableInk(color));
}

/**
 * Black or white, whichever reads on the colour: one of them always has a contrast of 4.5:1.
 * @param {string} color #rrggbb
 * @returns {string}
 */
export function readableInk(color) {
  return 1.05 / (luminance(color) + 0.05) >= 4.5 ? "#ffffff" : "#000000";
}

/**
 * Relative luminance by WCAG 2.2, from 0 (black) to 1 (white).
 * @param {string} color #rrggbb
 * @returns {number}
 */
function luminance(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
