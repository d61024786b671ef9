"""Variance components and designs: the planning counterpart of `table.py`.

A value is modelled as mean + row cluster + column cluster + cell + residual: independent effects with variances
`Components`. A design gives the number of samples in each cell. Together they give the true variance of the mean,
the expectation of each sum of squares of the clustered estimator, and how far it varies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from rootfruit_checks.stats.clustered_mean import encode

Floats = NDArray[np.float64]
# Beyond this many clusters the influence of column effects on the variation of the rows' sum is ignored.
_WIDE = 2000


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of the parts of a single value, and how often it moves at all.

    Attributes:
        rows: variance of the effect of a cluster of the first factor.
        columns: the same for the second factor; 0 if there is none.
        cells: variance of the remaining effect that the samples of one cell share.
        within: variance of a sample's residual.
        activity: share of samples without the most common value; decides whether bounds rest on few events.
        draws: share of `cells` and `within` that is due to random draws, with one continuation per prompt.
        continuations: the number of continuations that the variances are for.

    """

    rows: float
    columns: float
    cells: float
    within: float
    activity: float = 1.0
    draws: float = 0.0
    continuations: int = 1

    def at(self, continuations: int) -> Components:
        """Return the components of means over this many continuations of each prompt."""
        then, now = (1.0 - self.draws + self.draws / k for k in (self.continuations, continuations))
        times = now / then if then > 0 else 1.0
        # A mean of several draws has the most common value only if all of them have it.
        activity = 1.0 - (1.0 - self.activity) ** max(1.0, continuations / self.continuations)
        return replace(
            self,
            cells=self.cells * times,
            within=self.within * times,
            activity=activity if self.draws else self.activity,
            continuations=continuations,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Shares of the samples by cell, shape (rows + 1, columns + 1): the last row and column mean "no cluster".

    `subtract` as in `table.Table`: False for the two samples of a concordance.
    """

    weights: Floats
    n: int
    subtract: bool = True

    @classmethod
    def of(cls, clusters: Sequence[Sequence[str] | NDArray[Any]]) -> Design:
        """Return the design of one or two factors, each with n labels; a blank label means no cluster.

        Raises:
            ValueError: there are not one or two factors, or their lengths differ.

        """
        labels = [np.asarray(factor, dtype=str) for factor in clusters]
        if len(labels) not in (1, 2) or len({len(label) for label in labels}) != 1:
            raise ValueError("give one or two factors of the same length")
        n = len(labels[0])
        (rows, height), (columns, width) = [*map(_coded, labels), (np.full(n, -1, dtype=np.intp), 0)][:2]
        counts = np.zeros((height + 1, width + 1))
        np.add.at(counts, (np.where(rows < 0, height, rows), np.where(columns < 0, width, columns)), 1.0)
        return cls(counts / max(n, 1), n)

    @classmethod
    def crossed(cls, rows: int, columns: int, n: int, *, subtract: bool = True) -> Design:
        """Return the design in which every row cluster meets every column cluster equally often."""
        weights = np.zeros((rows + 1, columns + 1))
        if rows and columns:
            weights[:rows, :columns] = 1.0 / (rows * columns)
        elif rows:
            weights[:rows, columns] = 1.0 / rows
        return cls(weights, n, subtract)

    def with_rows(self, count: int) -> Design:
        """Return the design with this many row clusters; added ones are spread like the existing ones."""
        inner, height = self.weights[:-1], self.clusters[0]
        if not height or count == height:
            return self
        drawn = inner[np.arange(count) % height]
        weights = np.vstack([drawn, self.weights[-1:] * count / height])
        total = float(weights.sum())
        return replace(self, weights=weights / total, n=round(self.n * total))

    @property
    def clusters(self) -> tuple[int, int]:
        """Number of clusters of each factor."""
        return self.weights.shape[0] - 1, self.weights.shape[1] - 1

    @property
    def sizes(self) -> list[Floats]:
        """For each factor with clusters: the share of the samples in each cluster."""
        both = self.weights[:-1].sum(axis=1), self.weights[:, :-1].sum(axis=0)
        return [sizes for sizes in both if len(sizes)]

    def variance(self, parts: Components) -> float:
        """Return the variance of the mean."""
        own = np.array([parts.rows, parts.columns, parts.cells, parts.within])
        return float(self._shares() @ own)

    def _shares(self) -> Floats:
        """By component: the sum of squared weights of its effects."""
        inner = self.weights[:-1, :-1]
        by_row, by_column = self.weights[:-1].sum(axis=1), self.weights[:, :-1].sum(axis=0)
        within = 1.0 / self.n if self.n and self.subtract else 0.0
        cells = float((inner**2).sum()) if self.subtract else 0.0
        return np.array([float((by_row**2).sum()), float((by_column**2).sum()), cells, within])

    def expected(self) -> Floats:
        """Return a matrix: what a unit of each component adds to the rows', columns' and cells' sums of squares.

        Shape (3, 4), with the small-sample factors of the estimator.
        """
        w, inner = self.weights, self.weights[:-1, :-1]
        row, column = w[:-1].sum(axis=1), w[:, :-1].sum(axis=0)
        of_rows, of_columns, of_cells, of_one = self._shares()
        if not self.subtract:
            return np.array([[of_rows, 0.0, 0.0, 0.0], [0.0, of_columns, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
        apart = inner - np.outer(row, column)
        squares = inner**2
        first = [
            float((row**2 * (1 - 2 * row + of_rows)).sum()),
            float((apart**2).sum()),
            float(((1 - 2 * row) * squares.sum(axis=1) + row**2 * of_cells).sum()),
            float((row * (1 - row)).sum()) * of_one,
        ]
        second = [
            float((apart**2).sum()),
            float((column**2 * (1 - 2 * column + of_columns)).sum()),
            float(((1 - 2 * column) * squares.sum(axis=0) + column**2 * of_cells).sum()),
            float((column * (1 - column)).sum()) * of_one,
        ]
        third = [
            float((squares * (1 - 2 * row + of_rows)[:, None]).sum()),
            float((squares * (1 - 2 * column + of_columns)[None, :]).sum()),
            float((squares * (1 - 2 * inner + of_cells)).sum()),
            float((inner * (1 - inner)).sum()) * of_one,
        ]
        factors = [_factor(len(row)), _factor(len(column)), _factor(int((inner > 0).sum()))]
        found: Floats = np.array([first, second, third]) * np.array(factors)[:, None]
        return found

    def scatter(self, parts: Components) -> tuple[Floats, Floats]:
        """Return the degrees of freedom of the three sums of squares, shape (3,), and their correlations, (3, 3)."""
        w, inner = self.weights, self.weights[:-1, :-1]
        row, column = w[:-1].sum(axis=1), w[:, :-1].sum(axis=0)
        height, width = self.clusters
        if not self.subtract:
            return np.array([max(height - 1.0, 1.0), max(width - 1.0, 1.0), math.inf]), np.eye(3)
        one = 1.0 / max(self.n, 1)
        apart = inner - np.outer(row, column)
        squares = inner**2
        own_rows = parts.rows * row**2 + parts.cells * squares.sum(axis=1) + parts.within * row * one
        own_columns = parts.columns * column**2 + parts.cells * squares.sum(axis=0) + parts.within * column * one
        own_cells = squares * (parts.rows + parts.columns + parts.cells) + parts.within * inner * one
        sums = [own_rows.sum() + parts.columns * (apart**2).sum(), own_columns.sum() + parts.rows * (apart**2).sum()]
        twice = [_square(own_rows, parts.columns, apart), _square(own_columns, parts.rows, apart.T)]
        rest = squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1)
        other = squares.sum(axis=0) ** 2 - (squares**2).sum(axis=0)
        twice.append(float((own_cells**2).sum() + parts.rows**2 * rest.sum() + parts.columns**2 * other.sum()))
        sums.append(own_cells.sum())
        # The shared part of the sums: the same effects enter the score of a row, of a column and of their cell.
        shared = parts.cells * squares + parts.within * inner * one
        cross = parts.rows * row[:, None] * apart + parts.columns * column[None, :] * apart + shared
        with_rows = parts.rows * inner * row[:, None] + parts.columns * inner * apart + shared
        with_columns = parts.columns * inner * column[None, :] + parts.rows * inner * apart + shared
        freedom = [
            max(1.0, s**2 / t * (1 - 1 / max(g, 2))) if t > 0 else math.inf
            for s, t, g in zip(sums, twice, (height, width, int((inner > 0).sum())), strict=True)
        ]
        found = np.eye(3)
        for (i, j), part in (((0, 1), cross), ((0, 2), with_rows), ((1, 2), with_columns)):
            scale = math.sqrt(twice[i] * twice[j])
            found[i, j] = found[j, i] = min(1.0, float((part**2).sum()) / scale) if scale > 0 else 0.0
        return np.array(freedom), found


def _coded(labels: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    if not len(labels):
        return np.zeros(0, np.intp), 0
    codes, kinds = encode(labels)
    return codes, len(kinds)


def _factor(count: int) -> float:
    return count / (count - 1) if count > 1 else 1.0


def _square(own: Floats, across: float, apart: Floats) -> float:
    """Return the sum of squares of the matrix diag(own) + across * apart @ apart.T."""
    total = float((own**2).sum())
    if across > 0.0 and len(apart) <= _WIDE:
        matrix = apart @ apart.T
        total += 2 * across * float((own * np.diag(matrix)).sum()) + across**2 * float((matrix**2).sum())
    return total


def fit(
    values: Floats, clusters: Sequence[Sequence[str] | NDArray[Any]], strata: Sequence[str] | NDArray[Any]
) -> Components:
    """Return the components by the method of moments, none of them below 0.

    `strata` names what is fixed by design (identity, frame): differences between strata are not sampling variation.

    Raises:
        ValueError: lengths differ, or a value is not finite.

    """
    column = np.asarray(values, dtype=np.float64)
    if not np.isfinite(column).all():
        raise ValueError("a value is not finite")
    if len(column) < 2:
        return Components(0.0, 0.0, 0.0, 0.0, 0.0)
    _, counts = np.unique(np.round(column, 9), return_counts=True)
    activity = 1.0 - float(counts.max()) / len(column)
    _, place = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    means = np.bincount(place, weights=column) / np.bincount(place)
    column = column - means[place]
    design = Design.of(clusters)
    labels = [np.asarray(factor, dtype=str) for factor in clusters]
    # The three sums of squares, as computed by the estimator, and the variation within cells.
    keys = ["\x1f".join(key) for key in zip(*labels, strict=True)]
    sums, sizes = zip(*(_by(column - column.mean(), label) for label in (*labels, keys)), strict=True)
    if len(labels) == 1:
        observed = [float((sums[0] ** 2).sum()) * _factor(len(sums[0])), 0.0, 0.0]
    else:
        both = (labels[0] != "") & (labels[1] != "")
        inner, _ = _by((column - column.mean())[both], np.asarray(keys)[both])
        real = [_by((column - column.mean())[label != ""], label[label != ""])[0] for label in labels]
        observed = [float((part**2).sum()) * _factor(len(part)) for part in (*real, inner)]
    observed = [part / len(column) ** 2 for part in observed]
    cells, size = sums[-1], sizes[-1]
    spare = len(column) - len(cells)
    pooled = float(((column - column.mean()) ** 2).sum() - (cells**2 / size).sum())
    matrix = design.expected()
    if spare > 0:
        within = max(pooled, 0.0) / spare
        rest, _ = optimize.nnls(matrix[:, :3], np.maximum(np.array(observed) - matrix[:, 3] * within, 0.0))
        found = [*rest, within]
    else:  # with one sample per cell, cell effects and residuals cannot be separated
        rest, _ = optimize.nnls(matrix[:, [0, 1, 3]], np.array(observed))
        found = [rest[0], rest[1], 0.0, rest[2]]
    first, second, third, last = (float(part) for part in found)
    return Components(first, second, third, last, activity)


def _by(values: Floats, labels: Any) -> tuple[Floats, Floats]:
    """Return sums and counts by label, labels sorted."""
    kinds, place = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    sizes = np.bincount(place, minlength=len(kinds)).astype(np.float64)
    sums = np.bincount(place, weights=values, minlength=len(kinds)).astype(np.float64)
    return sums, sizes
