"""Semantic roles: what counts as right, on sentences small enough to count by hand."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from seqeval.metrics import classification_report

from app.evaluation.outcomes import Outcomes
from app.evaluation.spans import Labelled
from app.tasks import get_task
from tests.worker.engine.conftest import PieceByPiece, encoder, runner, table
from worker.engine.job import Item
from worker.engine.report import span_report
from worker.recipes.srl import Srl

GIVING, SLEEPING = "Ada gave Bo old books", "Bo slept at home today"
SAYS_PREDICATE = {
    "gave": "B-V:01",
    "at": "B-V",
}  # finds gave.01; takes “at” for one; misses “slept”
SAYS_ROLE = {
    "Ada": "B-ARG0",
    "Bo": "B-ARG0",
    "books": "B-ARG1",  # gold says “old books”
    "home": "B-ARGM-LOC",  # gold says “at home”
    "today": "B-ARGM-TMP",
}


def span(text: str, words: str, role: str) -> dict[str, Any]:
    start = text.index(words)
    return {"start": start, "end": start + len(words), "role": role}


def predicate(text: str, word: str, sense: str | None, **roles: str) -> dict[str, Any]:
    place = span(text, word, "")
    arguments = [span(text, words, role.replace("_", "-")) for role, words in roles.items()]
    return {
        "start": place["start"],
        "end": place["end"],
        "sense": sense,
        "arguments": sorted(arguments, key=lambda a: a["start"]),
    }


def gold() -> list[Item]:
    annotations = [
        (GIVING, [predicate(GIVING, "gave", "give.01", ARG0="Ada", ARG2="Bo", ARG1="old books")]),
        (
            SLEEPING,
            [
                predicate(
                    SLEEPING, "slept", "sleep.01", ARG0="Bo", ARGM_LOC="at home", ARGM_TMP="today"
                )
            ],
        ),
    ]
    return [
        Item(text, Item.of(text).tokens, {"predicates": predicates})
        for text, predicates in annotations
    ]


@pytest.fixture
def model(words: Callable[[str], Any]) -> tuple[Srl, Any, Any]:
    """A recipe, an encoder, and a network that says what the tables above say."""
    recipe = Srl.prepare({"roles": []}, {"train": gold(), "validation": [], "test": []})
    tokenizer = words(f"{GIVING} {SLEEPING}")
    network = PieceByPiece(
        table(tokenizer, recipe.labels, SAYS_PREDICATE), table(tokenizer, recipe.labels, SAYS_ROLE)
    )
    return recipe, encoder(tokenizer), runner(network)


def test_arguments_predicates_and_senses_are_scored_as_counted_by_hand(
    model: tuple[Srl, Any, Any],
) -> None:
    recipe, enc, run = model
    items = gold()
    evaluation = recipe.evaluate(items, recipe.encode(items, enc), run, detailed=True)
    report = evaluation.report
    # Arguments: of 6 in gold, Ada ARG0, Bo ARG0 (of slept) and today are right. Found are 3 + 3:
    # Ada ARG0, Bo ARG0 (gold ARG2), books ARG1 (gold “old books”); Bo ARG0, home ARGM-LOC, today.
    assert report.scores["argument_precision"] == pytest.approx(3 / 6)
    assert report.scores["argument_recall"] == pytest.approx(3 / 6)
    assert report.scores["argument_f1"] == pytest.approx(3 / 6)
    # Predicates: gave is found, slept is not, “at” is none.
    assert report.scores["predicate_precision"] == pytest.approx(1 / 2)
    assert report.scores["predicate_recall"] == pytest.approx(1 / 2)
    # Senses at gold predicates: gave is give.01; of slept the network says nothing.
    assert report.scores["sense_accuracy"] == pytest.approx(1 / 2)
    per_role = {row["label"]: (row["precision"], row["recall"]) for row in report.per_label}
    assert per_role["ARG0"] == (pytest.approx(2 / 3, abs=1e-6), 1)
    assert per_role["ARG1"] == (0, 0)
    assert per_role["ARGM-TMP"] == (1, 1)
    assert evaluation.loss is not None
    # What is kept for looking at errors counts the same: gold's predicates, with what was found for them.
    kind = get_task("srl")
    pairs = [
        (kind.places(item.annotation), kind.places(prediction.annotation))
        for item, prediction in zip(items, evaluation.predictions, strict=True)
    ]
    scores = Outcomes.of(pairs, recipe.roles).scores()
    assert scores["f1"] == pytest.approx(report.scores["argument_f1"])
    assert scores["macro_f1"] == pytest.approx(report.scores["argument_macro_f1"])
    senses = [p["sense"] for e in evaluation.predictions for p in e.annotation["predicates"]]
    assert senses == ["give.01", None]


def test_precision_and_recall_are_not_mixed_up() -> None:
    place, other = (4, 8), (20, 24)
    gold: list[list[Labelled]] = [
        [((place, 0, 3), "ARG0"), ((place, 9, 12), "ARG1"), ((place, 15, 18), "C-ARG1")]
    ]
    found: list[list[Labelled]] = [
        [((place, 0, 3), "ARG0"), ((other, 9, 12), "ARG1")]  # the right words, another predicate
    ]
    scores = span_report(gold, found, ["ARG0", "ARG1", "C-ARG1"], examples=1, scheme="").scores
    assert (scores["precision"], scores["recall"]) == (1 / 2, pytest.approx(1 / 3))
    assert scores["f1"] == pytest.approx(0.4)


ROLES = ("ARG0", "ARG1", "C-ARG1", "R-ARG0", "ARGM-TMP")
WORDS = ("ada", "bo", "cleo", "dora", "emil", "rome")


def columns(text: str, predicates: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A column of IOB2 tags for each predicate, as the CoNLL tasks have them; the predicate is O."""
    found = []
    for p in predicates:
        column = ["O"] * len(Item.of(text).tokens)
        for a in p["arguments"]:
            for n, (start, end) in enumerate(Item.of(text).tokens):
                if a["start"] <= start and end <= a["end"]:
                    column[n] = f"{'B' if start == a['start'] else 'I'}-{a['role']}"
        found.append(column)
    return found


