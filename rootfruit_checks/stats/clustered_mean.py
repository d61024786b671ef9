"""The mean of rows that are not independent: one- or two-way clustered, with one-sided bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.intervals import Interval, check_alpha, refusal
from rootfruit_checks.stats.two_way_table import interval


def clustered_mean(
    values: Sequence[float] | NDArray[Any],
    clusters: Sequence[Sequence[str] | NDArray[Any]],
    *,
    alpha: float = 0.05,
    seed: int = 0,
    value_range: tuple[float, float] = (-1.0, 1.0),
    factors: Sequence[str] = (),
    resample: bool = True,
) -> Interval:
    """Return the mean of `values` with one-sided bounds, each at 1 - alpha.

    The variance is Cameron, Gelbach and Miller's (2011) with the small-sample factor G / (G - 1) for each factor and
    for their intersection, never below a one-way one. Bounds: Student's t with min(G) - 1 degrees of freedom, where
    uneven clusters count for fewer (`intervals.effective`); from 30 clusters on in every factor the studentized
    pigeonhole bootstrap (Owen 2007). If more than a third of the cells have the same value and fewer than 10 clusters
    differ from it, the bounds are never narrower than the exact bound for a column without variation (see `exact.py`).
    With fewer than 10 clusters in a factor there is no bound: `refused`.

    A blank label "" means that the row has no cluster in that factor, for example because the sentence names no person.
    Treating such rows as one big cluster would invent a dependence between them, and treating each as its own cluster
    would count as many names. They are clustered by the other factor alone: the intersection subtracts what they add to
    the factor's own variance, and only real labels count towards min(G).

    Args:
        values: shape (n,), finite, within `value_range`.
        clusters: one or two factors, each n labels.
        alpha: level of each bound, in (0, 0.5).
        seed: seed of the bootstrap.
        value_range: the range of a single value, (0, 1) for a share, (-1, 1) for a difference of two.
        factors: the factors' names, for messages.
        resample: whether to use the bootstrap; if not, Student's t is used, for describing very many cells.

    Raises:
        ValueError: lengths differ, a value is not finite or outside `value_range`, a row is blank in every factor, or
            there are not one or two factors. Having no rows is not an error: the Interval is then refused.

    """
    check_alpha(alpha)
    if len(clusters) not in (1, 2):
        raise ValueError(f"clusters has {len(clusters)} factors; give one or two")
    names = tuple(factors) or tuple(f"factor {number + 1}" for number in range(len(clusters)))
    column = np.asarray(values, dtype=np.float64)
    labels = [np.asarray(factor) for factor in clusters]
    if column.ndim != 1 or any(label.shape != column.shape for label in labels) or len(names) != len(labels):
        raise ValueError(f"values has shape {column.shape}, clusters {[label.shape for label in labels]}: must agree")
    if not len(column):
        return refusal(math.nan, (0,) * len(labels), "there are no rows")
    bad = np.flatnonzero(~np.isfinite(column))
    if len(bad):
        raise ValueError(f"row {int(bad[0])} is {column[bad[0]]}: values must be finite (drop and count such rows)")
    slack = 1e-9 * (value_range[1] - value_range[0])
    if column.min() < value_range[0] - slack or column.max() > value_range[1] + slack:
        raise ValueError(f"values range from {column.min()} to {column.max()}, outside the value range {value_range}")
    coded = [encode(label) for label in labels]
    if len(coded) == 1:
        coded.append((np.full(len(column), -1, dtype=np.intp), np.empty(0, dtype=str)))
    (rows, row_labels), (columns, column_labels) = coded
    if ((rows < 0) & (columns < 0)).any():
        raise ValueError("a row is blank in every factor; give it a label in one")
    table = Table.build(rows, columns, column, (len(row_labels), len(column_labels)))
    kinds = (row_labels, column_labels)[: len(labels)]
    return interval(table, kinds, names, alpha=alpha, seed=seed, value_range=value_range, resample=resample)


def encode(labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return codes from 0 in the sorted order of the labels, -1 for blank, and the labels that are not blank."""
    names = labels.astype(str).tolist()
    # A dictionary takes a fifth of the time that sorting all rows by text takes.
    kinds = sorted(set(names))
    place = {kind: code for code, kind in enumerate(kinds, start=-1 if kinds[:1] == [""] else 0)}
    codes = np.fromiter(map(place.__getitem__, names), dtype=np.intp, count=len(names))
    return codes, np.array([kind for kind in kinds if kind], dtype=str)
