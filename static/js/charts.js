// @ts-check
/**
 * Line charts. `<div data-chart='{"x": "step", "series": [{"label": "training", "points": [[10, 0.7], …]}]}'>`
 * is drawn with uPlot; with `"kind": "scatter"` as points without lines, where several may have the same x;
 * `"log"` makes x logarithmic, and `"ticks"` names its places 0, 1, …. When a swap changes the attribute, the same chart takes the new data.
 */

const UPLOT = new URL("../vendor/uplot-1.6.32/uPlot.iife.min.js", import.meta.url);

/** @typedef {{label: string, points: [number, number][]}} Series */
/** @typedef {{x: string, series: Series[], kind?: "scatter", log?: boolean, ticks?: string[]}} ChartData */

const LINES = ["--accent", "--info", "--warning", "--danger", "--success"];
const HEIGHT = 240;

/** @type {Map<HTMLElement, {plot: any, labels: string}>} */
const charts = new Map();

/**
 * Draws or redraws a chart.
 * @param {HTMLElement} element
 */
export async function drawChart(element) {
  const uPlot = await library();
  if (!element.isConnected) return;
  const data = /** @type {ChartData} */ (JSON.parse(element.dataset.chart ?? "{}"));
  const shown = { ...data, series: (data.series ?? []).filter((item) => item.points.length) };
  const labels = JSON.stringify(shown.series.map((item) => item.label));
  const known = charts.get(element);
  if (known && known.labels === labels && element.contains(known.plot.root)) {
    known.plot.setData(columns(shown));
    return;
  }
  known?.plot.destroy();
  const plot = new uPlot(options(element, shown), columns(shown), element);
  charts.set(element, { plot, labels });
  sizes.observe(element);
}

/** @type {Promise<any> | undefined} */
let loading;

/** The chart library, loaded once by the first page that has a chart. It is a classic script. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = UPLOT.href;
    script.onload = () => resolve(/** @type {any} */ (window).uPlot);
    script.onerror = () => reject(new Error("The chart library could not be loaded."));
    document.head.append(script);
  });
  return loading;
}

const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const element = /** @type {HTMLElement} */ (entry.target);
    const chart = charts.get(element);
    if (!element.isConnected) {
      chart?.plot.destroy();
      charts.delete(element);
      sizes.unobserve(element);
    } else if (chart && entry.contentRect.width > 0) {
      chart.plot.setSize({ width: entry.contentRect.width, height: HEIGHT });
    }
  }
});

// A theme that changes under an open page: the colours are read when a canvas is drawn, so draw again.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, chart] of charts) {
    chart.plot.destroy();
    charts.delete(element);
    drawChart(element);
  }
});

/**
 * uPlot's form: one column of x and one of y for each series, over the union of all x; of a scatter, over
 * all points.
 * @param {ChartData} data
 * @returns {(number | null)[][]}
 */
function columns({ series, kind }) {
  if (kind === "scatter") {
    const points = series.flatMap((item, i) => item.points.map(([x, y]) => ({ x, y, i })));
    points.sort((a, b) => a.x - b.x);
    return [
      points.map((point) => point.x),
      ...series.map((_item, i) => points.map((point) => (point.i === i ? point.y : null))),
    ];
  }
  const steps = [...new Set(series.flatMap((item) => item.points.map(([x]) => x)))];
  steps.sort((a, b) => a - b);
  const values = series.map((item) => {
    const at = new Map(item.points);
    return steps.map((x) => at.get(x) ?? null);
  });
  return [steps, ...values];
}

/**
 * @param {HTMLElement} element
 * @param {ChartData} data
 */
function options(element, data) {
  const color = colorReader(element);
  const ink = color("--ink-muted");
  const grid = { stroke: color("--line"), width: 1 };
  const font = "12px system-ui, sans-serif";
  const scatter = data.kind === "scatter";
  const axis = { stroke: ink, grid, ticks: { show: false }, font };
  return {
    width: element.clientWidth || 480,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    scales: { x: xScale(data) },
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    axes: [
      { ...axis, size: 34, ...xTicks(data) },
      { ...axis, size: 52 },
    ],
    series: [
      { label: data.x },
      ...data.series.map((item, i) => ({
        label: item.label,
        stroke: color(LINES[i % LINES.length]),
        width: 2,
        spanGaps: true,
        // Few points are dots as well, so that a single evaluation can be seen.
        points: { show: scatter || item.points.length < 40, size: scatter ? 8 : 5 },
        paths: scatter ? () => null : undefined,
        dash: i % 2 ? [6, 3] : undefined,
        value: (/** @type {any} */ _u, /** @type {number | null} */ v) =>
          v === null ? "–" : v.toPrecision(4),
      })),
    ],
  };
}

/**
 * The scale of x. Points lie inside it, not on its edges.
 * @param {ChartData} data
 */
function xScale({ kind, log }) {
  if (kind !== "scatter") return { time: false };
  const range = (/** @type {any} */ _u, /** @type {number} */ low, /** @type {number} */ high) => {
    if (log) return [low / 1.5, high * 1.5];
    const room = (high - low) / 12 || 0.5;
    return [low - room, high + room];
  };
  return { time: false, distr: log ? 3 : 1, range };
}

/**
 * The words under the x axis.
 * @param {ChartData} data
 */
function xTicks({ log, ticks }) {
  const places = (ticks ?? []).map((_word, i) => i);
  const text = (/** @type {number | null} */ x) => {
    if (x === null) return "";
    if (places.length) return ticks?.[x] ?? "";
    return log ? x.toExponential().replace("e+0", "") : String(x);
  };
  return {
    ...(places.length ? { splits: () => places } : {}),
    values: (/** @type {any} */ _u, /** @type {(number | null)[]} */ v) => v.map(text),
  };
}

/**
 * Reads a colour token as this element sees it: a canvas cannot resolve light-dark() itself.
 * @param {HTMLElement} element
 * @returns {(token: string) => string}
 */
function colorReader(element) {
  return (token) => {
    const before = element.style.color;
    element.style.color = `var(${token})`;
    const resolved = getComputedStyle(element).color;
    element.style.color = before;
    return resolved;
  };
}
