"""The core of both estimators: a ratio of sums over a two-way table of clusters, its variance and its bootstrap.

A mean of rows clustered by two factors and a two-sample U-statistic over two sets of predicates have one shape: a
table `sums[r, c]` with `weights[r, c]`, whose estimate is `sums.sum() / weights.sum()`. The last row and column hold
what takes no part in that factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rootfruit_checks.stats.estimate import (
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

_DENSE = 4_000_000
_BATCH = 2_000_000
# Beyond this many clusters the bootstrap and Student's t agree to well under a thousandth of a standard error.
_MOST_CLUSTERS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Sums and weights by cell, shape (rows + 1, columns + 1): the last row and column are "outside the factor".

    `subtract` tells whether cells were counted in both one-way variances and must be taken out once (Cameron, Gelbach
    and Miller 2011), or not (DeLong 1988: rows and columns are different samples).
    `independent` is how many independent cells an exact bound may count on.
    """

    sums: Any
    weights: Any
    subtract: bool
    independent: int

    @classmethod
    def build(cls, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats, shape: tuple[int, int]) -> Table:
        """Tabulate values by codes; code -1 means outside the factor. `shape` is (row clusters, column clusters)."""
        size = (shape[0] + 1, shape[1] + 1)
        flat = np.where(rows < 0, shape[0], rows) * size[1] + np.where(columns < 0, shape[1], columns)
        cells, where = np.unique(flat, return_inverse=True)
        sums = np.bincount(where, weights=values, minlength=len(cells))
        counts = np.bincount(where, minlength=len(cells)).astype(np.float64)
        place = np.divmod(cells, size[1])
        tables = [sparse.csr_array((data, place), shape=size) for data in (sums, counts)]
        if size[0] * size[1] <= _DENSE:
            tables = [table.toarray() for table in tables]
        return cls(tables[0], tables[1], subtract=True, independent=len(cells))

    @property
    def shape(self) -> tuple[int, int]:
        """Clusters of the row and of the column factor."""
        return self.sums.shape[0] - 1, self.sums.shape[1] - 1


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """By replicate, shape (B,): estimate, variance, and the one-way and cell variances that it is made of."""

    estimate: Floats
    variance: Floats
    rows: Floats
    columns: Floats
    cells: Floats


def _factor(count: int) -> float:
    return count / (count - 1) if count > 1 else 1.0


class _Core:
    """The table's powers, made once and used for the estimate and every replicate."""

    def __init__(self, table: Table) -> None:
        self.table = table
        rows, columns = table.shape
        sums, weights = table.sums[:rows, :columns], table.weights[:rows, :columns]
        self.squares = (sums * sums, sums * weights, weights * weights)
        inner = int((weights != 0).sum())
        self.sizes = [
            np.asarray(table.weights.sum(axis=axis)).ravel()[:count]
            for axis, count in ((1, rows), (0, columns))
            if count
        ]
        self.factors = (_factor(rows), _factor(columns), _factor(inner))

    def moments(self, u: Floats, v: Floats) -> _Moments:
        """Weigh row clusters by `u` (B, rows) and column clusters by `v` (B, columns): counts of a resample.

        A cluster drawn twice is two clusters, so its square enters twice: sum of u_r e_r^2, e_r its weighted score.
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
        var_rows = self.factors[0] * (u * row_score**2).sum(axis=1) / scale
        var_columns = self.factors[1] * (v * column_score**2).sum(axis=1) / scale
        square, cross, weight = (((u @ part) * v).sum(axis=1) for part in self.squares)
        cells = self.factors[2] * np.maximum(square - 2 * mean * cross + mean**2 * weight, 0.0) / scale
        both = var_rows + var_columns - (cells if table.subtract else 0.0)
        # The three-term estimate may fall below a one-way one, even below zero, by chance alone. The largest of the
        # three is then the honest one (MacKinnon, Nielsen and Webb 2024).
        variance = np.maximum(both, np.maximum(var_rows, var_columns))
        lost = total <= 0
        return _Moments(np.where(lost, np.nan, mean), np.where(lost, np.nan, variance), var_rows, var_columns, cells)

    def scores(self, estimate: float, factors: tuple[str, ...], labels: Sequence[NDArray[Any]]) -> tuple[Scores, ...]:
        """Return what each cluster adds to the error of the estimate, by factor."""
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
    limits: tuple[float, float],
    resample: bool = True,
) -> Interval:
    """Return the estimate of a table and its bounds.

    Args:
        table: the cells; its rows are the first factor.
        labels: by factor the real clusters in the order of the table, for df, refusal and the choice of method; none
            if a factor takes no part.
        factors: names of the factors, for messages.
        alpha: each one-sided bound holds at 1 - alpha.
        seed: seed of the bootstrap.
        limits: the range of a single value; bounds are kept inside it.
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
    tiny = (1e-12 * (limits[1] - limits[0])) ** 2
    method: Method = "t"
    both = uneven = False
    note, ratios, heavy, residual = "", None, math.nan, float(found.cells[0]) if table.subtract else math.nan
    # Nearly all cells show one value, so that the variance rests on a handful: never narrower than what a column
    # without any variation would get.
    rare = _deviating(table) < FEWEST_CLUSTERS
    cells = table.independent if rare else 0
    if variance <= tiny:
        method, se, residual, cells = "exact", 0.0, 0.0, table.independent
        note = (
            f"no variation between clusters: exact bound for 0 deviations in {table.independent} independent cells, "
            "1 - alpha^(1/cells) of the range"
        )
    else:
        ratios = _ratios(core, estimate, counts, seed, tiny) if resample else None
        # Where many resamples hold no variation, events are so rare that few clusters carry them.
        carrying = _carrying(core, estimate)
        if rare or (ratios is not None and float(np.mean(~np.isfinite(ratios))) >= alpha / 2):
            ratios, df = None, min(df, carrying - 1.0)
            note = f"few clusters carry the events: Student's t with {df:.1f} degrees of freedom"
        elif ratios is not None:
            method = "bootstrap"
            # Normal scores come to a third of the clusters. Uneven ones hold what a few of them do.
            few = min(count for count in counts if count)
            uneven = 2.0 * (df + 1.0) < few
            if carrying < few / (2 if uneven else 4):
                heavy, both = carrying - 1.0, uneven or carrying < few / 8
    parts = (float(found.rows[0]), float(found.columns[0]))[: len(counts)]
    scores = core.scores(estimate, factors, labels) if se > 0.0 else ()
    # Where few clusters carry the events, their degrees of freedom say all that a skewness could.
    skew = 0.0 if note else skewness(scores)
    extra = abs(lean(skew, heavy)) if both and uneven else 0.0
    law = Law(df, ratios, cells, limits, skew, heavy, both, extra)
    low, high = law.bounds(estimate, se, alpha)
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
    """Return the bootstrap's sorted ratios, or None where there are too few clusters for it or needlessly many."""
    if min(count for count in counts if count) < BOOTSTRAP_CLUSTERS or max(counts) > _MOST_CLUSTERS:
        return None
    return _studentized(core, estimate, seed, tiny)


