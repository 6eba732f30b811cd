"""A sentence as GLiNER is trained on it, its entities by the numbers of their first and last words:

    {"tokenized_text": ["Ada", "met", "Bo"], "ner": [[0, 0, "person"], [2, 2, "person"]]}

Source: the GLiNER repository, “Finetuning”.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped
from app.formats.tagged_words import are_words, check_tags, place_words
from app.i18n import gettext as _

MARKS = frozenset({"tokenized_text"})


def matches(row: Any, options: ReadOptions) -> bool:
    return isinstance(row, dict) and are_words(row.get("tokenized_text"))


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    words = row["tokenized_text"]
    text, found = place_words(words)
    tokens = check_tags(found, "tokenized_text")
    rest = {name: value for name, value in row.items() if name != "ner"}
    said = row.get("ner")
    roles = {"text": "text", "tokens": "tokenized_text", "label": ""}
    if task != "ner" or not isinstance(said, list):
        return Shaped({**row, "text": text}, roles)
    spans = []
    for one in said:
        is_span = isinstance(one, list) and len(one) == 3
        if not is_span or not all(type(n) is int for n in one[:2]) or not isinstance(one[2], str):
            raise InvalidInput.at(
                "ner", _("An entity needs its first word, its last word and a label.")
            )
        first, last, label = one
        if len(tokens) != len(words) or not 0 <= first <= last < len(tokens):
            raise InvalidInput.at(
                "ner", _("The words %(a)s to %(b)s are not in the sentence.", a=first, b=last)
            )
        label = options.label_map.get(label, label)
        spans.append({"start": tokens[first][0], "end": tokens[last][1], "label": label})
    return Shaped({**rest, "text": text}, roles, {"spans": spans})