@pytest.mark.parametrize("longest", [3, 1], ids=["spans", "heads"])
def test_roles_are_scored_as_conlleval_scores_the_same_columns(
    words: Callable[[str], Any], longest: int
) -> None:
    """seqeval's default mode counts as conlleval does. The network knows words, so it is right by chance."""
    draw = random.Random(longest)
    items = []
    for _ in range(40):
        tokens = ["says", *draw.choices(WORDS, k=9)]
        text, at, arguments = " ".join(tokens), 1, []
        places = Item.of(text).tokens
        while at < len(tokens):
            end = min(len(tokens), at + draw.randint(1, longest))
            if draw.random() < 0.5:
                place = {"start": places[at][0], "end": places[end - 1][1]}
                arguments.append(place | {"role": draw.choice(ROLES)})
            at = end
        gold_one = {"start": 0, "end": 4, "sense": None, "arguments": arguments}
        items.append(Item(text, places, {"predicates": [gold_one]}))
    recipe = Srl.prepare({"roles": []}, {"train": items, "validation": [], "test": []})
    tokenizer = words(" ".join(item.text for item in items))
    says = dict(zip(WORDS, [f"B-{role}" for role in ROLES], strict=False))
    if longest > 1:
        says["rome"] = "I-ARG0"  # goes on after “ada”, and is outside elsewhere
    network = PieceByPiece(
        table(tokenizer, recipe.labels, {"says": "B-V"}), table(tokenizer, recipe.labels, says)
    )
    enc = encoder(tokenizer)
    evaluation = recipe.evaluate(items, recipe.encode(items, enc), runner(network), detailed=True)
    both = [
        [column for text, row in rows for column in columns(text, row)]
        for rows in (
            [(i.text, i.annotation["predicates"]) for i in items],
            [
                (i.text, e.annotation["predicates"])
                for i, e in zip(items, evaluation.predictions, strict=True)
            ],
        )
    ]
    wanted = classification_report(*both, output_dict=True, zero_division=0)
    scores = evaluation.report.scores
    assert 0 < wanted["micro avg"]["f1-score"] < 1
    for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert scores[f"argument_{ours}"] == pytest.approx(wanted["micro avg"][theirs])
        for row in evaluation.report.per_label:
            assert row[ours] == pytest.approx(wanted[row["label"]][theirs], abs=1e-6)
    assert {row["label"] for row in evaluation.report.per_label} == set(ROLES)


def test_a_prediction_has_each_predicate_with_its_own_arguments(
    model: tuple[Srl, Any, Any],
) -> None:
    recipe, enc, run = model
    (answer,) = recipe.predict([Item.of(GIVING)], enc, run)
    assert answer.annotation == {
        "predicates": [
            predicate(GIVING, "gave", "give.01", ARG0="Ada")
            | {
                "arguments": [
                    span(GIVING, "Ada", "ARG0"),
                    span(GIVING, "Bo", "ARG0"),
                    span(GIVING, "books", "ARG1"),
                ]
            }
        ]
    }
    assert len(answer.scores["predicates"][0]["arguments"]) == 3


def test_a_sentence_where_no_predicate_is_found_is_as_sure_as_its_least_sure_word(
    words: Callable[[str], Any],
) -> None:
    recipe = Srl.prepare({"roles": []}, {"train": gold(), "validation": [], "test": []})
    tokenizer = words(GIVING)
    unsure = table(tokenizer, recipe.labels, {})
    unsure[tokenizer("gave", add_special_tokens=False)["input_ids"][0]] = 0.0
    unsure[:, 0] += 0.1
    (answer,) = recipe.predict([Item.of(GIVING)], encoder(tokenizer), runner(PieceByPiece(unsure)))
    assert answer.annotation == {"predicates": []}
    # O with a score of 0.1 against B-V and B-V:01 with 0 (the other tags are not for predicates).
    assert 0.3 < answer.scores["confidence"] < 0.4
