"""Cross-validation: each example predicted once by a model that has not seen it, and what that shows."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.evaluation.outcomes import Outcomes
from app.tasks import get_task
from app.tasks.content import content_hash
from tests.worker.engine.conftest import events, write_job
from tests.worker.engine.test_training import TASKS, sentiment
from worker.engine.crossvalidate import cross_validate
from worker.engine.errors import DataError, Stopped
from worker.engine.folds import assign_folds
from worker.engine.job import Folder, Item
from worker.engine.label_issues import find_label_issues
from worker.recipes.base import Prediction


def item(text: str, *labels: str) -> Item:
    return Item(text, [], {"labels": list(labels)})


def job(root: Path, task: str = "sentiment", **params: Any) -> Folder:
    """Sixty different texts, of which a few are validation and test."""
    schema, rows = TASKS[task]()
    rows = [(f"{text} {n}", annotation) for n, (text, annotation) in enumerate(rows[:60])]
    splits = {"train": rows[:40], "validation": rows[40:50], "test": rows[50:]}
    wanted = {"folds": 3, "epochs": 4, "learning_rate": 1e-2} | params
    return write_job(root, task, schema, splits, kind="crossvalidate", **wanted)


def said(folder: Folder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.predictions.read_text().splitlines()]


@settings(max_examples=20, deadline=None)
@given(
    texts=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=12, max_size=80),
    folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_equal_texts_share_a_fold_and_no_fold_is_empty(
    texts: list[str], folds: int, seed: int
) -> None:
    items = [item(text + " " * (n % 2), "xyz"[n % 3]) for n, text in enumerate(texts)]
    if len(set(texts)) < folds:
        with pytest.raises(DataError, match="too few"):
            assign_folds(items, folds, seed=seed)
        return
    assigned = assign_folds(items, folds, seed=seed)
    assert set(assigned) == set(range(folds))
    by_text: dict[str, set[int]] = {}
    for each, fold in zip(items, assigned, strict=True):
        by_text.setdefault(content_hash(each.text), set()).add(fold)
    assert all(len(found) == 1 for found in by_text.values())


def test_labels_are_spread_evenly_and_the_seed_decides() -> None:
    wanted = ["a"] * 70 + ["b"] * 20 + ["c"] * 10
    items = [item(f"text {n}", label) for n, label in enumerate(wanted)]
    assigned = assign_folds(items, 5, seed=1)
    found = Counter(zip(wanted, assigned, strict=True))
    for label, each in (("a", 14), ("b", 4), ("c", 2)):
        assert [found[label, fold] for fold in range(5)] == [each] * 5
    assert assign_folds(items, 5, seed=1) == assigned
    assert assign_folds(items, 5, seed=2) != assigned
    # By content: the order of the examples changes nothing.
    assert assign_folds(items[::-1], 5, seed=1)[::-1] == assigned


@pytest.mark.parametrize("task", ["sentiment", "ner", "srl"])
def test_every_example_but_those_of_test_is_predicted_once(tmp_path: Path, task: str) -> None:
    folder = job(tmp_path, task, folds=2, epochs=8)
    result = cross_validate(folder)
    assert json.loads(folder.result.read_text()) == result
    lines = said(folder)
    assert sorted(line["id"] for line in lines) == list(range(50))
    assert {line["split"] for line in lines} == {"out_of_fold"}
    assert [row["examples"] for row in result["folds"]] == [25, 25]
    assert [row["train"] for row in result["folds"]] == [25, 25]

    kind, report = get_task(task), result["metrics"]["out_of_fold"]
    pairs = [(kind.places(line["gold"]), kind.places(line["predicted"])) for line in lines]
    scores = Outcomes.of(pairs, sorted({label for pair in pairs for p in pair for _, label in p}))
    for name, counted in kind.counted_scores.items():
        assert report["scores"][name] == pytest.approx(scores.scores()[counted], abs=1e-6)
        low, high = report["intervals"][name]
        assert low <= report["scores"][name] <= high
    primary = [row["scores"][result["primary"]] for row in result["folds"]]
    assert result["mean"][result["primary"]] == pytest.approx(sum(primary) / 2, abs=1e-6)
    spread = abs(primary[0] - primary[1]) / 2**0.5
    assert result["deviation"][result["primary"]] == pytest.approx(spread, abs=1e-6)
    if task == "sentiment":
        assert all(
            sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-4) for line in lines
        )
    # One curve: the steps go on over the folds, up to the number that was announced.
    steps = [event["step"] for event in events(folder, "step")]
    assert steps == sorted(set(steps))
    last = events(folder, "step")[-1]
    assert last["step"] == sum(row["steps"] for row in result["folds"]) == last["total_steps"]
    assert [event["number"] for event in events(folder, "fold")] == [1, 2]


def test_early_stopping_never_looks_at_the_fold_that_is_held_out(tmp_path: Path) -> None:
    result = cross_validate(job(tmp_path, early_stopping=1, epochs=3))
    for row in result["folds"]:
        assert 27 <= row["train"] <= 31, "a tenth of what is left says when to stop"
        assert row["train"] + row["examples"] < 50


def outcome(folder: Folder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    result = json.loads(folder.result.read_text())
    folds = [row | {"seconds": 0} for row in result["folds"]]
    return result | {"seconds": 0, "folds": folds}, said(folder)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = job(tmp_path_factory.mktemp("whole"), epochs=2)
    cross_validate(folder)
    return outcome(folder)


def after(asked: int) -> Callable[[], bool]:
    left = iter([False] * asked)
    return lambda: next(left, None) is None


@pytest.mark.parametrize("asked", [7, 22], ids=["in the first fold", "in a later fold"])
def test_a_stopped_cross_validation_goes_on_in_its_fold_to_the_same_end(
    tmp_path: Path, uninterrupted: Any, asked: int
) -> None:
    folder = job(tmp_path, epochs=2)
    with pytest.raises(Stopped):
        cross_validate(folder, stop=after(asked))
    finished = sorted(folder.root.glob("folds/*/result.json"))
    assert len(finished) == (asked > 10)
    written = [path.stat().st_mtime_ns for path in finished]
    told = len(events(folder, "step"))
    cross_validate(folder)
    assert outcome(folder) == uninterrupted
    assert [path.stat().st_mtime_ns for path in finished] == written, "finished folds stay"
    # A report takes back what was told of later steps, and is told it again.
    (resumed,) = events(folder, "resumed")
    assert resumed["step"] <= told
    again = [event["step"] for event in events(folder, "step")[told:]]
    assert again[0] == resumed["step"] + 1


def test_a_fold_that_was_lost_before_its_first_checkpoint_begins_anew(
    tmp_path: Path, uninterrupted: Any
) -> None:
    folder = job(tmp_path, epochs=2)
    with pytest.raises(Stopped):
        cross_validate(folder, stop=after(22))
    (checkpoint,) = folder.root.glob("folds/02/checkpoints/step-*")
    (checkpoint / "state.json").write_text("")
    cross_validate(folder)
    first = json.loads((folder.root / "folds/01/result.json").read_text())["steps"]
    assert [event["step"] for event in events(folder, "resumed")] == [first]
    assert outcome(folder) == uninterrupted


def test_more_folds_than_texts_are_refused(tmp_path: Path) -> None:
    schema, rows = sentiment()
    splits = {"train": rows[:3], "test": rows[3:]}
    folder = write_job(tmp_path, "sentiment", schema, splits, kind="crossvalidate", folds=5)
    with pytest.raises(DataError, match=r"have 3 different texts: too few for 5 folds\. Choose"):
        cross_validate(folder)


def test_planted_wrong_labels_are_the_first_in_the_list(tmp_path: Path) -> None:
    schema, _ = sentiment()
    words = {"good": ("lovely", "warm", "funny"), "bad": ("dull", "dreary", "clumsy")}
    rows = [
        (f"a {words[label][n % 3]} film, number {n}", {"labels": [label]})
        for n in range(40)
        for label in words
    ]
    planted = set(random.Random(5).sample(range(80), 6))
    for n in planted:
        (text, annotation) = rows[n]
        rows[n] = (text, {"labels": ["bad" if annotation["labels"] == ["good"] else "good"]})
    folder = write_job(
        tmp_path,
        "sentiment",
        schema,
        {"train": rows},
        kind="crossvalidate",
        folds=3,
        epochs=12,
        learning_rate=1e-2,
    )
    result = cross_validate(folder)
    listed = [json.loads(line) for line in folder.label_issues.read_text().splitlines()]
    assert len(listed) == result["label_issues"]["listed"] == result["label_issues"]["found"]
    assert {row["id"] for row in listed[:6]} == planted
    assert [row["score"] for row in listed] == sorted(row["score"] for row in listed)
    assert all(row["given"] == rows[row["id"]][1] for row in listed)
    assert all(row["suggested"] != row["given"] for row in listed)


def test_several_labels_at_once_are_judged_label_by_label() -> None:
    schema = {"mode": "multi", "labels": [{"name": "a"}, {"name": "b"}]}
    items, predictions = [], []
    for n in range(60):
        truth = [label for label, there in (("a", n % 2), ("b", n % 3 == 0)) if there]
        items.append(Item(f"t{n}", [], {"labels": ["a", "b"] if n == 31 else truth}, n))
        chances = {label: 0.95 if label in truth else 0.05 for label in "ab"}
        predictions.append(Prediction({"labels": truth}, {"confidence": 0.95, "labels": chances}))
    found = find_label_issues("sentiment", schema, items, predictions)
    assert [(error.id, error.suggested) for error in found] == [(31, {"labels": ["a"]})]
    assert found[0].score < 0.5


def test_spans_are_suspected_where_the_model_is_as_sure_as_where_it_agrees() -> None:
    def span(label: str) -> dict[str, Any]:
        return {"spans": [{"start": 0, "end": 2, "label": label}]}

    def says(annotation: dict[str, Any], sure: float) -> Prediction:
        return Prediction(
            annotation, {"confidence": sure, "spans": [sure] * len(annotation["spans"])}
        )

    nothing: dict[str, Any] = {"spans": []}
    rows = [
        (span("PER"), says(span("PER"), 0.8)),  # agrees: what is usual
        (span("PER"), says(span("LOC"), 0.9)),
        (span("PER"), says(span("LOC"), 0.7)),  # disagrees, but is not sure
        (nothing, says(span("PER"), 0.99)),
        (span("PER"), says(nothing, 0.95)),
    ]
    items = [Item("Bo", [], gold, n) for n, (gold, _said) in enumerate(rows)]
    found = find_label_issues("ner", {"labels": []}, items, [row[1] for row in rows])
    assert [(error.id, error.score) for error in found] == [(3, 0.01), (4, 0.05), (1, 0.1)]
