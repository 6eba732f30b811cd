"""CoNLL-U written: entities in MISC, propositions in the columns of Universal Propositions (CoNLL-U Plus).

    1	Ada	_	_	_	_	_	_	_	NER=B-PER
    2	left	_	_	_	_	_	_	_	NER=O|SpaceAfter=No

    # global.columns = ID FORM … MISC UP:PRED UP:ARGHEADS UP:ARGSPANS
    2	left	_	_	_	_	_	_	_	SpaceAfter=No	leave.01	_	A0:1-1

https://universaldependencies.org/format.html, https://universaldependencies.org/ext-format.html,
https://universalpropositions.github.io. Lemmas, parts of speech and heads are not known here.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.columns import comment_lines
from app.formats.conllu import COLUMNS
from app.formats.propositions import respelt_role, short_role, unwritable_role
from app.formats.tag_columns import encode_tags
from app.formats.words import off_borders, on_tokens, with_tokens
from app.i18n import gettext as _
from app.i18n import mark

_PLUS = (*COLUMNS, "UP:PRED", "UP:ARGHEADS", "UP:ARGSPANS")
_UNKNOWN = ["_"] * 7


class ConlluWriter(Writer):
    """Writes the entities as IOB2 tags in MISC."""

    name = "conllu"
    title = mark("CoNLL-U (entities in MISC)")
    purpose = "columns"
    extension = "conllu"
    media_type = "text/plain; charset=utf-8"
    has_comments = True

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        for record in records:
            record = with_tokens(record)
            tags = [tag.replace("|", "_") for tag in encode_tags(record, "IOB2")[0]]
            yield _sentence(record, [[f"NER={tag}"] for tag in tags], [], comments=comments)

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        labels = {span["label"] for span in (record.annotation or {}).get("spans", ())}
        divided = [
            _("The label “%(label)s” cannot be read back from a tag as it is.", label=label)
            for label in sorted(labels)
            if "|" in label
        ]
        return list(dict.fromkeys(encode_tags(record, "IOB2")[1] + divided)) + _form_notes(record)


class UpWriter(Writer):
    """Writes predicates and the spans of their arguments; which word is the head of one is not known."""

    name = "up"
    title = mark("Universal Propositions (CoNLL-U Plus)")
    purpose = "columns"
    extension = "conllup"
    media_type = "text/plain; charset=utf-8"
    has_comments = True

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        yield f"# global.columns = {' '.join(_PLUS)}\n".encode()
        for record in records:
            record = with_tokens(record)
            cells, _notes = _propositions(record)
            yield _sentence(record, [[] for _cell in cells], cells, comments=comments)

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return _propositions(record)[1] + _form_notes(record)


def _sentence(
    record: Record, misc: list[list[str]], further: list[list[str]], *, comments: bool
) -> bytes:
    """The sentence; `misc` and `further` are what its last cells hold, a list for each word."""
    tokens = record.tokens or ()
    ends = [*(start for start, _end in tokens[1:]), None]
    lines, text = [], ""
    for number, (start, end) in enumerate(tokens):
        form, has_space = _form(record, start, end), ends[number] != end
        items = misc[number] + ([] if has_space else ["SpaceAfter=No"])
        cells = [str(number + 1), form, *_UNKNOWN, "|".join(items) or "_"]
        lines.append("\t".join(cells + (further[number] if further else [])) + "\n")
        text += form + " " * has_space
    if comments:
        head = comment_lines(record)
    else:
        name = record.external_id or ""
        is_plain = name.isprintable() and name == name.strip() != ""
        head = f"# sent_id = {name if is_plain else record.row}\n# text = {text.rstrip()}\n"
    return f"{head}{''.join(lines)}\n".encode()


def _form(record: Record, start: int, end: int) -> str:
    """A token as CoNLL-U's FORM, which may have blanks within, but no other white space."""
    return " ".join(record.text[start:end].split()) or "_"


def _form_notes(record: Record) -> list[str]:
    tokens = record.tokens or ()
    return [
        _("The token “%(word)s” holds white space, which is written as blanks.", word=word)
        for word in (record.text[start:end] for start, end in tokens)
        if word.split(" ") != word.split()
    ]


def _propositions(record: Record) -> tuple[list[list[str]], list[str]]:
    """(the three last cells of each word, what they cannot say)."""
    cells = [["_", "_", "_"] for _token in record.tokens or ()]
    notes: list[str] = []
    for predicate in (record.annotation or {}).get("predicates", ()):
        place = on_tokens(record, predicate)
        words = record.text[predicate["start"] : predicate["end"]]
        if place is None:
            notes.append(off_borders(record, predicate, "V"))
            continue
        if place[0] != place[1]:
            notes.append(
                _(
                    "The predicate “%(words)s” has several words; its first one is marked.",
                    words=words,
                )
            )
        cell = cells[place[0]]
        if cell[0] != "_":
            notes.append(_("Two predicates start at “%(word)s”.", word=words))
            continue
        cell[0] = _sense(predicate["sense"], words, notes)
        arguments = [_argument(record, item, notes) for item in predicate["arguments"]]
        cell[2] = "|".join(filter(None, arguments)) or "_"
    return cells, notes


def _sense(sense: str | None, words: str, notes: list[str]) -> str:
    if sense is None:
        notes.append(_("The predicate “%(words)s” has no sense.", words=words))
        return f"{'_'.join(words.lower().split())}.XX"
    written = "_".join(sense.split())
    if written != sense or written in ("_", "_="):
        notes.append(_("The sense “%(sense)s” cannot be read back as it is.", sense=sense))
    return written


def _argument(record: Record, argument: dict[str, Any], notes: list[str]) -> str:
    role = argument["role"]
    place = on_tokens(record, argument)
    problem = unwritable_role(role.replace("|", "*"))
    if place is None:
        notes.append(off_borders(record, argument, role))
    elif problem:
        notes.append(_("The role “%(role)s” cannot be written in this format.", role=role))
    else:
        notes += respelt_role(role)
        return f"{short_role(role)}:{place[0] + 1}-{place[1] + 1}"
    return ""
