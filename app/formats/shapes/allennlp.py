"""A sentence as AllenNLP's semantic role labeller answers:

    {"words": ["Ada", "ran", "home"], "verbs": [{"verb": "ran", "tags": ["B-ARG0", "B-V", "B-ARGM-DIR"], …}]}

Source: allennlp-models, `structured_prediction/predictors/srl.py`.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.propositions import long_role
from app.formats.shapes.base import Shaped
from app.formats.tagged_words import are_tags, are_words, check_tags, decode, place_words
from app.formats.tokens import Tokens
from app.i18n import gettext as _

MARKS = frozenset({"verbs"})


def matches(row: Any, options: ReadOptions) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("verbs"), list)
        and are_words(row.get("words"))
        and all(isinstance(verb, dict) and "tags" in verb for verb in row["verbs"])
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    if task != "srl":
        return Shaped(row)
    words = row["words"]
    text = row.get("text", row.get("sentence"))
    text, found = place_words(words, text if isinstance(text, str) else None)
    tokens = check_tags(found, "words")
    predicates = [_predicate(verb, words, tokens) for verb in row["verbs"]]
    rest = {name: value for name, value in row.items() if name != "verbs"}
    return Shaped(
        {**rest, "text": text}, {"text": "text", "tokens": "words"}, {"predicates": predicates}
    )


def _predicate(verb: Mapping[str, Any], words: list[str], tokens: Tokens) -> dict[str, Any]:
    tags = verb["tags"]
    if not are_tags(tags, words):
        raise InvalidInput.at("verbs", _("A verb needs a tag for each word of the sentence."))
    visible = [str(tag) for tag, word in zip(tags, words, strict=True) if word.strip()]
    spans = decode(visible, tokens)
    place = next(((start, end) for start, end, role in spans if role == "V"), None)
    if place is None:
        raise InvalidInput.at("verbs", _("A verb needs one word that is tagged B-V."))
    arguments = [
        {"start": start, "end": end, "role": "C-V" if role == "V" else long_role(role)}
        for start, end, role in spans
        if (start, end) != place
    ]
    return {"start": place[0], "end": place[1], "sense": None, "arguments": arguments}
