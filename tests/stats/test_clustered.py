"""Clustered means against statsmodels, brute force, closed forms and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rootfruit_checks.stats.clustered_mean import clustered_mean, encode
from rootfruit_checks.stats.exact import unseen_share
from rootfruit_checks.stats.intervals import LEAN

pytestmark = pytest.mark.filterwarnings("error")


def crossed(seed: int, rows: int, columns: int, n: int, spread: float = 0.6):
    """Rows with a random effect of each factor, as values within [-1, 1] and two columns of labels."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, rows, n), rng.integers(0, columns, n)
    first[:rows], second[:columns] = np.arange(rows), np.arange(columns)
    drift = rng.normal(0, spread, rows)[first] + rng.normal(0, spread, columns)[second]
    values = np.clip((drift + rng.normal(0, 1, n)) / 5, -1, 1)
    return values, np.char.add("t", first.astype(str)), np.char.add("a", second.astype(str))


def brute_variance(values, *factors):
    """Cameron, Gelbach and Miller's two-way variance of a mean by plain loops; blanks are left out."""
    mean = sum(values) / len(values)

    def one(labels):
        sums = {}
        for value, label in zip(values, labels, strict=True):
            if label is not None:
                sums[label] = sums.get(label, 0.0) + value - mean
        count = len(sums)
        factor = count / (count - 1) if count > 1 else 1.0
        return factor * sum(total**2 for total in sums.values()) / len(values) ** 2

    blanked = [[label or None for label in labels] for labels in factors]
    singles = [one(labels) for labels in blanked]
    both = [None if a is None or b is None else (a, b) for a, b in zip(*blanked, strict=True)]
    return max(sum(singles) - one(both), *singles)


@pytest.mark.parametrize("shape", [(12, 14, 300), (32, 16, 512), (100, 40, 900)])
@pytest.mark.parametrize("seed", range(3))
def test_two_way_variance_is_that_of_statsmodels(shape, seed):
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is the independent check of the variance")
    values, first, second = crossed(seed, *shape)
    found = clustered_mean(values, [first, second])
    codes = np.column_stack([np.unique(labels, return_inverse=True)[1] for labels in (first, second)])
    ones = np.ones(len(values))
    fits = [
        api.OLS(values, ones).fit(cov_type="cluster", cov_kwds={"groups": groups})
        for groups in (codes, codes[:, 0], codes[:, 1])
    ]
    assert found.se == pytest.approx(max(float(fit.bse[0]) for fit in fits), rel=1e-9)
    assert found.estimate == pytest.approx(values.mean())


def test_one_way_t_bounds_are_those_of_the_cluster_means_in_a_balanced_design():
    # Mirrored, so that the clusters are not skewed.
    half = np.random.default_rng(5).uniform(-1, 1, (7, 8))
    values = np.concatenate([half, -half, np.zeros((1, 8))]) / 2 + 0.1
    labels = np.repeat(np.arange(15).astype(str), 8)
    found = clustered_mean(values.ravel(), [labels])
    means = values.mean(axis=1)
    width = stats.t.ppf(0.95, 14) * means.std(ddof=1) / math.sqrt(15)
    assert found.method == "t"
    assert found.df == 14
    assert (found.low, found.high) == pytest.approx((means.mean() - width, means.mean() + width))


