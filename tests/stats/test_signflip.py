"""The sign-flip test against all sign patterns written out, and its error rate where nothing is there."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from rootfruit_checks.stats.exact import unseen_bounds, unseen_share
from rootfruit_checks.stats.sign_flip import sign_flip

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("seed", range(5))
def test_few_clusters_are_enumerated(seed):
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(0.5, 1, 30), np.arange(30) % 6
    sums = [values[labels == label].sum() for label in range(6)]
    patterns = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=6)]
    expected = sum(value >= abs(sum(sums)) - 1e-12 for value in patterns) / 64
    assert sign_flip(values, labels) == pytest.approx(expected)


def test_all_clusters_on_one_side_are_rare():
    assert sign_flip(np.ones(10), np.arange(10)) == pytest.approx(2 / 1024)
    assert sign_flip(np.ones(40), np.arange(40)) == pytest.approx(1 / 4096)


def test_nothing_changed_is_no_evidence():
    assert sign_flip(np.zeros(50), np.arange(50)) == 1.0
    assert math.isnan(sign_flip(np.zeros(0), np.zeros(0, dtype=str)))


def test_error_rate_holds_with_clustered_rows():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(25), 8)
    hits = sum(
        sign_flip(np.sign(rng.normal(size=25))[labels] * 0.5 + rng.normal(size=200) * 0.1, labels) <= 0.05
        for _ in range(300)
    )
    # At most 5 %: the 99.9th percentile of a binomial with 300 runs.
    assert hits <= stats.binom.ppf(0.999, 300, 0.05)


@pytest.mark.parametrize("cells", [1, 10, 59, 1000])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_unseen_share_is_clopper_and_pearson(cells, alpha):
    assert unseen_share(cells, alpha) == pytest.approx(stats.beta.ppf(1 - alpha, 1, cells))


def test_unseen_share_without_cells_is_everything():
    assert unseen_share(0, 0.05) == 1.0
    assert unseen_bounds(0.2, 0, 0.05, (-1.0, 1.0)) == (-1.0, 1.0)


@pytest.mark.parametrize("tenths", [[-1, -2, 1, 2, 1, -1], [1, 2, -3], [3, 3, -1, -2, 1], [1, -1]])
def test_sums_that_tie_but_for_rounding_are_ties(tenths):
    # Counted in whole numbers, where nothing rounds. scipy.stats.permutation_test gives the first 0.84 in place of 1.
    patterns = [abs(sum(a * b for a, b in zip(signs, tenths, strict=True)))
                for signs in itertools.product((-1, 1), repeat=len(tenths))]  # fmt: skip
    expected = sum(found >= abs(sum(tenths)) for found in patterns) / len(patterns)
    assert sign_flip(np.array(tenths) / 10, np.arange(len(tenths))) == expected
