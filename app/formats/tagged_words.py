"""Words and a tag for each, as Hugging Face's data sets have them in two columns: `tokens` and `ner_tags`."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import InvalidInput
from app.formats import tags as tag_schemes
from app.formats.tokens import Tokens, join, locate
from app.i18n import gettext as _


def are_words(value: Any) -> bool:
    """Whether a value is a list of words."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def are_tags(value: Any, words: Sequence[str] | None) -> bool:
    """Whether a value has a tag, or its number, for each of the words."""
    return (
        isinstance(value, list)
        and words is not None
        and len(value) == len(words)
        and all(isinstance(tag, str) or type(tag) is int for tag in value)
    )


def place_words(words: Sequence[str], text: str | None = None) -> tuple[str, Tokens | None]:
    """(text, where the words stand in it), the text made of them if there is none. Words of white space alone
    stand nowhere."""
    visible = [word for word in words if word.strip()]
    return join(visible) if text is None else (text, locate(visible, text))


def spans_of_tags(
    tags: Sequence[str | int],
    words: Sequence[str],
    tokens: Tokens,
    *,
    label_map: Mapping[str, str],
    column: str,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """(spans, names of what is left out). A number without a name is a label itself, and 0 is none; `label_map` may
    name it: {"1": "B-PER"}."""
    pairs = list(zip(tags, words, strict=True))
    if any(not word.strip() and tag not in (0, *tag_schemes.OUTSIDE) for tag, word in pairs):
        raise InvalidInput.at(column, _("A tag of an entity stands at a word that is empty."))
    visible = [tag for tag, word in pairs if word.strip()]
    named = [label_map.get(str(tag), tag) for tag in visible]
    nameless = any(isinstance(tag, int) and tag > 0 for tag in named)
    spans = [
        {"start": start, "end": end, "label": label_map.get(label, label)}
        for start, end, label in decode([_tag(tag) for tag in named], tokens)
    ]
    unused = _(
        "the names of the numbers in “%(column)s”: each number is taken for a label", column=column
    )
    return spans, (unused,) if nameless else ()


def decode(tags: list[str], tokens: Tokens) -> list[tuple[int, int, str]]:
    """(start, end, label) of what the tags say, as in CoNLL columns."""
    scheme = tag_schemes.detect(set(tags)) or tag_schemes.USUAL
    return [
        (tokens[first][0], tokens[last][1], label)
        for first, last, label in tag_schemes.decode(tags, scheme)
    ]


def _tag(tag: str | int) -> str:
    # Of numbers, 0 says no entity, and -100 is what training passes over.
    return tag.strip() if isinstance(tag, str) else f"I-{tag}" if tag > 0 else "O"


def check_tags(tokens: Tokens | None, column: str) -> Tokens:
    """Raises InvalidInput where nobody knows where the tagged words stand."""
    if tokens is None:
        raise InvalidInput.at(
            column, _("The row's words do not stand one after the other in its text.")
        )
    return tokens
