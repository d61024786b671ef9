"""A light look at error rates; the calibration proper has its own bench. Bands are generous, seeds are fixed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.concordance import concordance

pytestmark = pytest.mark.filterwarnings("error")
RUNS = 300
# With a true miss rate of 7 % no more than these of 300 runs miss, but for one time in a thousand: t with few clusters
# is known to be a little liberal, never as much as row-wise bounds are.
MOST = stats.binom.ppf(0.999, RUNS, 0.07)


def misses(bounds, truth):
    low, high = np.array(bounds).T
    return int((low > truth).sum()), int((high < truth).sum())


@pytest.mark.parametrize(
    ("rows", "columns", "spread"), [(12, 16, 0.5), (32, 16, 0.5), (32, 16, 0.0), (40, 40, 0.5), (40, 40, 0.0)]
)
def test_bounds_on_a_binary_mean_with_two_random_factors(rows, columns, spread):
    rng = np.random.default_rng([rows, columns])
    first, second = (part.ravel() for part in np.meshgrid(range(rows), range(columns), indexing="ij"))
    bounds, naive = [], []
    for _ in range(RUNS):
        drift = rng.normal(0, spread, rows)[first] + rng.normal(0, spread, columns)[second]
        values = (drift + rng.normal(size=len(first)) > 0).astype(float)
        found = clustered_mean(values, [first, second], value_range=(0, 1))
        bounds.append((found.low, found.high))
        half = 1.645 * values.std(ddof=1) / np.sqrt(len(values))
        naive.append((values.mean() - half, values.mean() + half))
    below, above = misses(bounds, 0.5)
    assert max(below, above) <= MOST
    if spread:
        assert sum(misses(naive, 0.5)) > 3 * max(1, below + above)


def test_bounds_on_a_rare_difference_with_blanks():
    # Rows that name nobody beside rows that do; flips are rare and belong to predicates.
    rng = np.random.default_rng(3)
    predicate = np.tile(np.arange(60), 12)
    name = np.where(np.arange(720) % 3 == 0, np.char.add("n", (np.arange(720) % 31).astype(str)), "")
    bounds = []
    for _ in range(RUNS):
        moved = rng.random(60) < 0.25
        values = np.where(moved[predicate], rng.choice([-1.0, 0.0, 1.0], size=720), 0.0)
        found = clustered_mean(values, [predicate, name])
        bounds.append((found.low, found.high))
    assert max(misses(bounds, 0.0)) <= MOST


@pytest.mark.parametrize(("stigma", "control"), [(15, 12), (50, 40)])
def test_bounds_on_concordance(stigma, control):
    rng = np.random.default_rng(stigma)
    predicate = np.tile(np.arange(stigma + control), 6)
    cell = np.repeat(np.arange(6), stigma + control)
    bounds = []
    for _ in range(RUNS):
        margins = rng.normal(size=stigma + control)[predicate] + rng.normal(size=len(cell))
        found = concordance(margins, predicate < stigma, cell, predicate)
        bounds.append((found.low, found.high))
    assert max(misses(bounds, 0.5)) <= MOST