def test_a_skewed_estimate_is_moved_out_on_the_side_of_its_tail_alone():
    values = np.random.default_rng(6).exponential(0.1, (15, 8)).clip(0, 1)
    found = clustered_mean(values.ravel(), [np.repeat(np.arange(15).astype(str), 8)])
    apart = values.mean(axis=1) - values.mean()
    skew = (apart**3).sum() / (apart**2).sum() ** 1.5
    assert skew > 0.02
    quantile = stats.t.ppf(0.95, 14)
    se = values.mean(axis=1).std(ddof=1) / math.sqrt(15)
    wider = LEAN * skew * (2 * quantile**2 + 1) / 6
    assert found.low == pytest.approx(values.mean() - quantile * se)
    assert found.high == pytest.approx(values.mean() + (quantile + wider) * se)
    mirrored = clustered_mean(-values.ravel(), [np.repeat(np.arange(15).astype(str), 8)])
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_where_few_clusters_carry_the_variance_the_side_of_the_tail_is_no_narrower_than_they_allow():
    rng = np.random.default_rng(3)
    first, second = (part.ravel() for part in np.meshgrid(range(60), range(30), indexing="ij"))
    values = ((first < 12) & (rng.random(1800) < 0.3 + 0.6 * (first < 3))).astype(float)
    found = clustered_mean(values, [first, second], value_range=(0, 1))
    scores = found.scores[0].values ** 2
    carrying = scores.sum() ** 2 / (scores**2).sum()
    assert found.method == "bootstrap"
    assert carrying < 7
    assert found.high - found.estimate >= stats.t.ppf(0.95, carrying - 1) * found.se - 1e-12
    mirrored = clustered_mean(-values, [first, second])
    assert mirrored.estimate - mirrored.low >= stats.t.ppf(0.95, carrying - 1) * found.se - 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_blank_labels_take_no_part_in_their_factor(seed):
    values, first, second = crossed(seed, 40, 12, 500)
    second[np.random.default_rng(seed).random(500) < 0.7] = ""
    second[:12] = [f"a{number}" for number in range(12)]
    found = clustered_mean(values, [first, second])
    assert found.clusters == (40, 12)
    assert found.se == pytest.approx(math.sqrt(brute_variance(values.tolist(), first.tolist(), second.tolist())))


def test_a_factor_that_is_blank_throughout_changes_nothing():
    values, first, _ = crossed(1, 40, 12, 400)
    alone = clustered_mean(values, [first])
    with_blank = clustered_mean(values, [first, np.full(400, "")])
    assert with_blank.clusters == (40, 0)
    assert (with_blank.estimate, with_blank.se, with_blank.low) == (alone.estimate, alone.se, alone.low)


def test_blank_rows_are_not_one_big_cluster():
    values, first, second = crossed(2, 60, 20, 900, spread=1.0)
    second[200:] = ""
    honest = clustered_mean(values, [first, second])
    lumped = clustered_mean(values, [first, np.where(second == "", "nobody", second)])
    assert honest.clusters[1] == lumped.clusters[1] - 1
    assert honest.se != pytest.approx(lumped.se, rel=1e-3)


@pytest.mark.parametrize(("rows", "columns", "method"), [(10, 400, "t"), (29, 60, "t"), (30, 30, "bootstrap")])
def test_method_follows_the_smaller_factor(rows, columns, method):
    values, first, second = crossed(3, rows, columns, 900)
    found = clustered_mean(values, [first, second])
    assert found.method == method
    assert found.low < found.estimate < found.high


def test_bootstrap_bounds_are_near_t_where_both_hold():
    values, first, second = crossed(4, 200, 150, 4000)
    found = clustered_mean(values, [first, second])
    half = stats.norm.ppf(0.95) * found.se
    assert found.high - found.estimate == pytest.approx(half, rel=0.15)
    assert found.estimate - found.low == pytest.approx(half, rel=0.15)


@pytest.mark.parametrize("few", [1, 2, 9])
def test_too_few_clusters_are_refused_by_name(few):
    values, first, second = crossed(6, few, 40, 400)
    found = clustered_mean(values, [first, second], factors=("template", "antecedent"))
    assert found.refused
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert f"template has {few}" in found.note
    assert found.estimate == pytest.approx(values.mean())


def test_no_rows_is_a_named_refusal():
    found = clustered_mean([], [[], []])
    assert found.refused
    assert math.isnan(found.estimate)
    assert found.note == "there are no rows"


@pytest.mark.parametrize("constant", [-1.0, 0.0, 0.1, 1.0])
def test_constant_column_gets_the_exact_bound_and_never_zero_width(constant):
    labels = [np.repeat(np.arange(20), 16).astype(str), np.tile(np.arange(16), 20).astype(str)]
    found = clustered_mean(np.full(320, constant), labels)
    share = stats.beta.ppf(0.95, 1, 320)  # Clopper and Pearson, 0 of 320
    assert found.method == "exact"
    assert found.estimate == pytest.approx(constant)
    assert found.high == pytest.approx(constant + share * (1 - constant))
    assert found.low == pytest.approx(constant - share * (constant + 1))
    assert "exact bound" in found.note


