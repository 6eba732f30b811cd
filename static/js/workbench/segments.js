// @ts-check
/** Spans over a text: where it is cut, and which of them lie over which. */

/** @typedef {import("./text-view.js").PaintedSpan} PaintedSpan */

/**
 * The text cut wherever a span begins or ends, and the spans that cover each part.
 * @param {PaintedSpan[]} spans
 * @param {number} length of the text
 * @returns {{start: number, end: number, covering: PaintedSpan[]}[]}
 */
export function segmentsOf(spans, length) {
  const bounds = new Set([0, length]);
  for (const span of spans) bounds.add(span.start).add(span.end);
  const edges = [...bounds].sort((a, b) => a - b);
  const waiting = [...spans].sort((a, b) => a.start - b.start);
  /** @type {PaintedSpan[]} */
  let open = [];
  let next = 0;
  const segments = [];
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const start = edges[i];
    if (open.length) open = open.filter((span) => span.end > start);
    while (next < waiting.length && waiting[next].start <= start) open.push(waiting[next++]);
    segments.push({ start, end: edges[i + 1], covering: open.slice() });
  }
  return segments;
}

/**
 * A level for each span, so that the lines under spans that share text do not meet: short ones lie on top.
 * @param {PaintedSpan[]} spans
 * @returns {Map<string, number>}
 */
export function levelsOf(spans) {
  const levels = new Map();
  /** Spans that overlap, directly or through others. @type {PaintedSpan[]} */
  let group = [];
  let reach = -1;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start >= reach) {
      settle(group, levels);
      group = [];
    }
    group.push(span);
    reach = Math.max(reach, span.end);
  }
  settle(group, levels);
  return levels;
}

/**
 * @param {PaintedSpan[]} group
 * @param {Map<string, number>} levels
 */
function settle(group, levels) {
  group.sort((a, b) => a.end - a.start - (b.end - b.start));
  group.forEach((span, i) => {
    const taken = new Set();
    for (const other of group.slice(0, i)) {
      if (other.start < span.end && span.start < other.end) taken.add(levels.get(other.id));
    }
    let level = 0;
    while (taken.has(level)) level += 1;
    levels.set(span.id, level);
  });
}
