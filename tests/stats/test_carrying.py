"""How many clusters carry a variance, on which side its tail is, and how far a mean can be off at all."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.influence import carrying_clusters, deviating, reach, tails
from rootfruit_checks.stats.intervals import Scores


def scores(*values):
    return tuple(Scores(f"f{at}", np.arange(len(part)), np.asarray(part, float)) for at, part in enumerate(values))


def table(values):
    """One value a cell; every row meets every column."""
    values = np.asarray(values, float)
    rows, columns = (code.ravel() for code in np.indices(values.shape))
    return Table.build(rows, columns, values.ravel(), values.shape)


def test_equal_clusters_all_carry_and_one_alone_counts_as_two():
    assert carrying_clusters(scores([1, -1] * 20)) == pytest.approx(40)
    assert carrying_clusters(scores([5, *[0] * 39])) == 2.0
    # (4 x 9)^2 / (4 x 81) = 4 clusters; the factor in which they are fewest counts, one without variation does not.
    assert carrying_clusters(scores([3, -3, 3, -3, *[0] * 36], [1, -1] * 20)) == pytest.approx(4)
    assert carrying_clusters(scores([1, -1] * 20, [1e-14, -1e-14])) == pytest.approx(40)
    assert carrying_clusters(()) == 2.0


def test_normal_clusters_come_to_a_third():
    found = carrying_clusters(scores(np.random.default_rng(0).standard_normal(60_000)))
    assert found / 60_000 == pytest.approx(1 / 3, rel=0.05)  # (E x^2)^2 / E x^4


def test_clusters_that_differ_from_the_commonest_value_are_counted_in_the_factor_with_fewest():
    values = np.zeros((12, 12))
    values[3, 4] = values[3, 7] = 1.0
    assert deviating(table(values)) == 1
    assert deviating(table(np.arange(144.0).reshape(12, 12) / 144)) == 12


@given(st.lists(st.integers(-3, 9), min_size=24, max_size=60), st.integers(0, 99))
def test_the_tail_changes_sides_with_the_sign(cells, seed):
    values = np.random.default_rng(seed).permutation(np.array(cells, float))[:24].reshape(4, 6)
    made, mirror = table(values), table(-values)
    mean = float(values.mean())
    by_row, by_column = values.sum(axis=1) - 6 * mean, values.sum(axis=0) - 4 * mean
    right = tails(made, mean, scores(by_row, by_column))
    assert tails(mirror, -mean, scores(-by_row, -by_column)) == right[::-1]


def test_where_clusters_and_cells_disagree_both_sides_have_a_tail():
    values = np.zeros((12, 12))
    values[0, 0] = 5.0  # a cell's tail to the right
    assert tails(table(values), float(values.mean()), scores([-2.0, 1.0, 1.0])) == (True, True)
    assert tails(table(values), float(values.mean()), scores([2.0, -1.0, -1.0])) == (False, True)


def test_reach_of_one_factor_is_hoeffdings_over_the_clusters():
    made = Table.build(np.arange(25), np.full(25, -1), np.zeros(25), (25, 0))
    # 25 clusters and, apart from them, what is left of 25 cells: a fifth twice, by the root of the sum of squares.
    assert reach(made, (0.0, 1.0)) == pytest.approx(math.sqrt(1 / 25 + 1 / 25))
    assert reach(made, (-1.0, 1.0)) == pytest.approx(2 * math.sqrt(2 / 25))


def test_no_bound_is_further_off_than_values_in_their_range_allow():
    rng = np.random.default_rng(5)
    row, column = (code.ravel() for code in np.indices((40, 40)))
    values = ((row < 3) & (rng.random(1600) < 0.9)).astype(float)  # three of 40 clusters carry everything
    found = clustered_mean(values, (row.astype(str), column.astype(str)), value_range=(0.0, 1.0))
    for level in (0.05, 1e-4, 1e-9):
        furthest = math.sqrt((1 / 40 + 1 / 40 + 1 / 1600) * math.log(1 / level) / 2)
        assert found.high_at(level) <= found.estimate + furthest + 1e-12
        assert found.low_at(level) <= found.estimate <= found.high_at(level)


def test_a_mean_is_further_off_than_its_reach_no_oftener_than_told():
    rng = np.random.default_rng(9)
    row, column = (code.ravel() for code in np.indices((10, 10)))
    beyond = 0
    made = Table.build(row, column, np.zeros(100), (10, 10))
    furthest = reach(made, (0.0, 1.0)) * math.sqrt(math.log(1 / 0.3) / 2)
    for _ in range(2000):  # rows alone decide: the worst that two factors can do
        values = np.repeat((rng.random(10) < 0.5).astype(float), 10)
        beyond += values.mean() - 0.5 > furthest
    assert beyond / 2000 <= 0.3