def _deviating(table: Table) -> int:
    """Return how many clusters hold a cell that differs from the commonest cell value, in the factor with fewest.

    All of them where no value is held by more than a third of the cells: what a few show by chance is no rule.
    """
    rows, columns = table.shape
    places = table.weights.nonzero()
    ratio = np.round(np.asarray(table.sums[places]).ravel() / np.asarray(table.weights[places]).ravel(), 9)
    kinds, counts = np.unique(ratio, return_counts=True)
    if 3 * counts.max() <= len(ratio):
        return min(count for count in (rows, columns) if count)
    apart = ratio != kinds[counts.argmax()]
    found = [
        len(np.unique(place[apart & (place < count)]))
        for place, count in zip(places, (rows, columns), strict=True)
        if count
    ]
    return min(found)


def _studentized(core: _Core, estimate: float, seed: int, tiny: float) -> Floats:
    """Return the sorted ratios (estimate* - estimate) / se* of the pigeonhole bootstrap (Owen 2007).

    Row and column clusters are drawn independently with replacement; a cell's weight is the product of its counts.
    A resample without variation has an infinite ratio.
    """
    rows, columns = core.table.shape
    rng = np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, 0x5EED])
    batch = max(1, min(REPLICATES, _BATCH // (rows + columns + 2)))
    found = []
    for start in range(0, REPLICATES, batch):
        size = min(batch, REPLICATES - start)
        u = _counts(rng, rows, size)
        v = _counts(rng, columns, size)
        moments = core.moments(u, v)
        gap = moments.estimate - estimate
        fine = moments.variance > tiny
        ratio = np.where(fine, gap / np.sqrt(np.where(fine, moments.variance, 1.0)), np.copysign(np.inf, gap))
        found.append(np.where(np.isnan(ratio), np.inf, ratio))
    return np.sort(np.concatenate(found))


def _counts(rng: np.random.Generator, clusters: int, size: int) -> Floats:
    """How often each cluster is drawn, shape (size, clusters). Counting draws is ten times as fast as a multinomial."""
    if clusters == 0:
        return np.zeros((size, 0))
    drawn = rng.integers(0, clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters).astype(np.float64)


def _carrying(core: _Core, estimate: float) -> float:
    """Return the effective number of clusters that carry the variance, at least 2: the participation ratio of the
    squared scores, in the factor where it is smallest (after Carter, Schnepel and Steigerwald 2017).

    A factor whose clusters do not differ but for rounding carries none of it.
    """
    table = core.table
    rows, columns = table.shape
    scores = table.sums - estimate * table.weights
    squares = [
        np.asarray(scores.sum(axis=axis)).ravel()[:count] ** 2 for axis, count in ((1, rows), (0, columns)) if count
    ]
    least = 1e-12 * max(float(square.sum()) for square in squares)
    found = [float(square.sum()) ** 2 / float((square**2).sum()) for square in squares if square.sum() > least]
    return max(2.0, min(found, default=2.0))
