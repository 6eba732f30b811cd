// @ts-check
/**
 * Line charts. `<div data-chart='{"x": "step", "series": [{"label": "training", "points": [[10, 0.7], …]}]}'>`
 * is drawn with uPlot; when a swap changes the attribute, the same chart takes the new data.
 */

const UPLOT = new URL("../vendor/uplot-1.6.32/uPlot.iife.min.js", import.meta.url);

/** @typedef {{label: string, points: [number, number][]}} Series */
/** @typedef {{x: string, series: Series[]}} ChartData */

const LINES = ["--accent", "--info", "--warning", "--danger", "--success"];
const HEIGHT = 240;
/** With more curves than these a legend would be longer than the chart: the one under the pointer is named. */
const MANY = 12;

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
    known.plot.setData(columns(shown.series));
    return;
  }
  known?.plot.destroy();
  const plot = new uPlot(options(element, shown), columns(shown.series), element);
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
 * uPlot's form: one column of x and one of y for each series, over the union of all x.
 * @param {Series[]} series
 * @returns {(number | null)[][]}
 */
function columns(series) {
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
  const many = data.series.length > MANY;
  const axis = { stroke: ink, grid, ticks: { show: false }, font };
  return {
    width: element.clientWidth || 480,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    scales: { x: { time: false } },
    cursor: {
      drag: { x: true, y: false },
      points: { size: 7, show: !many },
      ...(many && { focus: { prox: 30 } }),
    },
    ...(many && {
      legend: { show: false },
      focus: { alpha: 0.12 },
      hooks: { ready: [nameFocused], setSeries: [nameFocused] },
    }),
    axes: [
      { ...axis, size: 34, values: (/** @type {any} */ _u, /** @type {number[]} */ v) => v.map(String) },
      { ...axis, size: 52 },
    ],
    series: [
      { label: data.x },
      ...data.series.map((item, i) => ({
        label: item.label,
        stroke: color(LINES[i % LINES.length]),
        width: many ? 1.25 : 2,
        spanGaps: true,
        // Few points are dots as well, so that a single evaluation can be seen.
        points: { show: item.points.length < 40 && !many, size: 5 },
        dash: i % 2 && !many ? [6, 3] : undefined,
        value: (/** @type {any} */ _u, /** @type {number | null} */ v) =>
          v === null ? "–" : v.toPrecision(4),
      })),
    ],
  };
}

/**
 * Writes under a chart of many curves which one the pointer is near; the others are faded.
 * @param {any} plot
 * @param {number | null} [number]
 */
function nameFocused(plot, number) {
  let line = plot.root.querySelector(".chart-focus");
  if (!line) {
    line = document.createElement("p");
    line.className = "chart-focus";
    plot.root.append(line);
  }
  line.textContent = number ? plot.series[number].label : "";
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
