"""Labelled spans as the field's tools write them, and what their numbers count.

Most tools count code points and stop before the end. Some count UTF-16 units (what a browser's JavaScript counts:
Label Studio), bytes of UTF-8 or the row's words (SpERT), some name the last one (CLUENER, CMeEE, DataTurks). Where
spans bring their words, the words say which it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from app.errors import InvalidInput
from app.formats.tokens import Tokens
from app.i18n import gettext as _

_START = (
    "start", "start_offset", "begin", "startOffset", "start_idx", "start_pos", "start_char", "startIndex",
    "start_index", "beginOffset", "begin_offset", "offset_start", "BeginOffset",
)  # fmt: skip
_END = (
    "end", "end_offset", "stop", "endOffset", "end_idx", "end_pos", "end_char", "endIndex", "end_index",
    "offset_end", "EndOffset",
)  # fmt: skip
_LABEL = (
    "label", "labels", "type", "tag", "entity_type", "entity_group", "category", "label_type", "ner_label", "Type",
    "entity",
)  # fmt: skip
_WORDS = ("text", "value", "entity", "word", "mention", "name")
_INSIDE = ("entity_index", "points")
"""Where a span's numbers stand in an object of their own, or in the only one of a list …"""
_PAIRS = ("pos", "span", "offset", "offsets", "indices", "position")
"""… or in a pair."""
_KNOWN = frozenset(
    (*_START, *_END, *_LABEL, *_WORDS, *_INSIDE, *_PAIRS, "token_start", "token_end")
)
_OWN = {"start", "end", "label"}
_MAX_REMEMBERED = 1024
"""Characters of a span's names."""


class _Span(NamedTuple):
    """A span as its file has it."""

    start: int
    end: int
    labels: list[str]
    words: str | None = None


