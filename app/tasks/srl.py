"""Semantic roles: predicates with a sense, and their arguments with PropBank roles."""

import re
from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.errors import InvalidInput, Problem
from app.evaluation.spans import Place
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks.base import MAX_LABELS, PALETTE, Json, Label, TaskType, TextInputs, check_labels
from app.tasks.quotes import locate, quote, read_json_object, write_json
from app.tasks.spans import blank, is_blank, trimmed
from app.training import FineTuneParams

# Names and meanings of the PropBank guidelines (Bonial et al., PropBank Annotation Guidelines, 2015).
PROPBANK_ROLES = (
    ("ARG0", "0", "Proto-agent: who or what acts"),
    ("ARG1", "1", "Proto-patient: who or what is affected"),
    ("ARG2", "2", "Instrument, beneficiary, attribute or end state"),
    ("ARG3", "3", "Start point, beneficiary, instrument or attribute"),
    ("ARG4", "4", "End point"),
    ("ARG5", "5", "Direction or other rare role"),
    ("ARGA", "a", "Causative agent that makes another act"),
    ("ARGM-TMP", "t", "When, how long, how often"),
    ("ARGM-LOC", "l", "Where"),
    ("ARGM-MNR", "m", "How"),
    ("ARGM-NEG", "n", "Negation"),
    ("ARGM-MOD", "o", "Modal verb"),
    ("ARGM-ADV", "v", "Adverbial of the whole clause"),
    ("ARGM-DIS", "d", "Discourse connective or vocative"),
    ("ARGM-CAU", "c", "Why"),
    ("ARGM-PRP", "p", "Purpose"),
    ("ARGM-DIR", "r", "Direction of a movement"),
    ("ARGM-EXT", "e", "How much"),
    ("ARGM-GOL", "g", "Goal: the end point of a movement or the one it is for"),
    ("ARGM-COM", "w", "With whom"),
    ("ARGM-PRD", "x", "Secondary predication"),
    ("ARGM-REC", "y", "Reflexive or reciprocal"),
    ("ARGM-ADJ", "j", "Modifies a nominal predicate"),
    ("ARGM-LVB", "b", "Light verb of a nominal predicate"),
    ("ARGM-CXN", "k", "Construction"),
    ("ARGM-PRR", "f", "Nominal predicate of a light verb"),
    ("ARGM-DSP", "s", "Direct speech"),
    ("ARGM-SLC", "q", "Relative clause of a nominal"),
)

_PREFIX = re.compile(r"^(?:[CR]-)+")


def base_role(role: str) -> str:
    """The role that a continuation (C-) or reference (R-) stands for."""
    return _PREFIX.sub("", role)


def default_roles() -> list[Label]:
    """The PropBank set as labels: numbered roles in strong colours, modifiers in the rest."""
    return [
        Label(name=name, hotkey=key, description=description, color=PALETTE[i % len(PALETTE)])
        for i, (name, key, description) in enumerate(PROPBANK_ROLES)
    ]


class SrlSchema(BaseModel):
    """The roles; C- and R- forms of a listed role are always allowed, and C-V for a predicate's other pieces."""

    model_config = ConfigDict(extra="forbid")

    roles: list[Label] = Field(default_factory=list, max_length=MAX_LABELS)

    _distinct = field_validator("roles")(check_labels)


