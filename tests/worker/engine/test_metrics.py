"""The scores are those of scikit-learn and of seqeval in its strict mode."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from sklearn import metrics as sklearn

from app.evaluation.spans import Labelled
from worker.engine.report import Report, multi_label_report, single_label_report, span_report

LABELS = ["bad", "so-so", "good", "superb"]


@pytest.fixture(params=range(8))
def random(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def rows(report: Report) -> dict[str, dict[str, float]]:
    return {row["label"]: row for row in report.per_label}


def test_one_label_a_text_is_scored_as_scikit_learn_does(random: np.random.Generator) -> None:
    gold = random.integers(0, 4, size=60)
    found = np.where(random.random(60) < 0.6, gold, random.integers(0, 3, size=60))
    report = single_label_report(gold.tolist(), found.tolist(), LABELS, ordinal=True)
    assert report.scores == pytest.approx(
        {
            "accuracy": sklearn.accuracy_score(gold, found),
            "macro_f1": sklearn.f1_score(gold, found, average="macro"),
            "micro_f1": sklearn.f1_score(gold, found, average="micro"),
            "mcc": sklearn.matthews_corrcoef(gold, found),
            "mean_absolute_error": sklearn.mean_absolute_error(gold, found),
            "quadratic_kappa": sklearn.cohen_kappa_score(gold, found, weights="quadratic"),
        }
    )
    assert report.confusion is not None
    assert report.confusion["counts"] == sklearn.confusion_matrix(gold, found).tolist()
    wanted = sklearn.precision_recall_fscore_support(gold, found, labels=range(4), zero_division=0)
    for number, label in enumerate(LABELS):
        row = rows(report)[label]
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(
            [column[number] for column in wanted], abs=1e-6
        )


def test_labels_that_never_occur_are_not_part_of_the_macro_mean() -> None:
    report = single_label_report([0, 0, 1], [0, 1, 1], LABELS, ordinal=False)
    assert report.scores["macro_f1"] == pytest.approx(
        sklearn.f1_score([0, 0, 1], [0, 1, 1], average="macro")
    )


def test_several_labels_a_text_are_scored_as_scikit_learn_does(
    random: np.random.Generator,
) -> None:
    gold, found = random.random((50, 4)) < 0.4, random.random((50, 4)) < 0.4

    def sets(matrix: np.ndarray) -> list[set[int]]:
        return [set(np.flatnonzero(row).tolist()) for row in matrix]

    report = multi_label_report(sets(gold), sets(found), LABELS)
    assert report.scores == pytest.approx(
        {
            "accuracy": sklearn.accuracy_score(gold, found),
            "macro_f1": sklearn.f1_score(gold, found, average="macro"),
            "micro_f1": sklearn.f1_score(gold, found, average="micro"),
            "precision": sklearn.precision_score(gold, found, average="micro"),
            "recall": sklearn.recall_score(gold, found, average="micro"),
        }
    )


def random_tags(random: np.random.Generator, length: int) -> list[str]:
    """A valid IOB2 sequence of two types."""
    tags: list[str] = []
    for _ in range(length):
        before = tags[-1] if tags else "O"
        choices = ["O", "B-PER", "B-LOC"] + ([f"I-{before[2:]}"] * 2 if before != "O" else [])
        tags.append(str(random.choice(choices)))
    return tags


def spans(tags: Sequence[str]) -> list[Labelled]:
    """The spans of a valid sequence, on made-up offsets: word n stands at [4n, 4n + 3)."""
    found: list[tuple[int, int, str]] = []
    for n, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((4 * n, 4 * n + 3, tag[2:]))
        elif tag.startswith("I-"):
            start, _, kind = found.pop()
            found.append((start, 4 * n + 3, kind))
    return [((start, end), kind) for start, end, kind in found]


def test_spans_are_scored_as_strict_seqeval_does(random: np.random.Generator) -> None:
    lengths = random.integers(1, 12, size=30)
    gold = [random_tags(random, n) for n in lengths]
    found = [tags if random.random() < 0.5 else random_tags(random, len(tags)) for tags in gold]
    report = span_report(
        [spans(tags) for tags in gold],
        [spans(tags) for tags in found],
        ["PER", "LOC"],
        examples=30,
        scheme="",
    )
    strict = {"mode": "strict", "scheme": IOB2}
    assert report.scores == pytest.approx(
        {
            "f1": f1_score(gold, found, **strict),
            "precision": precision_score(gold, found, **strict),
            "recall": recall_score(gold, found, **strict),
            "macro_f1": f1_score(gold, found, average="macro", **strict),
        }
    )
    wanted = classification_report(gold, found, output_dict=True, **strict)
    for label in ("PER", "LOC"):
        row = rows(report)[label]
        assert row["f1"] == pytest.approx(wanted[label]["f1-score"], abs=1e-6)
        assert row["support"] == wanted[label]["support"]


def test_span_confusion_says_what_was_missed_mislabelled_and_made_up() -> None:
    gold: list[list[Labelled]] = [[((0, 3), "PER"), ((4, 7), "LOC"), ((8, 11), "LOC")]]
    found: list[list[Labelled]] = [[((0, 3), "PER"), ((4, 7), "PER"), ((12, 15), "LOC")]]
    report = span_report(gold, found, ["PER", "LOC"], examples=1, scheme="")
    assert report.confusion == {
        "labels": ["PER", "LOC", "missed", "spurious"],
        "counts": [[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]],
    }
    assert report.scores["f1"] == pytest.approx(1 / 3)


def test_nothing_to_find_and_nothing_found_is_no_score_and_no_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = span_report([[]], [[]], ["PER"], examples=1, scheme="")
        assert report.scores["f1"] == 0
        assert single_label_report([], [], LABELS, ordinal=True).scores["mcc"] == 0
        assert multi_label_report([], [], LABELS).scores["accuracy"] == 0