def read_spans(
    value: Any,
    text: str,
    *,
    label_map: Mapping[str, str],
    column: str,
    tokens: Tokens | None = None,
    only_words: bool = False,
    conventions: Sequence["Convention"] = (),
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """(spans, names of what they hold beside) of a list of spans, an object that holds one, or CLUENER's object of
    labels. `tokens` is where the row's words stand, and `only_words` says that it has no other text. `conventions`:
    what the numbers may count, the usual one first. Raises InvalidInput."""
    if isinstance(value, dict):
        held = next((value[name] for name in ("spans", "entities") if name in value), None)
        if held is None and len(value) == 1:  # spaCy's named groups of spans
            held = next(iter(value.values()))
        value = held if isinstance(held, list) else _listed(value, column)
    if not isinstance(value, list):
        raise InvalidInput.at(column, _("The entities must be a list of spans."))
    if not only_words and (plain := _plain(value, len(text), label_map)) is not None:
        return plain, ()
    spans = [_span(item, column) for item in value]
    placed = _place(
        spans,
        text,
        column,
        tokens=tokens,
        only_words=only_words,
        conventions=conventions or _CONVENTIONS,
    )
    names = {str(n) for item in value if isinstance(item, dict) for n in item if n not in _KNOWN}
    return [
        {"start": start, "end": end, "label": label_map.get(label, label)}
        for span, (start, end) in zip(spans, placed, strict=True)
        for label in span.labels
    ], tuple(sorted(f"{column}.{name}" for name in names))


def _plain(
    value: list[Any], size: int, label_map: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """The spans of a list that has nothing but {"start", "end", "label"} within the text, as most have: nothing is to
    be found out about them. None for any other, of which more is to be said."""
    spans = []
    for item in value:
        if type(item) is not dict or item.keys() != _OWN:
            return None
        start, end, label = item["start"], item["end"], item["label"]
        if type(start) is not int or type(end) is not int or type(label) is not str:
            return None
        label = label.strip()
        if not (label and 0 <= start < end <= size):
            return None
        spans.append({"start": start, "end": end, "label": label_map.get(label, label)})
    return spans


def _listed(value: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    """The spans of an object of lists, {"start": […], "end": […], "label": […]}, as Arrow has them, or of labels."""
    lists = list(value.values())
    if any(name in value for name in _START) and all(
        isinstance(one, list) and len(one) == len(lists[0]) for one in lists
    ):
        return [dict(zip(value, items, strict=True)) for items in zip(*lists, strict=True)]
    return list(_by_label(value, column))


def _by_label(value: Mapping[str, Any], column: str) -> Iterator[dict[str, Any]]:
    """CLUENER's way: {label: {words: [[first, last], …]}}."""
    for label, mentions in value.items():
        if not isinstance(mentions, dict):
            raise _unknown(label, column)
        for words, places in mentions.items():
            if not isinstance(places, list):
                raise _unknown(label, column)
            for place in places:
                if not isinstance(place, list) or len(place) != 2:
                    raise _unknown(label, column)
                yield {"start": place[0], "end": place[1], "label": label, "text": words}


def _unknown(label: str, column: str) -> InvalidInput:
    return InvalidInput.at(
        column, _("The entities of “%(label)s” are in no known form.", label=label)
    )


def _span(item: Any, column: str) -> _Span:
    start = end = label = words = None
    if isinstance(item, (list, tuple)) and len(item) == 3:
        start, end, label = item if not isinstance(item[0], str) else (*item[1:], item[0])
    elif isinstance(item, dict):
        item = _flat(item)
        start, end, label, words = map(item.get, _names(item))
    start, end, labels = _whole(start), _whole(end), _labels(label)
    if type(start) is not int or type(end) is not int or not labels:
        raise InvalidInput.at(
            column,
            _("A span needs a start, an end and a label, unlike %(item)s.", item=str(item)[:300]),
        )
    return _Span(start, end, labels, words if isinstance(words, str) else None)


def _labels(value: Any) -> list[str]:
    """The label, or those of a list; none where one of them is no word and no number."""
    if isinstance(value, str):
        name = value.strip()
        return [name] if name else []
    values = value if isinstance(value, list) else [value]
    named = [str(one).strip() for one in values if isinstance(one, str) or type(one) is int]
    return named if len(named) == len(values) and all(named) else []


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _flat(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The span with the numbers that stand in an object of their own, or in a pair."""
    if "start" in item:
        return item
    for name in _INSIDE:
        inner = item.get(name)
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if isinstance(inner, dict):
            return {**item, **inner}
    for name in _PAIRS:
        pair = item.get(name)
        if isinstance(pair, list | tuple) and len(pair) == 2:
            return {**item, "start": pair[0], "end": pair[1]}
    return item


def _names(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which names a span says its start, its end, its label and its words; empty where it does not."""
    if sum(map(len, item)) <= _MAX_REMEMBERED:  # spans have the same names again and again
        return _remembered(tuple(item))
    return _by_name(tuple(item))


def _by_name(names: tuple[str, ...]) -> tuple[str, ...]:
    start, end, label = (
        next((name for name in known if name in names), "") for known in (_START, _END, _LABEL)
    )
    words = next((name for name in _WORDS if name in names and name != label), "")
    return start, end, label, words


_remembered = lru_cache(maxsize=64)(_by_name)
_Place = tuple[int, int]
Convention = Callable[[_Span, str, Tokens], _Place]


def _place(
    spans: list[_Span],
    text: str,
    column: str,
    *,
    tokens: Tokens | None,
    only_words: bool,
    conventions: Sequence[Convention],
) -> list[_Place]:
    """Where the spans stand, in code points: as the first convention has it under which all stand at their words."""
    if only_words and spans and all(span.words is None for span in spans):
        raise InvalidInput.at(
            column,
            _(
                "The row has words but no text, and its spans do not say theirs: nobody knows what their numbers "
                "count. Add the text, or the words of each span."
            ),
        )
    for convention in conventions:
        placed = [convention(span, text, tokens or ()) for span in spans]
        if all(_stands(span, place, text) for span, place in zip(spans, placed, strict=True)):
            break
    else:
        placed = [conventions[0](span, text, tokens or ()) for span in spans]
    for span, (start, end) in zip(spans, placed, strict=True):
        if not 0 <= start < end <= len(text):
            raise InvalidInput.at(
                column,
                _(
                    "Span %(start)s to %(end)s does not lie in the text, which has %(n)s characters.",
                    start=start,
                    end=end,
                    n=len(text),
                ),
            )
        if not _stands(span, (start, end), text):
            raise InvalidInput.at(
                column,
                _(
                    "The span %(start)s to %(end)s is “%(there)s” in the text, but the file says “%(words)s”.",
                    start=start,
                    end=end,
                    there=text[start:end][:100],
                    words=(span.words or "")[:100],
                ),
            )
    return placed


def _stands(span: _Span, place: _Place, text: str) -> bool:
    """Whether its words stand at a place; a span without words says nothing against it."""
    start, end = place
    if span.words is None:
        return True
    there = text[start:end] if start >= 0 and end <= len(text) else ""
    return there == span.words or there.replace("\n", "\\n") == span.words


def _code_points(span: _Span, text: str, tokens: Tokens) -> _Place:
    return span.start, span.end


def _utf16(span: _Span, text: str, tokens: Tokens) -> _Place:
    return _from_utf16(span.start, text), _from_utf16(span.end, text)


def _words(span: _Span, text: str, tokens: Tokens) -> _Place:
    if not 0 <= span.start < span.end <= len(tokens):
        return -1, -1
    return tokens[span.start][0], tokens[span.end - 1][1]


def _last_included(convention: Convention) -> Convention:
    return lambda span, text, tokens: convention(span._replace(end=span.end + 1), text, tokens)


def _from_utf16(units: int, text: str) -> int:
    """The place in code points that a place in UTF-16 units is; behind the text, it stays behind it."""
    if units < 0:
        return units
    encoded = text[:units].encode("utf-16-le", "surrogatepass")
    before = encoded[: 2 * units].decode("utf-16-le", "replace")
    return len(before) + max(0, units - len(encoded) // 2)


def _bytes(span: _Span, text: str, tokens: Tokens) -> _Place:
    return _from_bytes(span.start, text), _from_bytes(span.end, text)


def _from_bytes(count: int, text: str) -> int:
    """The place in code points that a place in bytes of UTF-8 is; -1 within a character."""
    encoded = text.encode("utf-8", "surrogatepass")
    if not 0 <= count <= len(encoded):
        return count if count < 0 else len(text) + count - len(encoded)
    try:
        return len(encoded[:count].decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return -1


_COUNTS: dict[str, Convention] = {"characters": _code_points, "utf16": _utf16, "bytes": _bytes}
_CONVENTIONS: tuple[Convention, ...] = tuple(
    end
    for convention in (*_COUNTS.values(), _words)
    for end in (convention, _last_included(convention))
)


@lru_cache
def conventions(offsets: str, span_end: str, *, usual: str) -> tuple[Convention, ...]:
    """What numbers may count (`ReadOptions.offsets` and `.span_end`), the usual one first: of what is left open, the
    words of the spans decide."""
    if offsets == span_end == "auto" and usual == "characters":
        return _CONVENTIONS
    counts = (
        [_COUNTS[usual], *_COUNTS.values(), _words] if offsets == "auto" else [_COUNTS[offsets]]
    )
    found: list[Convention] = []
    for convention in dict.fromkeys(counts):
        if span_end != "inclusive":
            found.append(convention)
        if span_end != "exclusive":
            found.append(_last_included(convention))
    return tuple(found)
