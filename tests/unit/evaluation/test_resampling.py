"""Intervals that hold, and tests that find what is there and not what is not."""

import numpy as np
import pytest
from scipy.stats import binomtest
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn import metrics as sklearn

from app.evaluation.calibration import bins, expected_calibration_error
from app.evaluation.outcomes import Outcomes
from app.evaluation.resampling import compare, intervals, mcnemar

LABELS = ["a", "b", "c"]


def system(gold: np.ndarray, accuracy: float, random: np.random.Generator) -> Outcomes:
    """One that is right so often, and else says something else."""
    other = (gold + random.integers(1, 3, size=len(gold))) % 3
    found = np.where(random.random(len(gold)) < accuracy, gold, other)
    return outcomes(gold, found)


def outcomes(gold: np.ndarray, found: np.ndarray) -> Outcomes:
    pairs = [([((), LABELS[g])], [((), LABELS[f])]) for g, f in zip(gold, found, strict=True)]
    return Outcomes.of(pairs, LABELS)


@pytest.mark.parametrize("seed", range(4))
def test_scores_of_classes_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    gold, found = random.integers(0, 3, size=(2, 50))
    scores = outcomes(gold, found).scores()
    assert scores["accuracy"] == pytest.approx(sklearn.accuracy_score(gold, found))
    assert scores["macro_f1"] == pytest.approx(sklearn.f1_score(gold, found, average="macro"))
    assert scores["f1"] == pytest.approx(scores["accuracy"])


def test_scores_of_spans_are_those_of_seqeval() -> None:
    gold = [["B-a", "I-a", "O", "B-b"], ["O", "B-c", "I-c", "I-c"], ["O", "O", "O", "O"]]
    found = [["B-a", "I-a", "O", "B-a"], ["O", "B-c", "I-c", "O"], ["B-b", "O", "O", "O"]]
    spans = [
        ([((0, 2), "a"), ((3, 4), "b")], [((0, 2), "a"), ((3, 4), "a")]),
        ([((1, 4), "c")], [((1, 3), "c")]),
        ([], [((0, 1), "b")]),
    ]
    scores = Outcomes.of(spans, LABELS).scores()
    assert scores["precision"] == pytest.approx(precision_score(gold, found))
    assert scores["recall"] == pytest.approx(recall_score(gold, found))
    assert scores["f1"] == pytest.approx(f1_score(gold, found))
    assert scores["macro_f1"] == pytest.approx(f1_score(gold, found, average="macro"))
    assert scores["accuracy"] == 0


def test_nothing_to_score() -> None:
    empty = Outcomes.of([], LABELS)
    assert set(empty.scores().values()) == {0.0}
    assert intervals(empty, seed=0) == {}


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 200 samples of a system that is right 8 times in 10, about 190 intervals hold 0.8."""
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        found = system(random.integers(0, 3, size=400), 0.8, random)
        low, high = intervals(found, seed=seed, samples=300)["accuracy"]
        held += low <= 0.8 <= high
    assert 180 <= held <= 199


def test_a_system_against_itself_is_seldom_significant() -> None:
    """Two systems that are equally good, 100 times: at most 1 in 20 may look different, and chance."""
    found = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        gold = random.integers(0, 3, size=300)
        a, b = system(gold, 0.85, random), system(gold, 0.85, random)
        found += compare(a, b, "macro_f1", seed=seed, samples=400).p < 0.05
    assert found <= 5


def test_two_points_on_two_thousand_examples_are_found() -> None:
    """The better system mends 40 of the other's errors, as a better model of the same kind does."""
    random = np.random.default_rng(0)
    gold = random.integers(0, 3, size=2000)
    found = np.where(random.random(2000) < 0.85, gold, (gold + 1) % 3)
    better = found.copy()
    mended = random.choice(np.flatnonzero(found != gold), 60, replace=False)
    spoilt = random.choice(np.flatnonzero(found == gold), 20, replace=False)
    better[mended], better[spoilt] = gold[mended], (gold[spoilt] + 2) % 3
    a, b = outcomes(gold, found), outcomes(gold, better)
    result = compare(a, b, "accuracy")
    assert result.difference == pytest.approx(0.02)
    assert 0 < result.low < 0.02 < result.high
    assert result.p < 0.001
    assert mcnemar(a, b) < 0.001
    assert compare(b, a, "accuracy").difference == pytest.approx(-0.02)


def test_a_comparison_is_repeatable_and_of_the_same_examples_only() -> None:
    random = np.random.default_rng(0)
    gold = random.integers(0, 3, size=100)
    a, b = system(gold, 0.7, random), system(gold, 0.8, random)
    assert compare(a, b, "f1") == compare(a, b, "f1")
    with pytest.raises(ValueError, match="same examples"):
        compare(a, system(gold[:50], 0.7, random), "f1")


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 9), (12, 12), (40, 20)])
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    gold = np.zeros(100, dtype=int)
    first, second = gold.copy(), gold.copy()
    first[:b], second[b : b + c] = 1, 1
    wanted = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(outcomes(gold, first), outcomes(gold, second)) == pytest.approx(wanted)


def test_calibration() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.3, 1.0, size=20_000)
    honest = random.random(20_000) < sure
    assert expected_calibration_error(bins(sure, honest)) < 0.02
    boastful = random.random(20_000) < sure - 0.2
    assert expected_calibration_error(bins(sure, boastful)) == pytest.approx(0.2, abs=0.02)
    assert sum(b.count for b in bins(sure, honest)) == 20_000
    assert bins([1.0, 0.0], [True, False])[0].accuracy == 0
    assert expected_calibration_error([]) == 0
