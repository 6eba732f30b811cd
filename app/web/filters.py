"""How values look on a page: Jinja filters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from markupsafe import Markup, escape

from app.i18n import get_locale, gettext, mark
from app.services.searches import SearchView
from app.tasks.base import Label
from app.training import RUN_KINDS
from app.training.search import is_logarithmic
from app.web import audit_words

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def _table_open(*_: Any) -> str:
    """A wide table scrolls by itself, by keys too."""
    label = escape(gettext("Table"))
    return f'<div class="table-wrap" tabindex="0" role="group" aria-label="{label}"><table>'


def _table_close(*_: Any) -> str:
    return "</table></div>"


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


_METRICS = {
    "accuracy": mark("Accuracy"),
    "macro_f1": mark("Macro-F1"),
    "micro_f1": mark("Micro-F1"),
    "mcc": mark("MCC"),
    "precision": mark("Precision"),
    "recall": mark("Recall"),
    "f1": mark("F1"),
    "argument_precision": mark("Argument precision"),
    "argument_recall": mark("Argument recall"),
    "argument_f1": mark("Argument F1"),
    "argument_macro_f1": mark("Argument macro-F1"),
    "predicate_precision": mark("Predicate precision"),
    "predicate_recall": mark("Predicate recall"),
    "predicate_f1": mark("Predicate F1"),
    "sense_accuracy": mark("Sense accuracy"),
    "loss": mark("Loss"),
    "perplexity": mark("Perplexity"),
    "matthews": mark("Matthews"),
    "mean_absolute_error": mark("Mean absolute error"),
    "quadratic_kappa": mark("Quadratic kappa"),
}

_SHARES = _METRICS.keys() - {"loss", "perplexity", "mean_absolute_error"}


def markdown(text: str) -> Markup:
    """Markdown as HTML. Raw HTML in it shows as text, and links may not be scripts."""
    return Markup(_markdown().render(text))  # noqa: S704


def file_size(n: float | None) -> str:
    """Bytes for people, in binary units."""
    if n is None:
        return "—"
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"


def duration(seconds: float | None) -> str:
    """A length of time for people: 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    if whole < 60:
        return gettext("%(s)s s", s=whole)
    if whole < 3600:
        return gettext("%(min)s min %(s)s s", min=whole // 60, s=whole % 60)
    return gettext("%(h)s h %(min)s min", h=whole // 3600, min=whole % 3600 // 60)


def ago(moment: datetime | None) -> str:
    """How long ago a moment was."""
    if moment is None:
        return "—"
    passed = datetime.now(UTC) - moment
    if passed < timedelta(minutes=1):
        return gettext("just now")
    if passed >= timedelta(days=30):
        return f"{moment:%Y-%m-%d}"
    from babel.dates import format_timedelta

    return format_timedelta(-passed, add_direction=True, locale=get_locale())


def day(moment: datetime) -> str:
    """A date as everybody reads it."""
    return f"{moment:%Y-%m-%d}"


def number(value: Any, digits: int = 4) -> str:
    """A figure for people: thousands apart, fractions to some digits."""
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}"


def to_json(value: Any) -> Markup:
    """JSON that is safe inside a script element: no `<`, so nothing can close it."""
    text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704


def percent(value: float | None) -> str:
    """A share of 1 as per cents with one decimal."""
    return "—" if value is None else f"{round(100 * value, 1) + 0.0:.1f}".replace("-", "−")


def perplexity(value: float) -> str:
    """A perplexity for people: decimals only where they say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def score(value: float | None, name: str) -> str:
    """A score of a run: a share as per cents; a loss or another measure, which may pass 1, as a number."""
    return percent(value) if name in _SHARES else number(value)


def signed(value: float) -> str:
    """A difference of shares of 1 as points with a sign: +2.1, −0.4."""
    points = f"{abs(100 * value):.1f}"
    return f"{'−' if value < 0 and float(points) else '+'}{points}"


def p_value(value: float) -> str:
    """A p-value for people."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def confusion_table(confusion: dict[str, Any]) -> dict[str, Any]:
    """A confusion matrix as a page shows it: without labels that neither gold nor the model says, and with
    what is only gold or only predicted on its own side.

    `columns` are [name, title] pairs; each of `rows` has its name, title, total, and a count a column.
    """
    names, counts = confusion["labels"], confusion["counts"]
    of_spans = names[-2:] == ["missed", "spurious"]
    titles = {"missed": gettext("missed"), "spurious": gettext("spurious")} if of_spans else {}
    used = [i for i in range(len(names)) if any(counts[i]) or any(row[i] for row in counts)]
    columns = [i for i in used if not of_spans or names[i] != "spurious"]
    # First: of a model that finds little it has all the counts, and wide tables are seen from the left.
    columns.sort(key=lambda i: not of_spans or names[i] != "missed")
    return {
        "columns": [[names[i], titles.get(names[i], names[i])] for i in columns],
        "rows": [
            {
                "name": names[i],
                "title": titles.get(names[i], names[i]),
                "total": sum(counts[i]),
                "counts": [counts[i][j] for j in columns],
            }
            for i in used
            if not of_spans or names[i] != "missed"
        ],
    }


def metric_title(name: str) -> str:
    """A metric's name for people."""
    return gettext(_METRICS[name]) if name in _METRICS else name.replace("_", " ")


_SPLITS = {
    "train": mark("Train"),
    "validation": mark("Validation"),
    "test": mark("Test"),
    "out_of_fold": mark("Out of fold"),
    "all": mark("All"),
}


def split_title(name: str) -> str:
    """A split's name for people."""
    return gettext(_SPLITS[name])


def unit(name: str) -> str:
    """What stands behind a metric's figures in a chart."""
    return "%" if name in _SHARES else ""


def series(points: list[dict[str, Any]], path: str) -> list[list[float]]:
    """[step, value] pairs of one value of each point, shares as per cents; `metrics.loss` looks into
    `metrics`."""
    factor = 100 if unit(path.removeprefix("metrics.")) else 1
    pairs = []
    for point in points:
        value: Any = point
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            pairs.append([point["step"], factor * value])
    return pairs


def score_series(evaluations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One curve for each validation score that is a share, so that they have one axis."""
    names = dict.fromkeys(
        name
        for point in evaluations
        for name in point.get("metrics", {})
        if unit(name) and not name.endswith(("precision", "recall"))
    )
    return [
        {"label": metric_title(name), "points": series(evaluations, f"metrics.{name}")}
        for name in list(names)[:5]
    ]


_DISTINCT_CURVES, _GRID = 12, 200


def run_series(runs: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """A curve for each run that has one, of validation where splits are evaluated.

    Many curves share 200 steps, each point at the nearest: a chart has a row for every step of any curve.
    """
    curves = [
        {
            "label": run["label"],
            "points": series(
                [p for p in run["points"] if p.get("split", "validation") == "validation"], path
            ),
        }
        for run in runs
    ]
    curves = [curve for curve in curves if curve["points"]]
    if len(curves) > _DISTINCT_CURVES:
        width = max(1, max(curve["points"][-1][0] for curve in curves) / _GRID)
        for curve in curves:
            nearest = {
                round(round(step / width) * width): float(f"{value:.5g}")
                for step, value in curve["points"]
            }
            curve["points"] = [list(pair) for pair in nearest.items()]
    return curves


def heat(difference: float | None) -> str:
    """The class of a difference of scores: how far up or down, in five steps of two points each."""
    if difference is None or abs(difference) < 0.0005:
        return "delta-0"
    return f"delta-{'up' if difference > 0 else 'down'}-{min(5, 1 + int(abs(difference) / 0.02))}"


_PARAMETERS = {
    name: str(field.title)
    for kind in RUN_KINDS.values()
    for name, field in kind.params.model_fields.items()
}


def parameter_title(name: str) -> str:
    """A parameter's name for people, as the forms have it; one that is unknown by now stays as it is."""
    return gettext(_PARAMETERS[name]) if name in _PARAMETERS else name


def parameter(value: Any) -> str:
    """A parameter's value for people."""
    match value:
        case None | "":
            return "—"
        case bool():
            return gettext("yes") if value else gettext("no")
        case float():
            return f"{value:g}"
        case dict():
            return ", ".join(f"{key} = {item}" for key, item in value.items()) or "—"
    return str(value)


def scatter(view: SearchView, name: str) -> dict[str, Any]:
    """A search's validation scores over one of its parameters, as a chart: the best apart from the rest.

    Words have places in the order in which they were written.
    """
    scored = [
        (child, 100 * score)
        for child in view.children
        if (score := child.score("validation")) is not None
    ]
    values = [child.run.params.get(name) for child, _score in scored]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    ticks = [] if is_number else list(dict.fromkeys(map(parameter, values)))
    points = [
        [value if is_number else ticks.index(parameter(value)), score]
        for (_child, score), value in zip(scored, values, strict=True)
    ]
    is_best = [child is view.best for child, _score in scored]
    groups = [
        [point for point, best in zip(points, is_best, strict=True) if best is wanted]
        for wanted in (False, True)
    ]
    return {
        "x": parameter_title(name),
        "unit": "%",
        "kind": "scatter",
        "log": is_number and is_logarithmic(name),
        "ticks": ticks,
        "series": [
            {"label": gettext("others"), "points": groups[0]},
            {"label": gettext("best"), "points": groups[1]},
        ],
    }


def marked_spans(text: str, spans: Sequence[dict[str, Any]], labels: dict[str, Label]) -> Markup:
    """A text with its spans marked: `<mark data-color>` and the label behind; an overlapping one is left out."""
    html, at = Markup(), 0
    for span in sorted(spans, key=lambda item: (item["start"], -item["end"])):
        if span["start"] < at:
            continue
        name = span.get("label") or span["role"]
        base = name.split("-", 1)[1] if name.startswith(("C-", "R-")) else name
        color = labels[base].color if base in labels else "#64748b"
        html += escape(text[at : span["start"]])
        html += Markup(
            '<mark class="span" data-color="{}">{}<span class="span-label">{}</span></mark>'
        ).format(color, text[span["start"] : span["end"]], name)
        at = span["end"]
    return html + escape(text[at:])


FILTERS = {
    "activity": audit_words.activity,
    "audit_details": audit_words.details,
    "markdown": markdown,
    "size": file_size,
    "split_title": split_title,
    "duration": duration,
    "ago": ago,
    "day": day,
    "number": number,
    "to_json": to_json,
    "percent": percent,
    "perplexity": perplexity,
    "score": score,
    "metric_title": metric_title,
    "series": series,
    "score_series": score_series,
    "unit": unit,
    "confusion_table": confusion_table,
    "run_series": run_series,
    "parameter": parameter,
    "parameter_title": parameter_title,
    "scatter": scatter,
    "signed": signed,
    "heat": heat,
    "p_value": p_value,
    "marked_spans": marked_spans,
}
