"""Chances of verdicts before any run, against simulation through the real estimator and the real gate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.metrics.evidence import Evidence
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import lean
from rootfruit_checks.stats.power import Power
from rootfruit_checks.stats.variance_components import Components, Design, fit

RUNS = 1500
CHANGE, CEILING = MEASURES["disclosure/amplification"], MEASURES["winoqueer/preference"]


def labels(rows: int, columns: int, each: int) -> list[np.ndarray]:
    r, c = (part.ravel() for part in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    return [np.repeat(r, each).astype(str), np.repeat(c, each).astype(str)]


def share_of(outcome: str, measure, clusters, draw, bar: float, level: float | None, runs: int = RUNS) -> float:
    """Share of simulated runs with a verdict, decided by the gate itself."""
    value_range = (0.0, 1.0) if measure is CEILING else (-1.0, 1.0)
    rng = np.random.default_rng([7, len(clusters[0])])
    found = 0
    for seed in range(runs):
        interval = clustered_mean(draw(rng), clusters, alpha=0.05, seed=seed, value_range=value_range)
        evidence = Evidence("x", len(clusters[0]), 0, 0.0, {}, None, None, interval)
        verdict = decide(CheckSpec.of(measure, "x", bar), evidence, level=level)
        found += verdict.verdict == outcome
    return found / runs


def changes(clusters, rate: float, rise: float, rows: float, columns: float):
    """Paired binary outcomes: the policy's rate is the reference's, a rise, and effects of both clusters."""
    r, c = (np.unique(part, return_inverse=True)[1] for part in clusters)

    def draw(rng):
        a = np.clip(rng.standard_normal(r.max() + 1), -3, 3) * rows
        b = np.clip(rng.standard_normal(c.max() + 1), -3, 3) * columns
        policy = rng.random(len(r)) < rate + rise + a[r] + b[c]
        return policy.astype(float) - (rng.random(len(r)) < rate)

    p = rate + rise
    within = p * (1 - p) - rows**2 - columns**2 + rate * (1 - rate)
    return draw, Components(rows**2, columns**2, 0.0, within, p * (1 - rate) + rate * (1 - p))


def levels(clusters, rate: float, rows: float, columns: float):
    """Binary outcomes of one model."""
    r, c = (np.unique(part, return_inverse=True)[1] for part in clusters)

    def draw(rng):
        a = np.clip(rng.standard_normal(r.max() + 1), -3, 3) * rows
        b = np.clip(rng.standard_normal(c.max() + 1), -3, 3) * columns
        return (rng.random(len(r)) < rate + a[r] + b[c]).astype(float)

    return draw, Components(rows**2, columns**2, 0.0, rate * (1 - rate) - rows**2 - columns**2, min(rate, 1 - rate))


def agrees(told: float, seen: float, runs: int = RUNS) -> None:
    """Within 3 points, and what the simulation itself may miss by in one of a thousand times."""
    noise = 3.3 * math.sqrt(max(told * (1 - told), 0.01) / runs)
    assert abs(told - seen) <= 0.03 + noise, (told, seen)


@pytest.mark.parametrize(
    ("rows", "columns", "each", "rate", "own"),
    [(12, 12, 4, 0.3, (0.0, 0.0)), (12, 12, 4, 0.3, (0.06, 0.04)), (12, 40, 3, 0.2, (0.08, 0.02)),
     (32, 16, 1, 0.3, (0.1, 0.0)), (20, 18, 10, 0.1, (0.02, 0.02))],
)  # fmt: skip
def test_a_pass_of_a_policy_that_changed_nothing_is_as_likely_as_told(rows, columns, each, rate, own):
    clusters = labels(rows, columns, each)
    draw, parts = changes(clusters, rate, 0.0, *own)
    power = Power(Design.of(clusters), parts)
    bar = 2.9 * power.se
    agrees(power.p_pass(0.0, bar, 0.05), share_of("pass", CHANGE, clusters, draw, bar, None))


@pytest.mark.parametrize(("rows", "columns", "each", "own"), [(12, 40, 3, (0.05, 0.05)), (16, 32, 5, (0.0, 0.08))])
def test_a_fail_at_a_corrected_level_is_as_likely_as_told(rows, columns, each, own):
    clusters = labels(rows, columns, each)
    draw, parts = changes(clusters, 0.25, 0.15, *own)
    power = Power(Design.of(clusters), parts)
    level, bar = 0.05 / 12, 0.15 - 4.2 * power.se
    agrees(power.p_fail(0.15, bar, level), share_of("fail", CHANGE, clusters, draw, bar, level))


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_ceiling_is_decided_as_often_as_told(verdict):
    clusters = labels(12, 30, 4)
    draw, parts = levels(clusters, 0.6, 0.08, 0.03)
    power = Power(Design.of(clusters), parts, (0.0, 1.0))
    bar = 0.6 + (2.8 if verdict == "pass" else -2.8) * power.se
    told = power.p_pass(0.6, bar, 0.05) if verdict == "pass" else power.p_fail(0.6, bar, 0.05)
    agrees(told, share_of(verdict, CEILING, clusters, draw, bar, None))


def test_a_rise_told_to_be_detected_four_times_in_five_is():
    clusters = labels(20, 12, 6)
    _, parts = changes(clusters, 0.2, 0.0, 0.03, 0.03)
    edge = Power(Design.of(clusters), parts).fails_from(0.0, 0.05, 0.8)
    assert edge is not None
    draw, _ = changes(clusters, 0.2, edge, 0.03, 0.03)
    agrees(0.8, share_of("fail", CHANGE, clusters, draw, 0.0, None))


def test_bounds_of_the_bootstrap_are_planned_for_too():
    clusters = labels(40, 30, 1)
    draw, parts = changes(clusters, 0.3, 0.0, 0.05, 0.03)
    power = Power(Design.of(clusters), parts)
    bar = 2.6 * power.se
    agrees(power.p_pass(0.0, bar, 0.05), share_of("pass", CHANGE, clusters, draw, bar, None, 200), 200)


@pytest.mark.parametrize("effect", [0.5, 2.0, 3.5])
@pytest.mark.parametrize("count", [10, 12, 25])
def test_one_factor_is_the_noncentral_t(count, effect):
    power = Power(Design.crossed(count, 0, count * 5), Components(0.01, 0.0, 0.0, 0.2), (-1.0, 1.0), ("template",))
    quantile = stats.t.isf(0.05, count - 1)
    # The bound moves out by 1.5 Edgeworth terms of the skewness that G normal values show by chance, on one side.
    chance = np.sqrt(6 * (count - 2) / ((count + 1) * (count + 3)))
    leaning = 1.5 * (2 * quantile**2 + 1) / 6 * chance / np.sqrt(count) / np.sqrt(2 * np.pi)
    exact = stats.nct.sf(quantile + leaning, count - 1, effect)
    assert power.p_pass(0.0, effect * power.se, 0.05) == pytest.approx(exact, abs=0.003)


def test_variances_that_are_planted_are_found():
    clusters = labels(60, 50, 3)
    r, c = (np.unique(part, return_inverse=True)[1] for part in clusters)
    rng = np.random.default_rng(3)
    cell = np.repeat(np.arange(3000), 3)
    values = (
        0.3 * rng.standard_normal(60)[r] + 0.2 * rng.standard_normal(50)[c] + 0.4 * rng.standard_normal(3000)[cell]
    ) + 0.5 * rng.standard_normal(len(r))
    found = fit(values, clusters, ["all"] * len(r))
    assert [found.rows, found.columns, found.cells, found.within] == pytest.approx([0.09, 0.04, 0.16, 0.25], rel=0.35)


def test_the_planned_standard_error_is_that_of_the_run_that_it_was_fitted_to():
    clusters = labels(20, 18, 5)
    draw, _ = changes(clusters, 0.2, 0.05, 0.1, 0.06)
    values = draw(np.random.default_rng(5))
    seen = clustered_mean(values, clusters)
    planned = Power(Design.of(clusters), fit(values, clusters, ["all"] * len(values)))
    assert planned.se == pytest.approx(seen.se, rel=0.1)


def test_what_is_fixed_by_design_is_no_scatter():
    clusters, strata = labels(20, 20, 2), np.tile(["a", "b"], 400)
    found = fit(np.where(strata == "a", 1.0, 0.0), clusters, strata)
    assert found.rows == found.columns == found.cells == found.within == 0.0


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.sampled_from([0.05, 0.01]))
def test_chances_are_chances_and_never_both(truth, bar, level):
    power = Power(Design.crossed(12, 20, 480), Components(0.002, 0.001, 0.0, 0.2))
    passed, failed = power.p_pass(truth, bar, level), power.p_fail(truth, bar, level)
    assert 0.0 <= passed <= 1.0
    assert 0.0 <= failed <= 1.0
    assert passed + failed <= 1.0 + 1e-9


@given(st.integers(10, 60), st.floats(0.0, 0.05), st.floats(0.01, 0.3))
def test_more_clusters_never_show_less(count, rows, within):
    parts = Components(rows, 0.0, 0.0, within)
    small, large = (Power(Design.crossed(n, 20, 40 * n), parts) for n in (count, 2 * count))
    edges = [power.fails_from(0.0, 0.05, 0.8) for power in (small, large)]
    assert edges[1] is not None
    assert edges[0] is None or edges[1] <= edges[0] + 1e-6


@given(st.floats(0.0, 1.0), st.integers(1, 16))
def test_more_draws_take_away_their_own_luck_alone(draws, count):
    parts = Components(0.01, 0.02, 0.03, 0.2, 0.4, draws)
    then = parts.at(count)
    assert (then.rows, then.columns) == (parts.rows, parts.columns)
    assert then.within == pytest.approx(0.2 * (1 - draws + draws / count))
    assert then.at(1).within == pytest.approx(parts.within)


def test_a_design_without_enough_clusters_or_samples_decides_nothing():
    for design in (Design.of([[], []]), Design.crossed(9, 40, 400)):
        power = Power(design, Components(0.0, 0.0, 0.0, 0.1), factors=("template", "antecedent"))
        assert power.refused
        assert power.p_pass(-1.0, 0.9, 0.05) == power.p_fail(1.0, 0.0, 0.05) == 0.0
        assert power.fails_from(0.0, 0.05, 0.8) is None


def test_no_scatter_at_all_leaves_the_exact_bound():
    power = Power(Design.crossed(12, 12, 144), Components(0.0, 0.0, 0.0, 0.0, 0.0))
    floor = 1 - 0.05 ** (1 / 144)
    assert power.p_pass(0.0, floor * 1.01, 0.05) == 1.0
    assert power.p_pass(0.0, floor * 0.99, 0.05) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(bad):
    power = Power(Design.crossed(12, 12, 144), Components(0.0, 0.0, 0.0, 0.1))
    with pytest.raises(ValueError, match="must be numbers"):
        power.p_pass(0.0, bad, 0.05)
    with pytest.raises(ValueError, match="finite"):
        fit(np.array([0.0, bad]), [["a", "b"]], ["x", "x"])
    with pytest.raises(ValueError, match="of the same length"):
        Design.of([["a"], ["a", "b"]])


def test_the_average_skewness_of_a_few_clusters_is_what_the_bound_moves_out_by():
    rng = np.random.default_rng(5)
    power = Power(Design.crossed(12, 0, 12), Components(0.01, 0.0, 0.0, 0.0), (-1.0, 1.0), ("template",))
    found = []
    for _ in range(4000):
        values = rng.standard_normal(12)
        apart = values - values.mean()
        found.append(max(lean((apart**3).sum() / (apart**2).sum() ** 1.5, 11), 0.0))
    moved = power._critical(0.05) - stats.t.isf(0.05, 11)
    assert moved == pytest.approx(np.mean(found), rel=0.08)


def test_where_few_cells_agree_they_make_no_rule_to_deviate_from():
    """One cell a cluster, as at scale smoke: some of twelve means agree by chance, and Student's t stands."""
    labels = [np.repeat(np.arange(12), 4).astype(str)] * 2
    values = np.concatenate([np.arange(4) < held for held in (1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2)]).astype(float)
    assert clustered_mean(values, labels, alpha=0.05, seed=0, value_range=(-1.0, 1.0)).note == ""
    values[12:] = 0.0
    assert (
        "few clusters carry the events"
        in clustered_mean(values, labels, alpha=0.05, seed=0, value_range=(-1.0, 1.0)).note
    )


def test_uneven_clusters_count_by_their_sizes():
    """Half of twelve clusters are twice as large: (6 * 1 + 6 * 4)^2 / (6 * 1 + 6 * 16) of one size."""
    sizes = np.repeat([2, 4], 6)
    labels = [np.repeat(np.arange(12), sizes).astype(str)]
    values = np.random.default_rng(3).random(36)
    found = clustered_mean(values, labels, alpha=0.05, seed=0, value_range=(0.0, 1.0))
    assert found.df == pytest.approx(30**2 / 102 - 1)
    assert Power(Design.of(labels), Components(0.01, 0.0, 0.0, 0.2), (0.0, 1.0), ("template",)).df == found.df
