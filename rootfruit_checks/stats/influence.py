"""How many clusters carry a table's variance: few clusters give little certainty, and less on the side of a tail."""

from __future__ import annotations

import math

import numpy as np

from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.intervals import Floats, Scores, skewness


def deviating(table: Table) -> int:
    """Return how many clusters contain a cell that differs from the most common value, in the factor with fewest.

    Returns all of them if no value is shared by more than a third of the cells: a weaker majority may be chance.
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


def carrying_clusters(scores: tuple[Scores, ...]) -> float:
    """Return the effective number of clusters that carry the variance, at least 2: the participation ratio of the
    squared influences, in the factor where it is smallest (after Carter, Schnepel and Steigerwald 2017).

    A factor whose clusters differ only by rounding carries no variance.
    """
    squares = [part.values**2 for part in scores if len(part.values)]
    least = 1e-12 * max((float(square.sum()) for square in squares), default=0.0)
    found = [float(square.sum()) ** 2 / float((square**2).sum()) for square in squares if square.sum() > least]
    return max(2.0, min(found, default=2.0))


def tails(table: Table, estimate: float, scores: tuple[Scores, ...]) -> tuple[bool, bool]:
    """Return whether the estimate has a tail (to the left, to the right), by clusters or by cells.

    A few clusters often fail to show their own skewness, or show it with the wrong sign: the important tail is the one
    that this sample missed. There are many more cells, and they show it. If clusters and cells disagree, both sides
    count as having a tail.
    """
    apart = table.sums - estimate * table.weights
    cells = np.asarray(apart[table.weights.nonzero()]).ravel()
    signs = {np.sign(skewness(scores)), np.sign(float((cells**3).sum()))}
    return -1.0 in signs, 1.0 in signs


def reach(table: Table, value_range: tuple[float, float]) -> float:
    """Return s such that the estimate exceeds the truth by more than s sqrt(ln(1 / level) / 2) at most with `level`.

    McDiarmid's inequality (1989): the effects of clusters and the remaining effects of cells are independent, and each
    of them moves the estimate by its share of the weights times the range of a value. It holds for any number of
    clusters and any distribution, and is far wider than the other bounds unless those rest on almost nothing.
    """
    rows, columns = table.shape
    weights = table.weights / float(table.weights.sum())
    parts: list[Floats] = [
        np.asarray(weights.sum(axis=1)).ravel()[:rows],
        np.asarray(weights.sum(axis=0)).ravel()[:columns],
    ]
    if table.subtract:  # otherwise rows and columns are the samples themselves
        parts.append(np.asarray(weights[weights.nonzero()]).ravel())
    return (value_range[1] - value_range[0]) * math.sqrt(sum(float((part**2).sum()) for part in parts))
