"""The core of both estimators: a ratio of sums over a two-way table of clusters, its variance and its bootstrap.

A mean of rows clustered by two factors and a two-sample U-statistic over two sets of predicates have one shape: a
table `sums[r, c]` with `weights[r, c]`, whose estimate is `sums.sum() / weights.sum()`. The last row and column are
for values outside that factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.influence import carrying_clusters, deviating, reach, tails
from rootfruit_checks.stats.intervals import (
    BOOTSTRAP_CLUSTERS,
    FEWEST_CLUSTERS,
    REPLICATES,
    Floats,
    Interval,
    Law,
    Method,
    Scores,
    check_alpha,
    effective,
    lean,
    refusal,
    skewness,
    too_few,
)

_BATCH = 2_000_000
_BLOCK = 50_000
# Beyond this many clusters the bootstrap and Student's t agree to well under a thousandth of a standard error.
_MOST_CLUSTERS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """By replicate, shape (B,): estimate, variance, and the one-way and cell variances that it consists of."""

    estimate: Floats
    variance: Floats
    rows: Floats
    columns: Floats
    cells: Floats


def _factor(count: int) -> float:
    return count / (count - 1) if count > 1 else 1.0


def _side_by_side(parts: Sequence[Any]) -> Any:
    """Concatenate several tables, so that one product gives the sums of all."""
    return sparse.csr_array(sparse.hstack(parts)) if sparse.issparse(parts[0]) else np.hstack(parts)


class _Core:
    """Powers of the table, computed once and used for the estimate and every replicate."""

    def __init__(self, table: Table) -> None:
        self.table = table
        rows, columns = table.shape
        sums, weights = table.sums[:rows, :columns], table.weights[:rows, :columns]
        self.squares = _side_by_side([sums * sums, sums * weights, weights * weights])
        inner = int((weights != 0).sum())
        self.sizes = [
            np.asarray(table.weights.sum(axis=axis)).ravel()[:count]
            for axis, count in ((1, rows), (0, columns))
            if count
        ]
        self.factors = (_factor(rows), _factor(columns), _factor(inner))

    def moments(self, u: Floats, v: Floats) -> _Moments:
        """Weight row clusters by `u` (B, rows) and column clusters by `v` (B, columns): counts of a resample.

        A cluster drawn twice is two clusters, so its square is added twice: sum of u_r e_r^2, e_r its weighted score.
        """
        table = self.table
        rows, columns = table.shape
        one = np.ones((len(u), 1))
        full_u, full_v = np.hstack([u, one]), np.hstack([v, one])
        by_row, weight_row = full_v @ table.sums.T, full_v @ table.weights.T
        by_column, weight_column = full_u @ table.sums, full_u @ table.weights
        total = (full_u * weight_row).sum(axis=1)
        safe = np.where(total > 0, total, 1.0)
        mean = (full_u * by_row).sum(axis=1) / safe
        at = mean[:, None]
        row_score = (by_row - at * weight_row)[:, :rows]
        column_score = (by_column - at * weight_column)[:, :columns]
        scale = safe**2
        var_rows = self.factors[0] * np.einsum("ij,ij,ij->i", u, row_score, row_score) / scale
        var_columns = self.factors[1] * np.einsum("ij,ij,ij->i", v, column_score, column_score) / scale
        products = np.asarray(u @ self.squares).reshape(len(u), 3, columns)
        square, cross, weight = np.einsum("ikj,ij->ki", products, v)
        cells = self.factors[2] * np.maximum(square - 2 * mean * cross + mean**2 * weight, 0.0) / scale
        both = var_rows + var_columns - (cells if table.subtract else 0.0)
        # By chance the three-term estimate may be below a one-way one, even below zero. The largest of the three is
        # then the honest estimate (MacKinnon, Nielsen and Webb 2024).
        variance = np.maximum(both, np.maximum(var_rows, var_columns))
        lost = total <= 0
        return _Moments(np.where(lost, np.nan, mean), np.where(lost, np.nan, variance), var_rows, var_columns, cells)

    def in_blocks(self, u: Floats, v: Floats, block: int) -> _Moments:
        """Return `moments`, computed for `block` replicates at a time so that their tables stay in the cache."""
        found = [self.moments(u[at : at + block], v[at : at + block]) for at in range(0, len(u), block)]
        return _Moments(*(np.concatenate([getattr(one, name) for one in found]) for name in _Moments.__slots__))

    def scores(self, estimate: float, factors: tuple[str, ...], labels: Sequence[NDArray[Any]]) -> tuple[Scores, ...]:
        """Return the contribution of each cluster to the estimate's error, by factor."""
        table = self.table
        apart = (table.sums - estimate * table.weights) / float(table.weights.sum())
        sums = (np.asarray(apart.sum(axis=1)).ravel(), np.asarray(apart.sum(axis=0)).ravel())
        return tuple(
            Scores(factor, kinds, values[: len(kinds)])
            for factor, kinds, values in zip(factors, labels, sums, strict=False)
        )