class Argument(BaseModel):
    """Code points [start, end) that play a role for the predicate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    role: str = Field(min_length=1, max_length=100)


class Predicate(BaseModel):
    """Code points [start, end) of the predicate, its roleset where known, and its arguments."""

    model_config = ConfigDict(extra="forbid")

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    sense: str | None = Field(None, max_length=200)
    arguments: list[Argument] = Field(default_factory=list, max_length=10_000)

    @field_validator("sense", mode="before")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None


class SrlPayload(BaseModel):
    """The predicates of one sentence."""

    model_config = ConfigDict(extra="forbid")

    predicates: list[Predicate] = Field(max_length=10_000)


class Srl(TaskType[SrlSchema, SrlPayload]):
    """Semantic role labelling in PropBank's manner."""

    name = "srl"
    title = mark("Semantic roles")
    summary = mark(
        "Who did what to whom: mark predicates, their sense, and the role of each argument."
    )
    label_word = mark("role")
    schema_type = SrlSchema
    payload_type = SrlPayload
    recipe = "srl"
    pipeline = "token-classification"
    heads = ("softmax", "crf")
    training_defaults = FineTuneParams(epochs=3, batch_size=32, learning_rate=2e-4)
    primary_metric = "argument_f1"
    counted_scores = {  # noqa: RUF012
        "argument_f1": "f1",
        "argument_precision": "precision",
        "argument_recall": "recall",
        "argument_macro_f1": "macro_f1",
    }
    export_formats = (
        "jsonl",
        "csv",
        "parquet",
        "huggingface",
        "conll2005",
        "conll2009",
        "conll2012",
        "up",
        "webanno",
        "brat",
        "messages",
        "alpaca",
        "sharegpt",
        "trl",
        "trl_chat",
    )
    instructions = {  # noqa: RUF012
        "en": (
            "Find the predicates of the text and their arguments, with PropBank roles. Roles: {labels} "
            "(C- marks a continuation, R- a reference). Answer with JSON: "
            '{"predicates": [{"text": the exact words, "sense": the roleset or null, '
            '"arguments": [{"text": the exact words, "role": the role}]}]}; add "occurrence": n '
            "when the same words stand earlier in the text too."
        ),
        "zh": (
            "找出文本中的谓词及其论元，使用 PropBank 角色。角色：{labels}（C- 表示延续，R- 表示指代）。用 JSON 回答："
            '{"predicates": [{"text": 原文, "sense": 义项或 null, "arguments": [{"text": 原文, "role": 角色}]}]}；'
            '同样的词在前面已出现过时，用 "occurrence": n 注明是第几次出现。'
        ),
    }

    def default_schema(self, language: str) -> SrlSchema:
        return SrlSchema(roles=default_roles())

    def labels(self, schema: SrlSchema) -> list[Label]:
        return schema.roles

    def with_labels(self, schema: SrlSchema, labels: list[Label]) -> SrlSchema:
        return SrlSchema(roles=labels)

    def why_reserved(self, name: str) -> str | None:
        if name != "V" and not _PREFIX.match(name):
            return None
        return _(
            "“%(name)s” cannot be a role: V is the predicate, and C- and R- are put before any role.",
            name=name,
        )

    def label_names(self, payload: SrlPayload) -> Iterator[str]:
        for predicate in payload.predicates:
            for argument in predicate.arguments:
                role = base_role(argument.role)
                if role != "V":
                    yield role

    def check(self, payload: SrlPayload, inputs: TextInputs, schema: SrlSchema) -> list[Problem]:
        known = {role.name for role in schema.roles} | {"V"}
        length = len(inputs.text)
        problems: list[Problem] = []
        places: set[tuple[int, int]] = set()
        for number, predicate in enumerate(payload.predicates, 1):
            where = f"predicates[{number}]"
            if not predicate.start < predicate.end <= length:
                problems.append(Problem(where, _outside(predicate.start, predicate.end, length)))
                continue
            if is_blank(inputs.text, predicate.start, predicate.end):
                problems.append(Problem(where, blank(predicate.start, predicate.end)))
            words = inputs.text[predicate.start : predicate.end]
            if (predicate.start, predicate.end) in places:
                problems.append(
                    Problem(where, _("The predicate “%(words)s” is marked twice.", words=words))
                )
            places.add((predicate.start, predicate.end))
            for argument in predicate.arguments:
                if not argument.start < argument.end <= length:
                    problems.append(Problem(where, _outside(argument.start, argument.end, length)))
                elif is_blank(inputs.text, argument.start, argument.end):
                    problems.append(Problem(where, blank(argument.start, argument.end)))
                elif base_role(argument.role) not in known or argument.role == "V":
                    problems.append(
                        Problem(
                            where, _("This project has no role “%(role)s”.", role=argument.role)
                        )
                    )
            problems += _overlaps(predicate, inputs.text, where)
        return problems

    def canonical(self, payload: SrlPayload) -> SrlPayload:
        return SrlPayload(
            predicates=sorted(
                (
                    Predicate(
                        start=p.start,
                        end=p.end,
                        sense=p.sense,
                        arguments=sorted(set(p.arguments), key=lambda a: (a.start, a.end, a.role)),
                    )
                    for p in payload.predicates
                ),
                key=lambda p: (p.start, p.end),
            )
        )

    def map_labels(self, payload: SrlPayload, becomes: Callable[[str], str]) -> SrlPayload:
        def role_of(argument: Argument) -> Argument:
            base = base_role(argument.role)
            prefix = argument.role.removesuffix(base)
            return argument.model_copy(update={"role": prefix + becomes(base)})

        return SrlPayload(
            predicates=[
                p.model_copy(update={"arguments": [role_of(a) for a in p.arguments]})
                for p in payload.predicates
            ]
        )

    def trim(self, payload: SrlPayload, inputs: TextInputs) -> SrlPayload:
        text, predicates = inputs.text, []
        for p in payload.predicates:
            start, end = trimmed(text, p.start, p.end)
            arguments = []
            for a in p.arguments:
                a_start, a_end = trimmed(text, a.start, a.end)
                arguments.append(Argument(start=a_start, end=a_end, role=a.role))
            predicates.append(Predicate(start=start, end=end, sense=p.sense, arguments=arguments))
        return SrlPayload(predicates=predicates)

    def brief(self, payload: SrlPayload, inputs: TextInputs) -> str:
        return (
            " · ".join(
                f"{p.sense or inputs.text[p.start : p.end]} ({', '.join(a.role for a in p.arguments)})"
                for p in payload.predicates
            )
            or "—"
        )

    def agreement(self, a: SrlPayload, b: SrlPayload) -> float:
        """F1 over predicates (with sense) and their arguments together."""
        ours, theirs = _facts(a), _facts(b)
        total = len(ours) + len(theirs)
        return 2 * len(ours & theirs) / total if total else 1.0

    def places(self, payload: Json) -> list[tuple[Place, str]]:
        return [
            ((p["start"], p["end"], a["start"], a["end"]), a["role"])
            for p in payload["predicates"]
            for a in p["arguments"]
        ]

    def words(self, place: Place, text: str) -> str:
        return f"{text[place[0] : place[1]]}: {text[place[2] : place[3]]}"

    def answer(self, payload: Json, text: str) -> str:
        return write_json(
            {
                "predicates": [
                    {
                        **quote(text, p["start"], p["end"]),
                        "sense": p["sense"],
                        "arguments": [
                            {**quote(text, a["start"], a["end"]), "role": a["role"]}
                            for a in p["arguments"]
                        ],
                    }
                    for p in payload["predicates"]
                ]
            }
        )

    def parse_answer(self, answer: str, inputs: TextInputs) -> SrlPayload:
        predicates = []
        for item in read_json_object(answer, "predicates"):
            start, end = locate(inputs.text, item)
            arguments = []
            for argument in item.get("arguments") or []:
                a_start, a_end = locate(inputs.text, argument)
                if not isinstance(argument.get("role"), str):
                    raise InvalidInput.at(
                        "answer", _("Each argument of the answer needs a “role”.")
                    )
                arguments.append(Argument(start=a_start, end=a_end, role=argument["role"]))
            predicates.append(
                Predicate(start=start, end=end, sense=item.get("sense"), arguments=arguments)
            )
        return self.canonical(SrlPayload(predicates=predicates))


def _outside(start: int, end: int, length: int) -> str:
    return _(
        "Span %(start)s to %(end)s does not lie in the text, which has %(n)s characters.",
        start=start,
        end=end,
        n=length,
    )


def _overlaps(predicate: Predicate, text: str, where: str) -> list[Problem]:
    """Arguments of one predicate lie apart: one span plays one role."""
    problems = []
    end = 0
    previous: Argument | None = None
    for argument in sorted(predicate.arguments, key=lambda a: (a.start, a.end)):
        if previous is not None and argument.start < end:
            problems.append(
                Problem(
                    where,
                    _(
                        "“%(a)s” and “%(b)s” overlap: a word plays one role for a predicate.",
                        a=text[previous.start : previous.end],
                        b=text[argument.start : argument.end],
                    ),
                )
            )
        if argument.end > end:
            previous, end = argument, argument.end
    return problems


def _facts(payload: SrlPayload) -> set[tuple[object, ...]]:
    facts: set[tuple[object, ...]] = set()
    for p in payload.predicates:
        facts.add((p.start, p.end, p.sense))
        facts.update((p.start, p.end, a.start, a.end, a.role) for a in p.arguments)
    return facts
