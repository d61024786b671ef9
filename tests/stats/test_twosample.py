"""Two samples that are not the same: against the closed form, and against planted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import refusal
from rootfruit_checks.stats.two_sample import difference


def sample(rng, mean, clusters=20, each=5, noise=0.2):
    labels = np.repeat([f"c{i}" for i in range(clusters)], each)
    values = np.clip(
        mean + np.repeat(rng.normal(0, noise, clusters), each) + rng.normal(0, noise, clusters * each), -1, 1
    )
    return clustered_mean(values, [labels])


def test_with_one_row_a_cluster_it_is_welchs_interval():
    rng = np.random.default_rng(0)
    # Mirrored, so that neither sample is skewed.
    x, y = (np.concatenate([half, -half]) for half in (rng.uniform(0, 0.5, 7), rng.uniform(0, 0.9, 11)))
    x, y = x * 0.8 + 0.1, y * 0.8 + 0.05
    one, two = (clustered_mean(v, [[str(i) for i in range(len(v))]]) for v in (x, y))
    found = difference(one, two, alpha=0.05, value_range=(-2.0, 2.0))
    want = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((want.low, want.high))
    assert found.low_at(0.01) < found.low


def test_swapping_the_samples_turns_it_round():
    rng = np.random.default_rng(1)
    one, two = sample(rng, 0.1), sample(rng, -0.2, clusters=12)
    there, back = (difference(*pair, alpha=0.05, value_range=(-2.0, 2.0)) for pair in ((one, two), (two, one)))
    assert (there.estimate, there.low, there.high) == pytest.approx((-back.estimate, -back.high, -back.low))


def test_its_bounds_cover_what_was_planted():
    rng = np.random.default_rng(2)
    above = below = 0
    for _ in range(400):
        found = difference(sample(rng, 0.1), sample(rng, 0.0, clusters=13), alpha=0.05, value_range=(-2.0, 2.0))
        above, below = above + (found.low > 0.1), below + (found.high < 0.1)
    most = stats.binom.isf(0.001, 400, 0.05)
    assert max(above, below) <= most
    assert above + below > 10, "bounds that never miss are too wide"


@given(st.integers(0, 20), st.integers(0, 20))
def test_rare_events_are_never_narrower_than_both_exact_bounds(first, second):
    def rare(count):
        values = np.zeros(40)
        values[:count] = 1.0
        return clustered_mean(values, [[str(i % 20) for i in range(40)]], value_range=(0.0, 1.0))

    one, two = rare(first), rare(second)
    found = difference(one, two, alpha=0.05, value_range=(-1.0, 1.0))
    assert -1.0 <= found.low <= found.estimate <= found.high <= 1.0
    if one.law.cells or two.law.cells:
        assert found.high >= min(1.0, one.high_at(0.025) - two.low_at(0.025))
        assert found.high > found.estimate, "no variation is no certainty"


def test_a_sample_without_bounds_refuses_and_says_which():
    fine = sample(np.random.default_rng(3), 0.0)
    found = difference(fine, refusal(0.3, (4,), "too few clusters"), alpha=0.05, value_range=(-2.0, 2.0))
    assert found.refused
    assert "the second sample has no bound: too few clusters" in found.note
    assert math.isnan(found.high)
