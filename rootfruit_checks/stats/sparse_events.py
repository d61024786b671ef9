"""The chance that most cells of a table are equal, so that few clusters carry the events. Used for planning."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from rootfruit_checks.stats.intervals import FEWEST_CLUSTERS
from rootfruit_checks.stats.variance_components import Components, Design

# Number of values drawn to estimate how often cells are equal, and the fewest draws of a whole table.
_DRAWN = 400_000
_LEAST_DRAWS = 100
# If the variance of a sample exceeds this share of how often it moves, it moves by one.
_WHOLE = 0.7


def few_events(design: Design, parts: Components, *, share: bool) -> float:
    """Return P(fewer than 10 clusters of a factor have a cell that differs from the most common value).

    A cell of m samples has a value in steps of 1 / m: zero if no sample moves, otherwise around the mean. If there are
    few cells, they are drawn, always with the same draws; if many, the chance of each factor is the binomial's.
    """
    rows, columns = design.clusters
    held = np.nonzero(design.weights > 0)
    samples = np.maximum(np.rint(design.weights[held] * design.n), 1.0)
    moves = min(max(parts.activity, 0.0), 1.0)
    if moves >= 1.0:  # values that never repeat have no most common one
        return 0.0
    still = (1.0 - moves) ** samples
    draws = _DRAWN // len(samples)
    if draws >= _LEAST_DRAWS:
        rng = np.random.default_rng(0)
        moved = rng.binomial(samples.astype(np.int64), moves, (draws, len(samples))).astype(float)
        if not share:
            effects = parts.rows + parts.columns + parts.cells
            if parts.within + effects > _WHOLE * moves:
                # A sample moves by one, up or down; effects shared within a cell move the cell's sum.
                steps = 2.0 * rng.binomial(moved.astype(np.int64), 0.5) - moved
                moved = steps + np.rint(samples * math.sqrt(effects) * rng.standard_normal(moved.shape))
            else:  # means of several continuations move by fractions, which rarely repeat
                moved = np.where(moved > 0, rng.standard_normal(moved.shape), 0.0)
        values = np.round(moved / samples, 6)
        # The most common value of each draw: the longest run of equal values in sorted order.
        order = np.sort(values, axis=1)
        at = np.arange(len(samples))
        begins = np.hstack([np.ones((draws, 1), dtype=bool), order[:, 1:] != order[:, :-1]])
        run = at - np.maximum.accumulate(np.where(begins, at, 0), axis=1) + 1
        most = run.max(axis=1)
        apart = values != order[np.arange(draws), run.argmax(axis=1)][:, None]
        few = np.zeros(draws, dtype=bool)
        for place, count in zip(held, (rows, columns), strict=True):
            if count:
                inside = place < count
                hit = np.zeros((count, draws), dtype=np.int64)
                np.add.at(hit, place[inside], apart.T[inside].astype(np.int64))
                few |= (hit > 0).sum(axis=0) < FEWEST_CLUSTERS
        # There must be a value that more than a third of the cells share.
        return float((few & (3 * most > len(samples))).mean())
    same = np.ones(design.weights.shape)
    same[held] = still
    enough = 1.0
    for axis, count in ((1, rows), (0, columns)):
        if count:
            one = 1.0 - np.prod(same, axis=axis)[:count]
            enough *= float(stats.binom.sf(FEWEST_CLUSTERS - 1, count, float(one.mean())))
    return min(1.0 - enough, float(stats.binom.sf(len(still) // 3, len(still), float(still.mean()))))
