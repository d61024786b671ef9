"""Sequential bounds: the crossing law by simulation, alpha under continuous looking, a twin, and invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.concordance import concordance
from rootfruit_checks.stats.confidence_sequence import crossing, intercept_of, multiplier, quantiles, sequential

LEVELS = st.floats(1e-6, 0.45)
SHARES = st.floats(0.05, 1.0)


def test_the_line_is_crossed_as_often_as_the_formula_says() -> None:
    rng = np.random.default_rng(1)
    steps, runs = 2000, 4000
    path = np.cumsum(rng.standard_normal((runs, steps)) / math.sqrt(steps), axis=1)
    at = np.arange(1, steps + 1) / steps
    for slope in (0.0, 1.0):
        # Between grid points a walk may cross unseen: its line is lower by 0.5826 / sqrt(steps) (Siegmund 1985).
        line = 1.2 - 0.5826 / math.sqrt(steps) + slope * at
        hits = int((path >= line).any(axis=1).sum())
        assert stats.binomtest(hits, runs, crossing(1.2, slope)).pvalue > 0.001


def test_without_a_slope_it_is_the_reflection_principle() -> None:
    assert crossing(1.96, 0.0) == pytest.approx(2 * stats.norm.sf(1.96))
    assert intercept_of(0.05, 0.0) == pytest.approx(stats.norm.isf(0.025))


def test_the_price_at_the_last_look() -> None:
    assert multiplier(0.05, 1.0) / stats.norm.isf(0.05) == pytest.approx(1.346, abs=0.002)


def _ever(values: NDArray[np.float64], planned: int) -> tuple[bool, bool]:
    """Whether the upper, and the lower, bound of the package's own interval was beyond 0 at any look."""
    up = low = False
    clusters, other = values.shape
    for n in range(10, clusters + 1):
        rows, columns = np.divmod(np.arange(n * other), other)
        factors = [rows.astype(str), columns.astype(str)][: 1 if other == 1 else 2]
        fixed = clustered_mean(values[:n].ravel(), factors, value_range=(-50.0, 50.0), resample=False)
        found = sequential(fixed, n / planned, 0.05)
        up, low = up or found.high < 0, low or found.low > 0
    return up, low


@pytest.mark.parametrize("other", [1, 12])
def test_alpha_is_kept_looking_after_every_cluster_with_random_effects_on_both_factors(other: int) -> None:
    rng = np.random.default_rng(other)
    runs = 300
    hits = np.zeros(2, dtype=int)
    for _ in range(runs):
        shape = (24, other)
        values = rng.standard_normal(shape) + 0.5 * rng.standard_normal((24, 1))
        values = values + (0.5 * rng.standard_normal((1, other)) if other > 1 else 0.0)
        hits += _ever(values, 24)
    for count in hits:
        assert stats.binomtest(int(count), runs, 0.05, "greater").pvalue > 0.005


def test_the_fixed_bound_looked_at_each_time_does_not_keep_alpha() -> None:
    # Were the looks harmless, the test above would show nothing.
    rng = np.random.default_rng(5)
    values = rng.standard_normal((2000, 100))
    hit = np.zeros(2000, dtype=bool)
    for n in range(10, 101):
        t = values[:, :n].mean(axis=1) / values[:, :n].std(axis=1, ddof=1) * math.sqrt(n)
        hit |= t > stats.t.isf(0.05, n - 1)
    assert hit.mean() > 0.15


def _t_mixture(t: float, n: int, alpha: float, weight: float) -> bool:
    """Whether the exact t-mixture (Lai 1976; Wang and Ramdas 2024) excludes 0: an e-value of at least 1 / alpha."""
    nu, grown = n - 1, 1.0 + n * weight
    ratio = (1.0 + t * t / nu) / (1.0 + t * t / (nu * grown))
    return math.log(ratio) * (nu + 1) / 2 - math.log(grown) / 2 >= -math.log(alpha)


def test_an_exact_t_mixture_agrees_on_clear_cases_and_is_wider_at_the_end() -> None:
    # The twin is valid beyond the plan too, and pays for it: at the last look its boundary lies further out.
    for n in (40, 100, 400):
        own = float(quantiles(0.05, 1.0, n - 1)[0])
        assert not _t_mixture(own, n, 0.10, 10.0 / n)
        assert _t_mixture(1.5 * own, n, 0.10, 10.0 / n)


