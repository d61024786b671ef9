"""P(m of a stigmatizing predicate > m of a control predicate) within the same cell, with clustered bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.clustered_mean import encode
from rootfruit_checks.stats.intervals import Floats, Interval, check_alpha, refusal
from rootfruit_checks.stats.two_way_table import interval

_CHUNK = 4_000_000


def concordance(
    margins: Sequence[float] | NDArray[Any],
    is_stigma: Sequence[bool] | NDArray[Any],
    cell: Sequence[str] | NDArray[Any],
    predicate: Sequence[str] | NDArray[Any],
    *,
    alpha: float = 0.05,
    seed: int = 0,
    tie: float = 0.0,
    factors: tuple[str, str] = ("stigmatizing predicate", "control predicate"),
) -> Interval:
    """Return the share of (stigmatizing, control) row pairs of one cell in which the stigmatizing margin is larger.

    A two-sample U-statistic with clusters on both sides: theta = sum K[s, c] / sum W[s, c] over stigmatizing
    predicates s and control predicates c, where W counts the comparisons within cells and K those that s wins.
    The variance is DeLong's (1988) over predicate-level placements, extended to unequal W by linearisation:
    G_s / (G_s - 1) sum_s (sum_c K - theta W)^2 / W^2 and the same over c. From 30 predicates on both sides the bounds
    come from a studentized bootstrap over both. Otherwise they come from Student's t with one degree of freedom less
    than the smaller number of predicates, weighted by their comparisons (`intervals.effective`). Without any variation,
    the exact bound counts min(G_s, G_c) disjoint pairs of predicates as independent.

    Args:
        margins: shape (n,), finite.
        is_stigma: shape (n,), True for a stigmatizing predicate.
        cell: shape (n,), rows are compared within a cell: the sentence frame and identity pair.
        predicate: shape (n,), the clusters.
        alpha: level of each bound, in (0, 0.5).
        seed: seed of the bootstrap.
        tie: margins that differ by at most this count one half.
        factors: names of the two samples, for messages.

    Raises:
        ValueError: lengths differ, or a margin is not finite.

    """
    check_alpha(alpha)
    values = np.asarray(margins, dtype=np.float64)
    stigma = np.asarray(is_stigma, dtype=bool)
    cells, predicates = np.asarray(cell), np.asarray(predicate)
    if values.ndim != 1 or not values.shape == stigma.shape == cells.shape == predicates.shape:
        raise ValueError("margins, is_stigma, cell and predicate must have the same length")
    if not np.isfinite(values).all():
        raise ValueError("a margin is not finite (drop and count such rows)")
    if stigma.all() or not stigma.any():
        side = factors[1] if stigma.any() else factors[0]
        return refusal(math.nan, (0, 0), f"there are no rows with a {side}")
    cell_codes, _ = encode(cells)
    sides = [_Side(values[at], cell_codes[at], predicates[at]) for at in (stigma, ~stigma)]
    wins, weights = _compare(sides[0], sides[1], tie)
    keep = (weights.sum(axis=1) > 0, weights.sum(axis=0) > 0)
    if not keep[0].any():
        return refusal(math.nan, (0, 0), "no cell has both a stigmatizing and a control predicate")
    wins, weights = (np.pad(part[keep[0]][:, keep[1]], ((0, 1), (0, 1))) for part in (wins, weights))
    labels = [side.labels[kept] for side, kept in zip(sides, keep, strict=True)]
    table = Table(wins, weights, subtract=False, independent=min(map(len, labels)))
    return interval(table, labels, factors, alpha=alpha, seed=seed, value_range=(0.0, 1.0))


class _Side:
    """One sample's rows, sorted by cell and predicate."""

    def __init__(self, values: Floats, cells: NDArray[np.intp], predicates: NDArray[Any]) -> None:
        codes, self.labels = encode(predicates)
        if (codes < 0).any():
            raise ValueError("a row has no predicate")
        order = np.lexsort((values, codes, cells))
        self.values, self.codes, cells = values[order], codes[order], cells[order]
        kinds, starts = np.unique(cells, return_index=True)
        ends = np.append(starts[1:], len(cells))
        self.spans = {int(k): slice(int(a), int(b)) for k, a, b in zip(kinds, starts, ends, strict=True)}


def _compare(stigma: _Side, control: _Side, tie: float) -> tuple[Floats, Floats]:
    """Return wins and comparisons by predicate pair, each of shape (stigmatizing, control)."""
    wins = np.zeros((len(stigma.labels), len(control.labels)))
    weights = np.zeros_like(wins)
    for cell, span in stigma.spans.items():
        if cell not in control.spans:
            continue
        right = control.spans[cell]
        width = right.stop - right.start
        right_codes, right_starts = np.unique(control.codes[right], return_index=True)
        right_sizes = np.diff(np.append(right_starts, width))
        step = max(1, _CHUNK // width)
        for start in range(span.start, span.stop, step):
            left = slice(start, min(start + step, span.stop))
            gap = stigma.values[left, None] - control.values[right]
            # Twice the kernel, as integers: 2 for a win, 1 for a tie.
            doubled = (gap > tie).view(np.int8) + (gap >= -tie).view(np.int8)
            left_codes, left_starts = np.unique(stigma.codes[left], return_index=True)
            left_sizes = np.diff(np.append(left_starts, left.stop - left.start))
            kernel = _summed(_summed(doubled, left_starts, 0), right_starts, 1) / 2.0
            # Codes are unique within the span, so plain fancy addition is safe.
            place = np.ix_(left_codes, right_codes)
            wins[place] += kernel
            weights[place] += np.outer(left_sizes, right_sizes)
    return wins, weights


def _summed(counts: NDArray[Any], starts: NDArray[np.intp], axis: int) -> NDArray[Any]:
    """Sums of the runs that begin at `starts`; most predicates have one row per cell, so there is nothing to sum."""
    if len(starts) == counts.shape[axis]:
        return counts
    return np.asarray(np.add.reduceat(counts, starts, axis=axis, dtype=np.int64))
