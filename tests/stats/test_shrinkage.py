"""Shrinkage against statsmodels, closed forms, its limits and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from rootfruit_checks.stats.shrinkage import main_effects, pooled_variance, shrink

pytestmark = pytest.mark.filterwarnings("error")

cells = st.lists(
    st.tuples(st.floats(-1, 1, allow_subnormal=False).map(lambda x: round(x, 6)), st.floats(1e-4, 1.0)),
    min_size=4,
    max_size=30,
)


@pytest.mark.parametrize("seed", range(5))
def test_paule_and_mandel_as_statsmodels_has_it(seed):
    rng = np.random.default_rng(seed)
    variance = rng.uniform(0.001, 0.02, 25)
    raw = 0.2 + rng.normal(0, 0.15, 25) + rng.normal(0, np.sqrt(variance))
    other = combine_effects(raw, variance, method_re="iterated", use_t=False)
    found = shrink(raw, variance)
    assert found.between == pytest.approx(other.tau2, rel=1e-5)
    assert found.pooled == pytest.approx(np.full(25, other.mean_effect_re), rel=1e-5)
    assert found.toward == "mean"


def test_equal_variances_are_james_and_stein_towards_the_mean():
    raw = np.array([0.1, 0.4, 0.35, 0.8, -0.2, 0.3])
    variance = 0.02
    spread = float(((raw - raw.mean()) ** 2).sum())
    # Fay and Herriot's moments divide by m - 1, James and Stein's rule by m - 3.
    kept = 1.0 - variance * (len(raw) - 1) / spread
    found = shrink(raw, np.full(len(raw), variance))
    assert found.estimates == pytest.approx(raw.mean() + kept * (raw - raw.mean()))
    assert found.between == pytest.approx(spread / (len(raw) - 1) - variance)


def test_main_effects_with_equal_variances_are_the_row_and_column_means():
    rng = np.random.default_rng(1)
    rows, columns, variance = 5, 6, 0.01
    table = rng.normal(0, 1, (rows, 1)) + rng.normal(0, 1, (1, columns)) + rng.normal(0, 0.3, (rows, columns))
    names = [(f"i{r}", f"t{c}") for r in range(rows) for c in range(columns)]
    fit = (table.mean(1, keepdims=True) + table.mean(0, keepdims=True) - table.mean()).ravel()
    between = float(((table.ravel() - fit) ** 2).sum()) / ((rows - 1) * (columns - 1)) - variance
    found = shrink(table.ravel(), np.full(30, variance), main_effects(*zip(*names, strict=True)))
    assert found.toward == "main effects"
    assert found.pooled == pytest.approx(fit)
    assert found.between == pytest.approx(between)
    assert found.estimates == pytest.approx(fit + between / (between + variance) * (table.ravel() - fit))


def test_many_samples_leave_the_raw_value_and_no_variance_between_leaves_the_mean():
    raw = np.array([0.1, 0.4, 0.35, 0.8])
    assert shrink(raw, np.full(4, 1e-12)).estimates == pytest.approx(raw, abs=1e-9)
    variance = np.array([0.5, 1.0, 2.0, 4.0])
    found = shrink(raw, variance)
    assert found.between == 0.0
    assert found.estimates == pytest.approx(np.full(4, np.average(raw, weights=1 / variance)))


def test_the_noisier_of_two_cells_is_pulled_further():
    raw, variance = np.array([0.9, 0.9, 0.0, 0.1, 0.2]), np.array([0.001, 0.2, 0.01, 0.01, 0.01])
    found = shrink(raw, variance)
    assert found.estimates[1] < found.estimates[0] < 0.9


def test_shrunk_estimates_are_nearer_to_a_planted_truth():
    rng = np.random.default_rng(7)
    raw_error = shrunk_error = 0.0
    for _ in range(200):
        truth = rng.normal(0.1, 0.1, 40)
        variance = rng.uniform(0.002, 0.05, 40)
        raw = truth + rng.normal(0, np.sqrt(variance))
        raw_error += float(((raw - truth) ** 2).sum())
        shrunk_error += float(((shrink(raw, variance).estimates - truth) ** 2).sum())
    assert shrunk_error < 0.5 * raw_error


def test_too_few_cells_or_no_error_are_not_shrunk():
    assert shrink([0.1, 0.5, 0.9], [0.1] * 3).toward == "nothing"
    assert list(shrink([0.1, 0.5, 0.9], [0.1] * 3).estimates) == [0.1, 0.5, 0.9]
    assert shrink([], []).toward == "nothing"
    none = shrink([0.1, 0.2, 0.3, 0.9], [0.0] * 4)
    assert (none.toward, list(none.estimates)) == ("nothing", [0.1, 0.2, 0.3, 0.9])


def test_a_design_that_explains_every_cell_gives_way_to_the_mean():
    names = [("only", f"t{c}") for c in range(5)]
    found = shrink([0.1, 0.2, 0.3, 0.4, 0.9], [0.01] * 5, main_effects(*zip(*names, strict=True)))
    assert found.toward == "mean"


def test_a_cell_without_error_keeps_its_value_among_others():
    found = shrink([0.0, 0.3, 0.6, 0.9], [0.0, 0.1, 0.1, 0.1])
    assert found.estimates[0] == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(found.estimates).all()


@pytest.mark.parametrize(
    "raw, variance", [([np.nan, 1, 2, 3], [1] * 4), ([1, 2, 3], [1, 1]), ([1, 2], [1, -1]), ([1, 2], [1, np.inf])]
)
def test_bad_input_is_refused(raw, variance):
    with pytest.raises(ValueError, match="raw"):
        shrink(raw, variance)


@given(cells, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_cells_does_not_matter(held, random):
    order = list(range(len(held)))
    random.shuffle(order)
    raw, variance = np.array(held).T
    straight, shuffled = shrink(raw, variance), shrink(raw[order], variance[order])
    assert shuffled.estimates == pytest.approx(straight.estimates[order], abs=1e-7)


@given(cells)
@settings(max_examples=60, deadline=None)
def test_each_lies_between_its_own_value_and_what_it_is_shrunk_towards(held):
    raw, variance = np.array(held).T
    found = shrink(raw, variance)
    low, high = np.minimum(raw, found.pooled), np.maximum(raw, found.pooled)
    assert (found.estimates >= low - 1e-12).all()
    assert (found.estimates <= high + 1e-12).all()


@given(cells, st.floats(-3, 3), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_shift_and_scale_carry_over(held, shift, scale):
    raw, variance = np.array(held).T
    plain, moved = shrink(raw, variance), shrink(shift + scale * raw, scale**2 * variance)
    assert moved.estimates == pytest.approx(shift + scale * plain.estimates, abs=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_names_of_identities_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    who, where = rng.integers(0, 4, 20), rng.integers(0, 3, 20)
    raw, variance = rng.normal(0, 1, 20), rng.uniform(0.01, 1, 20)
    other = rng.permutation(4)
    plain = shrink(raw, variance, main_effects(list(map(str, who)), list(map(str, where))))
    named = shrink(raw, variance, main_effects(list(map(str, other[who])), list(map(str, where))))
    assert named.estimates == pytest.approx(plain.estimates, abs=1e-7)


def test_one_clusters_variance_is_shared():
    # Cells of 10 and 5 clusters and one of a single cluster: (9 * 10 * 0.01 + 4 * 5 * 0.04) / 13 a cluster.
    one = (9 * 10 * 0.01 + 4 * 5 * 0.04) / 13
    assert pooled_variance([0.1, 0.2, np.nan], [10, 5, 1]) == pytest.approx([one / 10, one / 5, one])


def test_single_clusters_alone_tell_no_variance():
    assert np.isnan(pooled_variance([np.nan, np.nan], [1, 1])).all()
    with pytest.raises(ValueError, match="cluster"):
        pooled_variance([0.1, 0.1], [3, 0])
