"""GLUE's scores, against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from app.evaluation import glue


@pytest.mark.filterwarnings("ignore:A single label was found")
def test_scores_of_labels_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    for size in (1, 2, 3, 10, 200):
        gold, predicted = (list(map(str, generator.integers(0, 2, size))) for _ in range(2))
        assert glue.scores("mrpc", gold, predicted) == pytest.approx(
            {
                "accuracy": metrics.accuracy_score(gold, predicted),
                "f1": metrics.f1_score(gold, predicted, pos_label="1", zero_division=0),
            }
        )
        assert glue.scores("cola", gold, predicted) == pytest.approx(
            {"matthews": metrics.matthews_corrcoef(gold, predicted)}
        )


def test_correlations_are_those_of_scipy() -> None:
    generator = np.random.default_rng(2)
    for size in (3, 10, 200):
        # Few distinct values, so that there are ties.
        gold, predicted = generator.integers(0, 6, size), generator.integers(-3, 3, size) / 10
        assert glue.ranks(gold) == pytest.approx(stats.rankdata(gold))
        assert glue.pearson(gold, predicted) == pytest.approx(stats.pearsonr(gold, predicted)[0])
        assert glue.spearman(gold, predicted) == pytest.approx(stats.spearmanr(gold, predicted)[0])


def test_correlations_stand_extreme_and_constant_numbers() -> None:
    small, large = np.array([1.0, 2, 4]) * 1e-200, np.array([1.0, 3, 2]) * 1e200
    expected = stats.pearsonr([1, 2, 4], [1, 3, 2])[0]
    assert glue.pearson(small, large) == pytest.approx(expected)
    assert glue.pearson([1, 1, 1], [1, 2, 3]) == glue.spearman([2, 2], [1, 2]) == 0
