// @ts-check
/**
 * Line charts. `<div data-chart='{"x": "step", "series": [{"label": "training", "points": [[10, 0.7], …]}]}'>`
 * is drawn with uPlot; when a swap changes the attribute, the same chart takes the new data. Smoothing, the
 * logarithmic scale and hidden lines are kept in this browser, by the element's id.
 *
 * A `"unit"` stands behind the values. With `"kind": "scatter"` it has points without lines, where several may have the same x, and no controls;
 * there `"log"` makes x logarithmic, and `"ticks"` names its places 0, 1, ….
 */

const UPLOT = new URL("../vendor/uplot-1.6.32/uPlot.iife.min.js", import.meta.url);

/** @typedef {{label: string, points: [number, number][]}} Series */
/** @typedef {{x: string, series: Series[], unit?: string, kind?: "scatter", log?: boolean, ticks?: string[]}} ChartData */
/** @typedef {{smooth: number, log: boolean, hidden: string[]}} Wishes */
/** @typedef {{plot: any, shape: string, parts: Parts, data: ChartData, wishes: Wishes}} Chart */
/** @typedef {{area: HTMLElement, legend: HTMLElement, tip: HTMLElement, range: HTMLInputElement, log: HTMLButtonElement}} Parts */

const LINES = ["--accent", "--info", "--warning", "--danger", "--ink-muted"];
const HEIGHT = 256;
/** Pixels from one word under the x axis to the next, where their places are given. */
const TICK_ROOM = 56;
/** What ticks of steps lie apart: there is no half step. */
const STEPS = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
const FEW_POINTS = 40;
/** With more lines than these a legend would be longer than the chart: the one near the pointer is named. */
const MANY = 12;

/** @type {Map<HTMLElement, Chart>} */
const charts = new Map();

/**
 * Draws or redraws a chart.
 * @param {HTMLElement} element
 */
export async function drawChart(element) {
  await library();
  if (!element.isConnected) return;
  const given = /** @type {ChartData} */ (JSON.parse(element.dataset.chart ?? "{}"));
  const data = { ...given, series: (given.series ?? []).filter((item) => item.points.length) };
  const known = charts.get(element);
  if (known && element.contains(known.parts.area)) {
    known.data = data;
  } else {
    known?.plot?.destroy();
    const chart = { plot: null, shape: "", parts: build(element, data), data, wishes: wishesOf(element, data) };
    charts.set(element, chart);
    listen(element, chart);
    sizes.observe(element);
  }
  render(element);
}

/**
 * State → picture: the plot is made anew only where its lines or scales are others.
 * @param {HTMLElement} element
 */
function render(element) {
  const chart = /** @type {Chart} */ (charts.get(element));
  const { data, wishes, parts } = chart;
  const labels = data.series.map((item) => item.label);
  const shape = JSON.stringify([labels, wishes.smooth > 0, wishes.log, data.log, data.ticks]);
  const table = isScatter(data) ? spots(data.series) : columns(data.series, wishes);
  if (chart.plot && chart.shape === shape) {
    chart.plot.setData(table);
  } else {
    chart.plot?.destroy();
    chart.plot = new (/** @type {any} */ (window).uPlot)(options(element, chart), table, parts.area);
    chart.shape = shape;
  }
  const lines = wishes.smooth > 0 ? 2 : 1;
  (data.series.length > MANY ? [] : data.series).forEach((item, i) => {
    const show = !wishes.hidden.includes(item.label);
    for (let n = 0; n < lines; n += 1) {
      const index = 1 + i * lines + n;
      if (chart.plot.series[index].show !== show) chart.plot.setSeries(index, { show });
    }
  });
  parts.range.value = String(wishes.smooth);
  parts.log.setAttribute("aria-pressed", String(wishes.log));
  drawLegend(element, chart);
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
    chart.shape = "";
    render(element);
  }
});

// -- what stands around the plot -----------------------------------------------------------------

/**
 * The controls, the plot's place and the legend. A scatter has nothing to be smoothed, and points of one colour
 * need no legend.
 * @param {HTMLElement} element
 * @param {ChartData} data
 * @returns {Parts}
 */