def test_cells_that_cancel_do_not_give_zero_width():
    values = np.tile([1.0, -1.0], 200)
    labels = np.repeat(np.arange(20), 20).astype(str)
    found = clustered_mean(values, [labels])
    assert found.high >= unseen_share(20, 0.05) > 0.1


@pytest.mark.parametrize("events", [1, 2, 3])
def test_rare_events_keep_finite_bounds_wider_than_without_events(events):
    values = np.zeros(3000)
    values[:: 3000 // events] = 1.0
    labels = [np.arange(3000) % 60, np.arange(3000) // 60]
    none = clustered_mean(np.zeros(3000), labels, value_range=(0, 1))
    found = clustered_mean(values, labels, value_range=(0, 1))
    assert none.high < found.high < 0.1
    assert found.low == 0.0


@pytest.mark.parametrize(
    ("values", "clusters", "keywords", "message"),
    [
        ([0.0, math.nan], [["a", "b"]], {}, "finite"),
        ([0.0, math.inf], [["a", "b"]], {}, "finite"),
        ([0.0, 1.5], [["a", "b"]], {}, "value range"),
        ([0.0, 0.5], [["a", "b", "c"]], {}, "must agree"),
        ([0.0, 0.5], [], {}, "factors"),
        ([0.0, 0.5], [["a", "b"]] * 3, {}, "factors"),
        ([0.0, 0.5], [["", "b"], ["", "c"]], {}, "blank in every"),
        ([0.0, 0.5], [["a", "b"]], {"alpha": 0.5}, "alpha"),
        ([0.0, 0.5], [["a", "b"]], {"alpha": math.nan}, "alpha"),
    ],
)
def test_bad_input_is_a_named_error(values, clusters, keywords, message):
    with pytest.raises(ValueError, match=message):
        clustered_mean(values, clusters, **keywords)


designs = st.tuples(st.integers(0, 10_000), st.integers(10, 45), st.integers(10, 45), st.integers(60, 400))


def same(one, other):
    assert (other.estimate, other.se, other.low, other.high) == pytest.approx(
        (one.estimate, one.se, one.low, one.high), rel=1e-7, abs=1e-9
    )
    assert (one.method, one.clusters) == (other.method, other.clusters)


@settings(max_examples=25, deadline=None)
@given(designs)
def test_order_of_rows_does_not_matter(design):
    values, first, second = crossed(*design)
    order = np.random.default_rng(design[0]).permutation(len(values))
    same(clustered_mean(values, [first, second]), clustered_mean(values[order], [first[order], second[order]]))


@settings(max_examples=25, deadline=None)
@given(designs)
def test_a_change_of_sign_swaps_the_bounds(design):
    values, first, second = crossed(*design)
    one, other = clustered_mean(values, [first, second]), clustered_mean(-values, [first, second])
    assert (other.estimate, other.low, other.high) == pytest.approx((-one.estimate, -one.high, -one.low))


@settings(max_examples=25, deadline=None)
@given(designs, st.integers(2, 4))
def test_copies_of_rows_are_no_new_information(design, copies):
    values, first, second = crossed(*design)
    again = [np.tile(part, copies) for part in (values, first, second)]
    same(clustered_mean(values, [first, second]), clustered_mean(again[0], again[1:]))


@settings(max_examples=25, deadline=None)
@given(designs, st.floats(-0.2, 0.2), st.floats(0.1, 3.0))
def test_location_and_scale_carry_through(design, move, scale):
    values, first, second = crossed(*design)
    one = clustered_mean(values, [first, second])
    value_range = (move - scale, move + scale)
    other = clustered_mean(move + scale * values, [first, second], value_range=value_range)
    expected = [move + scale * number for number in (one.estimate, one.low, one.high)]
    assert [other.estimate, other.low, other.high] == pytest.approx(expected, rel=1e-6, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(designs)
def test_bounds_widen_with_confidence_and_stay_within_limits(design):
    values, first, second = crossed(*design)
    found = [clustered_mean(values, [first, second], alpha=alpha) for alpha in (0.2, 0.05, 0.01)]
    lows, highs = [one.low for one in found], [one.high for one in found]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert all(-1 <= one.low <= one.estimate <= one.high <= 1 for one in found)


@settings(max_examples=15, deadline=None)
@given(designs)
def test_factors_may_change_places_in_the_variance(design):
    values, first, second = crossed(*design)
    one, other = clustered_mean(values, [first, second]), clustered_mean(values, [second, first])
    assert one.se == pytest.approx(other.se)
    assert one.parts == pytest.approx(other.parts[::-1])


def test_the_seed_decides_the_bootstrap():
    values, first, second = crossed(9, 50, 50, 900)
    one = clustered_mean(values, [first, second], seed=1)
    assert one == clustered_mean(values, [first, second], seed=1)
    assert not np.array_equal(one.law.ratios, clustered_mean(values, [first, second], seed=2).law.ratios)


def test_sparse_tables_give_what_dense_ones_give(monkeypatch):
    values, first, second = crossed(10, 80, 60, 700)
    second[300:] = ""
    dense = clustered_mean(values, [first, second])
    monkeypatch.setattr("rootfruit_checks.stats.cells._DENSE", 0)
    monkeypatch.setattr("rootfruit_checks.stats.two_way_table._BATCH", 30_000)
    sparse = clustered_mean(values, [first, second])
    assert sparse.se == pytest.approx(dense.se)
    assert sparse.low < sparse.estimate < sparse.high


@given(st.integers(0, 2**32 - 1), st.sampled_from([(12, 16), (40, 35), (40, 12)]))
@settings(max_examples=15)
def test_bounds_at_any_level_come_from_one_law(seed, shape):
    rng = np.random.default_rng(seed)
    first, second = (part.ravel() for part in np.meshgrid(range(shape[0]), range(shape[1]), indexing="ij"))
    values = (rng.normal(size=shape[0])[first] + rng.normal(size=len(first)) > 0).astype(float)
    found = clustered_mean(values, [first, second], value_range=(0, 1))
    assert (found.low_at(0.05), found.high_at(0.05)) == (found.low, found.high)
    lows = [found.low_at(level) for level in (0.001, 0.01, 0.05, 0.2, 0.4)]
    highs = [found.high_at(level) for level in (0.001, 0.01, 0.05, 0.2, 0.4)]
    assert lows == sorted(lows)
    assert highs == sorted(highs, reverse=True)
    other = clustered_mean(values, [first, second], value_range=(0, 1), alpha=0.01)
    if found.method == other.method:
        assert (other.low, other.high) == (found.low_at(0.01), found.high_at(0.01))


def test_a_p_value_is_the_level_at_which_the_bound_reaches_the_bar():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(15), 20)
    values = (rng.normal(size=15)[labels] + rng.normal(size=300) > 0.5).astype(float)
    found = clustered_mean(values, [labels], value_range=(0, 1))
    bar = found.estimate - 2.0 * found.se
    # The side away from the tail is Student's t alone.
    assert (found.scores[0].values ** 3).sum() >= 0
    assert found.p_above(bar) == pytest.approx(stats.t.sf(2.0, 14), rel=1e-6)
    assert found.p_above(found.estimate + 0.1) == 1.0
    assert found.p_above(-1.0) < 1e-8
    assert clustered_mean([], [[]]).p_above(0.0) == 1.0


def test_influences_sum_to_zero_and_square_to_the_one_way_variance():
    rng = np.random.default_rng(8)
    labels, other = rng.integers(0, 20, 400), rng.integers(0, 15, 400)
    found = clustered_mean(rng.random(400), [labels, other])
    for score, part, count in zip(found.scores, found.parts, (20, 15), strict=True):
        assert score.values.sum() == pytest.approx(0.0, abs=1e-12)
        assert (score.values**2).sum() * count / (count - 1) == pytest.approx(part)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "", "a", "b"]),
        np.array(["b", "", "a", "b"], dtype=object),
        np.array([b"b", b"", b"a", b"b"]),
        np.array(["b\0", "\0", "a", "b"], dtype=object),
    ],
)
def test_labels_of_any_type_are_coded_in_sorted_order_and_blank_is_no_cluster(labels):
    codes, kinds = encode(labels)
    assert (codes.tolist(), kinds.tolist()) == ([1, -1, 0, 1], ["a", "b"])
    numbers, names = encode(np.array([10, 9, 10]))
    assert (numbers.tolist(), names.tolist()) == ([0, 1, 0], ["10", "9"])