def interval(
    table: Table,
    labels: Sequence[NDArray[Any]],
    factors: tuple[str, ...],
    *,
    alpha: float,
    seed: int,
    value_range: tuple[float, float],
    resample: bool = True,
) -> Interval:
    """Return the estimate of a table and its bounds.

    Args:
        table: the cells; its rows are the first factor.
        labels: by factor the real clusters in the order of the table, for df, refusal and the choice of method; empty
            if a factor is not used.
        factors: names of the factors, for messages.
        alpha: each one-sided bound holds at 1 - alpha.
        seed: seed of the bootstrap.
        value_range: the range of a single value; bounds are clipped to it.
        resample: whether the bootstrap may be used.

    """
    check_alpha(alpha)
    core = _Core(table)
    rows, columns = table.shape
    found = core.moments(np.ones((1, rows)), np.ones((1, columns)))
    estimate, variance = float(found.estimate[0]), float(found.variance[0])
    counts = tuple(len(kinds) for kinds in labels)
    reason = too_few(counts, factors)
    if reason:
        return refusal(estimate, counts, reason)
    df, se = min(effective(one) for one in core.sizes) - 1.0, math.sqrt(variance)
    tiny = (1e-12 * (value_range[1] - value_range[0])) ** 2
    method: Method = "t"
    note, ratios, residual = "", None, float(found.cells[0]) if table.subtract else math.nan
    few = min(count for count in counts if count)
    uneven = 2.0 * (df + 1.0) < few
    heavy, wide, extra = math.nan, (False, False), 0.0
    scores = core.scores(estimate, factors, labels) if variance > tiny else ()
    # Nearly all cells have the same value, so the variance rests on a handful: never be narrower than the bound for a
    # column without any variation.
    rare = deviating(table) < FEWEST_CLUSTERS
    cells = table.independent if rare else 0
    if variance <= tiny:
        method, se, residual, cells = "exact", 0.0, 0.0, table.independent
        note = (
            f"no variation between clusters: exact bound for 0 deviations in {table.independent} independent cells, "
            "1 - alpha^(1/cells) of the range"
        )
    else:
        ratios = _ratios(core, estimate, counts, seed, tiny) if resample else None
        # If many resamples have no variation, events are so rare that few clusters carry them.
        carrying = carrying_clusters(scores)
        if rare or (ratios is not None and float(np.mean(~np.isfinite(ratios))) >= alpha / 2):
            ratios, df = None, min(df, carrying - 1.0)
            note = f"few clusters carry the events: Student's t with {df:.1f} degrees of freedom"
        elif ratios is not None:
            method = "bootstrap"
            # Normal scores give a third of the clusters. In uneven clusters, a few large ones dominate.
            if 2.0 * carrying < few:
                heavy = carrying - 1.0
                wide = (True, True) if uneven or 8.0 * carrying < few else tails(table, estimate, scores)
    # If few clusters carry the events, their degrees of freedom already account for any skewness.
    skew = 0.0 if note else skewness(scores)
    if uneven and wide == (True, True):
        extra = abs(lean(skew, heavy))
    law = Law(df, ratios, cells, value_range, skew, heavy, wide, extra, reach(table, value_range))
    low, high = law.bounds(estimate, se, alpha)
    parts = (float(found.rows[0]), float(found.columns[0]))[: len(counts)]
    return Interval(
        estimate,
        se,
        math.nan if method == "bootstrap" else df,
        low,
        high,
        counts,
        method,
        note,
        parts,
        residual,
        law,
        scores,
    )


def _ratios(core: _Core, estimate: float, counts: tuple[int, ...], seed: int, tiny: float) -> Floats | None:
    """Return the bootstrap's sorted ratios, or None if there are too few clusters for it or more than needed."""
    if min(count for count in counts if count) < BOOTSTRAP_CLUSTERS or max(counts) > _MOST_CLUSTERS:
        return None
    return _studentized(core, estimate, seed, tiny)


def _studentized(core: _Core, estimate: float, seed: int, tiny: float) -> Floats:
    """Return the sorted ratios (estimate* - estimate) / se* of the pigeonhole bootstrap (Owen 2007).

    Row and column clusters are drawn independently with replacement; a cell's weight is the product of its counts.
    The ratio of a resample without variation is infinite.
    """
    rows, columns = core.table.shape
    block = max(32, _BLOCK // (rows + columns + 2))
    found = []
    for u, v in _resamples(seed, rows, columns):
        moments = core.in_blocks(u, v, block)
        gap = moments.estimate - estimate
        fine = moments.variance > tiny
        ratio = np.where(fine, gap / np.sqrt(np.where(fine, moments.variance, 1.0)), np.copysign(np.inf, gap))
        found.append(np.where(np.isnan(ratio), np.inf, ratio))
    return np.sort(np.concatenate(found))


def _resamples(seed: int, rows: int, columns: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield how often the clusters of each factor are drawn, REPLICATES times in total, in batches of bounded size."""
    batch = max(1, _BATCH // (rows + columns + 2))
    if batch >= REPLICATES:
        yield _resample(seed, rows, columns)
        return
    rng = _generator(seed)
    for start in range(0, REPLICATES, batch):
        size = min(batch, REPLICATES - start)
        yield _counts(rng, rows, size), _counts(rng, columns, size)


@lru_cache(maxsize=4)
def _resample(seed: int, rows: int, columns: int) -> tuple[Floats, Floats]:
    """One batch, cached: the checks of a run share one seed, and many of them have equally many clusters."""
    rng = _generator(seed)
    found = _counts(rng, rows, REPLICATES), _counts(rng, columns, REPLICATES)
    for part in found:
        part.setflags(write=False)
    return found


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, 0x5EED])


def _counts(rng: np.random.Generator, clusters: int, size: int) -> Floats:
    """How often each cluster is drawn, shape (size, clusters). Counting draws is ten times as fast as a multinomial."""
    if clusters == 0:
        return np.zeros((size, 0))
    drawn = rng.integers(0, clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters).astype(np.float64)