function build(element, data) {
  const words = document.body.dataset;
  element.setAttribute("role", "group");
  const range = Object.assign(document.createElement("input"), {
    type: "range", min: "0", max: "0.98", step: "0.02",
  });
  const label = document.createElement("label");
  label.append(words.textSmoothing ?? "Smoothing", range);
  const log = Object.assign(document.createElement("button"), {
    type: "button", className: "btn btn-small", textContent: words.textLog ?? "Log scale",
  });
  const legend = piece("chart-legend");
  const area = piece("chart-area");
  const tip = piece("chart-tip");
  const controls = piece("chart-controls");
  area.tabIndex = 0;
  area.setAttribute("role", "img");
  const title = element.getAttribute("aria-label")
    ?? document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.textContent ?? "";
  area.setAttribute("aria-label", [title.trim(), words.textChartKeys].filter(Boolean).join(". "));
  tip.setAttribute("role", "status");
  tip.hidden = true;
  controls.append(label, log);
  controls.hidden = isScatter(data);
  legend.hidden = isScatter(data) && data.series.length < 2;
  area.append(tip);
  element.replaceChildren(controls, area, legend);
  return { area, legend, tip, range, log };
}

/** @param {string} className */
function piece(className) {
  return Object.assign(document.createElement("div"), { className });
}

/**
 * Events → new state.
 * @param {HTMLElement} element
 * @param {Chart} chart
 */
function listen(element, chart) {
  const { parts, wishes } = chart;
  const changed = () => {
    keep(element, wishes);
    render(element);
  };
  parts.range.addEventListener("input", () => {
    wishes.smooth = Number(parts.range.value);
    changed();
  });
  parts.log.addEventListener("click", () => {
    wishes.log = !wishes.log;
    changed();
  });
  parts.legend.addEventListener("click", (event) => {
    const label = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.series;
    if (label === undefined) return;
    const at = wishes.hidden.indexOf(label);
    if (at < 0) wishes.hidden.push(label);
    else wishes.hidden.splice(at, 1);
    changed();
  });
  parts.area.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    const { plot } = chart;
    const xs = plot.data[0];
    const at = plot.cursor.idx ?? -1;
    let index = move(at, xs.length - 1);
    // Several points of a scatter may stand at one place; the cursor knows places.
    const way = index !== null && index < at ? -1 : 1;
    while (index !== null && index !== at && xs[index] === xs[at] && index + way in xs) index += way;
    event.preventDefault();
    if (index === null) plot.setCursor({ left: -10, top: -10 });
    else plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: HEIGHT / 3 });
  });
}

/** @type {Record<string, (at: number, last: number) => number | null>} */
const MOVES = {
  ArrowRight: (at, last) => Math.min(last, at + 1),
  ArrowLeft: (at, last) => (at < 0 ? last : Math.max(0, at - 1)),
  PageDown: (at, last) => Math.min(last, at + Math.ceil(last / 20)),
  PageUp: (at, last) => (at < 0 ? last : Math.max(0, at - Math.ceil(last / 20))),
  Home: () => 0,
  End: (_at, last) => last,
  Escape: () => null,
};

/**
 * @param {HTMLElement} element
 * @param {Chart} chart
 */
function drawLegend(element, { data, wishes, parts }) {
  if (data.series.length > MANY) return;
  const color = colorReader(element);
  const names = data.series.map((item) => item.label);
  if (parts.legend.dataset.names !== JSON.stringify(names)) {
    parts.legend.dataset.names = JSON.stringify(names);
    parts.legend.replaceChildren(
      ...names.map((name, i) => {
        const button = Object.assign(document.createElement("button"), { type: "button", className: "chart-line" });
        button.dataset.series = name;
        const mark = piece("chart-mark");
        mark.dataset.kind = (isScatter(data) ? ["ring", "disc"] : ["solid", "dashed"])[i % 2];
        button.append(mark, name);
        return button;
      }),
    );
  }
  [...parts.legend.children].forEach((button, i) => {
    button.setAttribute("aria-pressed", String(!wishes.hidden.includes(names[i])));
    const mark = /** @type {HTMLElement} */ (button.firstElementChild);
    mark.style.setProperty("--series", color(LINES[i % LINES.length]));
  });
}

/**
 * The values under the cursor, beside it.
 * @param {Chart} chart
 */