def test_the_twin_and_ours_find_the_same_planted_effects() -> None:
    rng = np.random.default_rng(8)
    both = np.zeros((2, 2), dtype=int)
    for effect in (0.0, 1.5):
        for _ in range(100):
            values = rng.standard_normal(40) + effect
            ours = twin = False
            for n in range(10, 41):
                t = float(values[:n].mean() / values[:n].std(ddof=1) * math.sqrt(n))
                ours = ours or t > float(quantiles(0.05, n / 40, n - 1)[0])
                twin = twin or (t > 0 and _t_mixture(t, n, 0.10, 10.0 / 40))
            both[int(effect > 0)] += (ours, twin)
    assert both[1].min() == 100
    assert both[0].max() <= 12


@given(LEVELS, LEVELS, SHARES)
def test_a_stricter_level_gives_wider_bounds(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    assert multiplier(low, share) >= multiplier(high, share) - 1e-9


@given(LEVELS, SHARES)
def test_never_narrower_than_the_fixed_bound(level: float, share: float) -> None:
    assert multiplier(level, share) >= stats.norm.isf(level) - 1e-9


@given(LEVELS, SHARES, st.floats(-3, 3), st.integers(9, 500))
def test_skewness_only_widens_and_its_sign_tells_the_side(level: float, share: float, skew: float, df: int) -> None:
    plain, leaning, other = (quantiles(level, share, df, s) for s in (0.0, skew, -skew))
    assert min(leaning) >= plain[0]
    assert leaning == other[::-1]


@given(st.permutations(range(24)), st.sampled_from([0.3, 0.6, 1.0]), st.integers(0, 20))
def test_the_order_and_names_of_clusters_do_not_matter(order: list[int], share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([-1.0, 0.0, 1.0], (24, 10))
    columns = np.tile(np.arange(10).astype(str), 24)
    rows = np.repeat(np.arange(24).astype(str), 10)
    one = sequential(clustered_mean(values.ravel(), [rows, columns]), share, 0.05)
    two = sequential(clustered_mean(values[order].ravel(), [rows, columns]), share, 0.05)
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


@given(st.integers(0, 50), SHARES)
def test_bounds_enclose_those_of_the_fixed_sample_and_flip_with_the_sign(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(10, 60))
    values = rng.choice([-1.0, 0.0, 1.0], (size, 3), p=[0.2, 0.7, 0.1]).ravel()
    rows = np.repeat(np.arange(size).astype(str), 3)
    fixed = clustered_mean(values, [rows])
    found = sequential(fixed, share, 0.05)
    assert found.low <= fixed.low
    assert found.high >= fixed.high
    assert found.method == "sequential"
    plain = clustered_mean(values, [rows], resample=False)
    one, other = (sequential(i, share, 0.05) for i in (plain, clustered_mean(-values, [rows], resample=False)))
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_concordance_takes_the_same_bounds() -> None:
    rng = np.random.default_rng(3)
    margins = rng.standard_normal(40) + np.repeat([1.0, 0.0], 20)
    names = [f"p{at}" for at in range(40)]
    fixed = concordance(margins, [True] * 20 + [False] * 20, ["a"] * 40, names)
    found = sequential(fixed, 0.5, 0.05)
    assert found.low < fixed.low < found.estimate < fixed.high <= found.high


def test_a_refused_interval_stays_refused() -> None:
    few = clustered_mean([0.0, 1.0] * 4, [list("abcdefgh")])
    assert sequential(few, 1.0, 0.05) is few


def test_no_variation_takes_the_exact_bound_at_every_look() -> None:
    # The samples without a deviation are nested: what 10 clusters exclude was settled before 20 were looked at.
    same = clustered_mean([0.0] * 20, [[str(at) for at in range(20)]], value_range=(0.0, 1.0))
    found = sequential(same, 0.5, 0.05)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert found.method == "sequential"


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01, math.nan])
def test_a_share_outside_the_plan_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        multiplier(0.05, share)
