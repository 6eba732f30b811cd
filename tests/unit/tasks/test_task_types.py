"""What each task type accepts, refuses, and says as an answer of an assistant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.tasks import TASKS, get_task
from app.tasks.base import TextInputs, new_labels
from app.tasks.lemmas import candidates
from app.tasks.ner import NerSchema
from app.tasks.sentiment import SentimentSchema

TEXTS = st.text(alphabet="ab 我们👍é", min_size=1, max_size=30).filter(str.strip)


def ner(mode: str = "flat") -> NerSchema:
    return NerSchema(mode=mode, labels=new_labels(["PER", "LOC"]))


def check(task: str, payload: dict[str, Any], schema: Any, text: str = "Ada met Bo in Rome") -> Any:
    return get_task(task).validate(payload, TextInputs(text=text), schema)


def spans(*items: tuple[int, int, str]) -> dict[str, Any]:
    return {"spans": [{"start": a, "end": b, "label": label} for a, b, label in items]}


def test_an_unknown_task_names_the_choices() -> None:
    with pytest.raises(InvalidInput, match="sentiment, ner, srl"):
        get_task("poetry")


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_default_schemas_are_valid_in_both_languages(task: Any) -> None:
    for language in ("en", "zh"):
        schema = task.default_schema(language)
        assert task.parse_schema(schema.model_dump()) == schema
        assert task.instruction(schema, language)


def test_two_labels_with_one_name_or_one_hotkey_are_refused() -> None:
    task = TASKS["sentiment"]
    for twin in ({"name": "a"}, {"name": "b", "hotkey": "1"}):
        with pytest.raises(InvalidInput, match="Two labels"):
            task.parse_schema({"labels": [{"name": "a", "hotkey": "1"}, twin]})


@pytest.mark.parametrize(
    ("mode", "labels", "fine"),
    [
        ("single", ["good"], True),
        ("single", [], False),
        ("single", ["good", "bad"], False),
        ("ordinal", ["bad"], True),
        ("multi", [], True),
        ("multi", ["good", "bad"], True),
        ("multi", ["good", "good"], False),
        ("single", ["odd"], False),
    ],
)
def test_sentiment_takes_one_label_or_many_by_its_mode(
    mode: Any, labels: list[str], fine: bool
) -> None:
    schema = SentimentSchema(mode=mode, labels=new_labels(["good", "bad"]))
    if fine:
        assert check("sentiment", {"labels": labels}, schema) == {"labels": sorted(labels)}
    else:
        with pytest.raises(InvalidInput):
            check("sentiment", {"labels": labels}, schema)


OVERLAPS = {
    "apart": ([(0, 3, "PER"), (8, 10, "PER")], {"flat", "nested", "overlapping"}),
    "touching": ([(0, 3, "PER"), (3, 7, "LOC")], {"flat", "nested", "overlapping"}),
    "inside": ([(0, 10, "LOC"), (0, 3, "PER")], {"nested", "overlapping"}),
    "crossing": ([(0, 6, "LOC"), (4, 10, "PER")], {"overlapping"}),
    "same place": ([(0, 3, "LOC"), (0, 3, "PER")], {"overlapping"}),
    "deep crossing": ([(0, 10, "LOC"), (1, 6, "PER"), (4, 9, "PER")], {"overlapping"}),
}


@pytest.mark.parametrize("mode", ["flat", "nested", "overlapping"])
@pytest.mark.parametrize("case", OVERLAPS)
def test_how_entities_may_lie(mode: str, case: str) -> None:
    items, allowed = OVERLAPS[case]
    if mode in allowed:
        assert len(check("ner", spans(*items), ner(mode))["spans"]) == len(items)
    else:
        with pytest.raises(InvalidInput, match="“"):
            check("ner", spans(*items), ner(mode))


def test_an_entity_outside_the_text_or_of_an_unknown_type_is_named() -> None:
    with pytest.raises(InvalidInput, match="has 18 characters"):
        check("ner", spans((0, 19, "PER")), ner())
    with pytest.raises(InvalidInput, match="DATE"):
        check("ner", spans((0, 3, "DATE")), ner())


def srl(*arguments: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "predicates": [
            {
                "start": 4,
                "end": 7,
                "sense": "meet.03",
                "arguments": [{"start": a, "end": b, "role": role} for a, b, role in arguments],
            }
        ]
    }


def test_roles_may_continue_and_refer_but_not_overlap() -> None:
    schema = TASKS["srl"].default_schema("en")
    for role in ("ARG0", "C-ARG0", "R-ARG0", "C-V"):
        assert check("srl", srl((0, 3, role)), schema)
    for bad in ([(0, 3, "ARG9")], [(0, 3, "V")], [(8, 18, "ARG1"), (11, 18, "ARGM-LOC")]):
        with pytest.raises(InvalidInput):
            check("srl", srl(*bad), schema)


@given(TEXTS, st.data())
def test_an_ner_answer_reads_back_to_the_same_entities(text: str, data: st.DataObject) -> None:
    task = TASKS["ner"]
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(
        lambda place: place[0] < place[1]
    )
    chosen = data.draw(st.lists(st.tuples(places, st.sampled_from(["PER", "LOC"])), max_size=5))
    payload = task.canonical(task.parse_payload(spans(*((a, b, n) for (a, b), n in chosen))))
    inputs = TextInputs(text=text)
    assert task.parse_answer(task.answer(task.dump(payload), inputs.text), inputs) == payload


@given(TEXTS, st.data())
def test_an_srl_answer_reads_back_to_the_same_roles(text: str, data: st.DataObject) -> None:
    task = TASKS["srl"]
    point = st.integers(0, len(text) - 1)
    place = point.flatmap(lambda a: st.tuples(st.just(a), st.integers(a + 1, len(text))))
    argument = st.tuples(place, st.sampled_from(["ARG0", "R-ARG1", "C-V"]))
    predicates = data.draw(
        st.lists(
            st.tuples(place, st.sampled_from([None, "go.01"]), st.lists(argument, max_size=3)),
            max_size=3,
            unique_by=lambda item: item[0],
        )
    )
    raw = [
        {
            "start": start,
            "end": end,
            "sense": sense,
            "arguments": [{"start": a, "end": b, "role": role} for (a, b), role in arguments],
        }
        for (start, end), sense, arguments in predicates
    ]
    payload = task.canonical(task.parse_payload({"predicates": raw}))
    inputs = TextInputs(text=text)
    assert task.parse_answer(task.answer(task.dump(payload), inputs.text), inputs) == payload


@pytest.mark.parametrize(
    ("word", "lemma"),
    [
        ("gave", "give"),
        ("Running", "run"),
        ("stopped", "stop"),
        ("makes", "make"),
        ("tried", "try"),
        ("watches", "watch"),
        ("hoping", "hope"),
        ("lying", "lie"),
        ("购买", "购买"),
    ],
)
def test_inflected_words_find_their_lemma(word: str, lemma: str) -> None:
    assert lemma in list(candidates(word))