function showValues(chart) {
  const { plot, parts, data, wishes } = chart;
  const index = plot?.cursor.idx;
  parts.tip.hidden = data.series.length > MANY || index === null || index === undefined || plot.cursor.left < 0;
  if (parts.tip.hidden) return;
  const lines = wishes.smooth > 0 ? 2 : 1;
  const xs = plot.data[0];
  const here = isScatter(data) ? [...xs.keys()].filter((i) => xs[i] === xs[index]) : [index];
  const rows = data.series.flatMap((item, i) => {
    if (wishes.hidden.includes(item.label)) return [];
    const values = here.map((at) => plot.data[i * lines + lines][at]).filter((value) => value !== null && value !== undefined);
    return values.length ? [`${item.label} ${values.map((value) => reading(value, data.unit)).join(", ")}`] : [];
  });
  const head = `${data.x} ${place(data, xs[index])}`;
  parts.tip.replaceChildren(
    ...[head, ...rows].map((text) => Object.assign(document.createElement("span"), { textContent: text })),
  );
  const left = plot.bbox.left / devicePixelRatio + plot.cursor.left;
  const width = parts.tip.offsetWidth;
  const beside = left + 12 + width > parts.area.clientWidth ? left - width - 12 : left + 12;
  parts.tip.style.left = `${Math.max(0, beside)}px`;
}

/**
 * Says under a chart of many lines which one the pointer is near; the others are faded.
 * @param {Chart} chart
 * @param {any} plot
 * @param {number | null} at
 */
function nameLine({ parts }, plot, at) {
  parts.legend.textContent = at ? plot.series[at].label : "";
}

/**
 * A value as it is read off: per cents have one decimal, as in the tables.
 * @param {number} value
 * @param {string} [unit]
 */
function reading(value, unit) {
  return unit ? `${value.toFixed(1)}${unit}` : figure(value);
}

/**
 * A value as a tick, whose digits follow from the scale.
 * @param {number} value
 * @param {string} [unit]
 */
function figure(value, unit = "") {
  const digits = Math.abs(value) >= 10000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(4));
  return `${digits}${unit}`;
}

// -- data ----------------------------------------------------------------------------------------

/**
 * uPlot's form: one column of x and, over the union of all x, one of y for each line; where lines are smoothed,
 * the raw one stands before the smooth one.
 * @param {Series[]} series
 * @param {Wishes} wishes
 * @returns {(number | null)[][]}
 */
function columns(series, wishes) {
  const steps = [...new Set(series.flatMap((item) => item.points.map(([x]) => x)))];
  steps.sort((a, b) => a - b);
  const values = series.flatMap((item) => {
    const lines = wishes.smooth > 0 ? [item.points, smoothed(item.points, wishes.smooth)] : [item.points];
    return lines.map((points) => {
      const at = new Map(points);
      return steps.map((x) => shown(at.get(x), wishes.log));
    });
  });
  return [steps, ...values];
}

/** @param {ChartData} data */
function isScatter(data) {
  return data.kind === "scatter";
}

/**
 * uPlot's form of a scatter: one column of x and one of y for each series, over all points.
 * @param {Series[]} series
 * @returns {(number | null)[][]}
 */
function spots(series) {
  const points = series.flatMap((item, i) => item.points.map(([x, y]) => ({ x, y, i })));
  points.sort((a, b) => a.x - b.x);
  const values = series.map((_item, i) => points.map((point) => (point.i === i ? point.y : null)));
  return [points.map((point) => point.x), ...values];
}

/**
 * A logarithm has no zero.
 * @param {number | undefined} value
 * @param {boolean} log
 */
function shown(value, log) {
  return value === undefined || (log && value <= 0) ? null : value;
}

/**
 * An exponential moving average without its bias towards 0 at the start (as in Adam).
 * @param {[number, number][]} points
 * @param {number} weight of the past, 0 to 1
 * @returns {[number, number][]}
 */
function smoothed(points, weight) {
  let sum = 0;
  let share = 0;
  return points.map(([x, y]) => {
    sum = weight * sum + (1 - weight) * y;
    share = weight * share + (1 - weight);
    return [x, sum / share];
  });
}

/**
 * @param {HTMLElement} element
 * @param {ChartData} data
 * @returns {Wishes}
 */
function wishesOf(element, data) {
  if (isScatter(data)) return { smooth: 0, log: false, hidden: [] };
  try {
    const kept = JSON.parse(localStorage.getItem(`annotune.${element.id}`) ?? "{}");
    const smooth = Number(kept.smooth) || 0;
    return {
      smooth: Math.min(0.98, Math.max(0, smooth)),
      log: kept.log === true,
      hidden: Array.isArray(kept.hidden) ? kept.hidden.map(String) : [],
    };
  } catch {
    return { smooth: 0, log: false, hidden: [] };
  }
}

