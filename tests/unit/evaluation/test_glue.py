"""GLUE's scores, against scikit-learn and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from app.evaluation import glue

LABELS = st.lists(st.tuples(st.sampled_from("01"), st.sampled_from("01")), min_size=1)
# Few distinct values, so that there are ties.
NUMBERS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-30, 30).map(lambda n: n / 10)), min_size=2
)


@given(LABELS)
def test_scores_of_labels_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = map(list, zip(*pairs, strict=True))
    expected = {
        "accuracy": metrics.accuracy_score(gold, predicted),
        "f1": metrics.f1_score(gold, predicted, pos_label="1", zero_division=0),
    }
    assert glue.scores("mrpc", gold, predicted) == pytest.approx(expected)
    assert glue.scores("cola", gold, predicted) == pytest.approx(
        {"matthews": metrics.matthews_corrcoef(gold, predicted)}
    )


@given(NUMBERS)
def test_correlations_are_those_of_scipy(pairs: list[tuple[int, float]]) -> None:
    gold, predicted = map(np.asarray, zip(*pairs, strict=True))
    assert glue.ranks(gold) == pytest.approx(stats.rankdata(gold))
    if len({*gold}) > 1 and len({*predicted}) > 1:
        assert glue.pearson(gold, predicted) == pytest.approx(stats.pearsonr(gold, predicted)[0])
        assert glue.spearman(gold, predicted) == pytest.approx(stats.spearmanr(gold, predicted)[0])
    else:
        assert glue.pearson(gold, predicted) == glue.spearman(gold, predicted) == 0


def test_correlations_stand_extreme_numbers() -> None:
    small, large = np.array([1.0, 2, 4]) * 1e-200, np.array([1.0, 3, 2]) * 1e200
    expected = stats.pearsonr([1, 2, 4], [1, 3, 2])[0]
    assert glue.pearson(small, large) == pytest.approx(expected)
