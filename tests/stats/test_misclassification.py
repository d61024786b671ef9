"""Rogan and Gladen's correction against closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rootfruit_checks.stats.misclassification import Calibration, corrected, rogan_gladen

PERFECT = Calibration(10**9, 10**9, 10**9, 0)


def test_the_textbook_figure():
    # Rogan and Gladen 1978: (p + Sp - 1) / (Se + Sp - 1).
    assert rogan_gladen(0.2, Calibration(100, 90, 100, 5)) == pytest.approx(0.15 / 0.85)


shares = st.floats(0, 1)


@given(shares, st.integers(1, 500), st.integers(1, 500), st.data())
def test_it_undoes_what_the_instrument_does(truth, positives, negatives, data):
    known = Calibration(
        positives, data.draw(st.integers(0, positives)), negatives, data.draw(st.integers(0, negatives))
    )
    assume(known.youden > 1e-6)
    apparent = truth * known.sensitivity + (1 - truth) * (1 - known.specificity)
    assert rogan_gladen(apparent, known) == pytest.approx(truth, abs=1e-6)


def test_a_perfect_instrument_leaves_rates_and_bounds_alone():
    rng = np.random.default_rng(0)
    values, clusters = rng.integers(0, 2, 600).astype(float), np.repeat(np.arange(20), 30).astype(str)
    from rootfruit_checks.stats.clustered_mean import clustered_mean

    plain = clustered_mean(values, [clusters], value_range=(0.0, 1.0))
    found = corrected([(1.0, values, PERFECT)], [clusters])
    assert (found.estimate, found.low, found.high) == pytest.approx((plain.estimate, plain.low, plain.high), abs=1e-6)


def test_the_difference_of_one_side_with_itself_is_zero():
    values, clusters = np.tile([0.0, 1.0], 100), np.repeat(np.arange(20), 10).astype(str)
    known = Calibration(200, 180, 200, 20)
    found = corrected([(1.0, values, known), (-1.0, values, known)], [clusters])
    assert found.estimate == pytest.approx(0.0)
    assert found.low < 0.0 < found.high


@pytest.mark.parametrize("known", [Calibration(50, 10, 50, 40), Calibration(50, 25, 50, 25), Calibration(0, 0, 9, 0)])
def test_an_instrument_that_guesses_corrects_nothing(known):
    found = corrected([(1.0, np.ones(40), known)], [np.arange(40).astype(str)])
    assert math.isnan(found.estimate)
    assert "guessing" in found.note


def test_too_few_clusters_leave_no_bounds():
    found = corrected([(1.0, np.ones(8), Calibration(50, 45, 50, 5))], [np.arange(8).astype(str)])
    assert math.isfinite(found.estimate)
    assert math.isnan(found.low)
    assert "too few clusters" in found.note


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="more rows"):
        Calibration(5, 6, 5, 0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_fewer_labelled_rows_never_narrow_the_bounds(missed, false):
    values, clusters = np.tile([0.0, 0.0, 1.0], 100), np.repeat(np.arange(30), 10).astype(str)
    few, many = Calibration(150, 150 - missed, 150, false), Calibration(1500, 1500 - 10 * missed, 1500, 10 * false)
    one, other = (corrected([(1.0, values, known)], [clusters]) for known in (few, many))
    assert one.high - one.low > other.high - other.low


@pytest.mark.parametrize(("rate", "control"), [(0.3, 0.1), (0.05, 0.05), (0.6, 0.5)])
def test_bounds_cover_the_truth_with_the_calibration_drawn_anew(rate, control):
    # Both samples and both calibrations are random: what a bound must carry.
    rng = np.random.default_rng(int(100 * rate))
    truths, se, sp, runs = (rate, control), 0.85, 0.93, 300
    below = above = 0
    clusters = np.repeat(np.arange(40), 10).astype(str)
    for run in range(runs):
        parts = []
        for weight, truth in zip((1.0, -1.0), truths, strict=True):
            apparent = truth * se + (1 - truth) * (1 - sp)
            found, false = rng.binomial(60, se), rng.binomial(120, 1 - sp)
            values = rng.random(400) < apparent
            parts.append((weight, values.astype(float), Calibration(60, found, 120, false)))
        one = corrected(parts, [clusters], seed=run)
        below += one.low <= rate - control
        above += one.high >= rate - control
    # Nominal 95 %: of 300, 273 or fewer has a probability under one in five hundred.
    assert min(below, above) >= 274