/**
 * @param {HTMLElement} element
 * @param {Wishes} wishes
 */
function keep(element, wishes) {
  try {
    localStorage.setItem(`annotune.${element.id}`, JSON.stringify(wishes));
  } catch {
    // A browser that keeps nothing shows the chart as well.
  }
}

/**
 * @param {HTMLElement} element
 * @param {Chart} chart
 */
function options(element, chart) {
  const { data, wishes } = chart;
  const many = data.series.length > MANY;
  const color = colorReader(element);
  const surface = color("--surface");
  const grid = { stroke: color("--line"), width: 1 };
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: color("--ink-muted"), grid, ticks: { show: false }, font };
  const words = (/** @type {any} */ _u, /** @type {(number | null)[]} */ v) =>
    v.map((value) => (value === null ? "" : figure(value, data.unit)));
  return {
    width: element.clientWidth || 480,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    scales: { x: xScale(data), y: wishes.log ? { distr: 3 } : {} },
    cursor: {
      drag: { x: true, y: false },
      points: { size: 7, show: !many },
      ...(many && { focus: { prox: 30 } }),
    },
    ...(many && { focus: { alpha: 0.12 } }),
    hooks: {
      setCursor: [() => showValues(chart)],
      setSeries: [(/** @type {any} */ plot, /** @type {number | null} */ at) => many && nameLine(chart, plot, at)],
    },
    axes: [
      { ...axis, size: 26, ...xTicks(chart), label: data.x, labelFont: font, labelSize: 18, labelGap: 0 },
      { ...axis, size: 58, values: words },
    ],
    series: [
      { label: data.x },
      ...data.series.flatMap((item, i) => {
        const stroke = color(LINES[i % LINES.length]);
        const line = {
          label: item.label,
          stroke,
          width: many ? 1.25 : 2,
          spanGaps: true,
          dash: i % 2 && !many ? [6, 3] : undefined,
          // Few points are dots as well, so that a single evaluation can be seen.
          points: { show: item.points.length < (many ? 3 : FEW_POINTS), size: 5, fill: surface },
        };
        const spot = { show: true, size: 8, fill: i % 2 ? stroke : surface };
        if (isScatter(data)) return [{ ...line, paths: () => null, points: spot }];
        const faint = { ...line, width: 1, alpha: 0.3, points: { show: false }, show: !many };
        return wishes.smooth > 0 ? [faint, line] : [line];
      }),
    ],
  };
}

/**
 * The scale of x. Points of a scatter lie inside it, not on its edges.
 * @param {ChartData} data
 */
function xScale(data) {
  if (!isScatter(data)) return { time: false };
  const range = (/** @type {any} */ _u, /** @type {number} */ low, /** @type {number} */ high) => {
    if (data.log) return [low / 1.5, high * 1.5];
    const room = (high - low) / 12 || 0.5;
    return [low - room, high + room];
  };
  return { time: false, distr: data.log ? 3 : 1, range };
}

/**
 * The words under the x axis: of a scatter those values that were tried, as far as there is room for them.
 * @param {Chart} chart
 */
function xTicks(chart) {
  const { data } = chart;
  const values = (/** @type {any} */ _u, /** @type {(number | null)[]} */ v) => v.map((x) => place(data, x));
  if (!isScatter(data)) return { incrs: STEPS, values };
  const splits = (/** @type {any} */ plot) => {
    const tried = new Set(chart.data.series.flatMap((item) => item.points.map(([x]) => x)));
    let last = -Infinity;
    return [...tried].sort((a, b) => a - b).filter((x) => {
      const at = plot.valToPos(x, "x");
      const room = at - last >= TICK_ROOM;
      if (room) last = at;
      return room;
    });
  };
  // The library's own filter would keep the powers of ten alone.
  return { splits, values, filter: (/** @type {any} */ _u, /** @type {number[]} */ v) => v };
}

/**
 * A place on the x axis in words.
 * @param {ChartData} data
 * @param {number | null} x
 */
function place({ log, ticks }, x) {
  if (x === null) return "";
  if (ticks?.length) return ticks[x] ?? "";
  return log ? x.toExponential().replace("e+0", "") : String(x);
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
