"""Levels for families of checks: against statsmodels, closed forms, and simulated families."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import Scores
from rootfruit_checks.stats.multiplicity import max_t_level, step_levels

pytestmark = pytest.mark.filterwarnings("error")
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=15)


@given(p_values, st.sampled_from(["holm", "bh"]), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_check_rejects_at_its_level_exactly_where_statsmodels_rejects(values, way, alpha):
    method = {"holm": "holm", "bh": "fdr_bh"}[way]
    # It collects garbage on every call, which takes half a second each once a whole suite is in memory.
    with mock.patch("gc.collect"):
        expected = multipletests(values, alpha, method)[0]
    found = np.asarray(values) <= step_levels(values, alpha, way)
    # At a p-value on the very edge the two may round differently.
    edges = (
        alpha / np.arange(1, len(values) + 1) if way == "holm" else alpha * np.arange(1, len(values) + 1) / len(values)
    )
    if np.abs(np.subtract.outer(values, edges)).min() > 1e-12:
        assert found.tolist() == expected.tolist()


@given(p_values, st.sampled_from(["holm", "bh"]), st.randoms())
def test_order_does_not_matter(values, way, random):
    order = list(range(len(values)))
    random.shuffle(order)
    straight = dict(zip(range(len(values)), step_levels(values, 0.05, way), strict=True))
    shuffled = dict(zip(order, step_levels([values[i] for i in order], 0.05, way), strict=True))
    distinct = len(set(values)) == len(values)
    if distinct:
        assert straight == shuffled
    else:  # equal p-values may swap their steps, never their fate
        assert [values[i] <= straight[i] for i in straight] == [values[i] <= shuffled[i] for i in straight]


def test_levels_lie_between_bonferroni_and_alpha():
    values = [0.001, 0.01, 0.02, 0.04, 0.9]
    for way in ("holm", "bh"):
        assert all(0.01 - 1e-12 <= level <= 0.05 + 1e-12 for level in step_levels(values, 0.05, way))


def test_p_values_outside_their_range_are_named():
    with pytest.raises(ValueError, match=r"not all in"):
        step_levels([0.5, float("nan")], 0.05, "holm")


def scores(labels, seed, factor="name"):
    values = np.random.default_rng(seed).normal(size=len(labels))
    return (Scores(factor, np.asarray(labels), values - values.mean()),)


def test_one_check_needs_no_correction():
    assert max_t_level([scores(["a", "b", "c"], 1)], 0.05) == 0.05


def test_unrelated_checks_get_sidaks_level():
    family = [scores([f"{check}-{i}" for i in range(40)], check) for check in range(12)]
    sidak = 1 - 0.95 ** (1 / 12)
    assert max_t_level(family, 0.05) == pytest.approx(sidak, rel=0.12)
    assert max_t_level([], 0.05, others=12) == pytest.approx(sidak, rel=0.12)
    assert max_t_level([()] * 12, 0.05) == pytest.approx(sidak, rel=0.12)


def test_copies_of_one_check_need_no_correction():
    labels = [f"n{i}" for i in range(40)]
    assert max_t_level([scores(labels, 1)] * 12, 0.05) == pytest.approx(0.05, rel=0.08)


def test_what_a_stigmatizing_predicate_is_called_makes_no_other_cluster_of_it():
    labels = [f"n{i}" for i in range(40)]
    same = [scores(labels, 1, "predicate"), scores(labels, 1, "stigmatizing predicate")]
    assert max_t_level(same, 0.05) == pytest.approx(0.05, rel=0.08)
    other = [scores(labels, 1, "predicate"), scores(labels, 1, "name")]
    assert max_t_level(other, 0.05) == pytest.approx(1 - 0.95**0.5, rel=0.1)


@given(st.integers(2, 8), st.integers(0, 5), st.sampled_from([0.01, 0.05, 0.1]))
def test_max_t_lies_between_bonferroni_and_alpha(checks, others, alpha):
    family = [scores([f"n{i}" for i in range(10 + check)], check) for check in range(checks)]
    assert alpha / (checks + others) <= max_t_level(family, alpha, others=others) <= alpha


def test_the_same_seed_gives_the_same_level():
    family = [scores([f"n{i}" for i in range(30)], check) for check in range(5)]
    assert max_t_level(family, 0.05, seed=3) == max_t_level(family, 0.05, seed=3)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_a_family_of_true_nulls_seldom_names_a_failure(shared):
    """Six checks over the same 40 names, truth at the limit: any named failure in at most alpha of the runs."""
    rng = np.random.default_rng(5)
    runs, failures, naive, checks = 250, 0, 0, 6
    labels = np.repeat([f"n{i}" for i in range(40)], 6)
    for _ in range(runs):
        common = rng.normal(size=40)
        own = rng.normal(size=(checks, 40))
        effect = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        found = [
            clustered_mean((np.repeat(one, 6) + rng.normal(size=240) > 0).astype(float), [labels], value_range=(0, 1))
            for one in effect
        ]
        level = max_t_level([one.scores for one in found], 0.05)
        failures += any(one.low_at(level) > 0.5 for one in found)
        naive += any(one.low > 0.5 for one in found)
    assert failures <= stats.binom.ppf(0.999, runs, 0.05)
    assert naive > failures
