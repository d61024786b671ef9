"""Small cells borrow strength from each other: empirical Bayes estimates of many means, each with its own error.

The model is Fay and Herriot's (1979), made for small areas of a survey: raw_c = x_c'b + u_c + e_c, where e_c has the
known variance v_c of the cell and u_c the unknown variance t between cells. The estimate of a cell is
w_c raw_c + (1 - w_c) x_c'b with w_c = t / (t + v_c); without covariates and with one v it is James and Stein's towards
the mean. t solves their moment equation, sum (raw_c - x_c'b)^2 / (v_c + t) = cells - rank(x): Paule and Mandel's (1982)
where x is the constant alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]

# So many cells must be left over after the fit. Under three degrees of freedom a variance between cells is a guess, and
# shrinking gains nothing on average (James and Stein 1961).
SPARE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Estimates by cell, in the order given.

    Attributes:
        estimates: the shrunk ones, each between its raw value and `pooled`.
        pooled: what each is shrunk towards: the fit of the design; the raw value where nothing is shrunk.
        weights: the share of the raw value in each estimate.
        between: the variance between cells that is left beside the design; NaN where it was not estimated.
        toward: `main effects`, `mean` or `nothing`.

    """

    estimates: Floats
    pooled: Floats
    weights: Floats
    between: float
    toward: str


def shrink(raw: Sequence[float] | Floats, variance: Sequence[float] | Floats, design: Floats | None = None) -> Shrunk:
    """Return shrunk estimates of the cells.

    Args:
        raw: shape (m,), the cells' own estimates, finite.
        variance: shape (m,), the variance of each, finite and not negative.
        design: shape (m, p), what explains the cells; None is the constant alone. Columns may depend on each other.
            Where fewer than 3 cells are left over after it, the constant is used; where that leaves fewer, nothing is
            shrunk.

    Raises:
        ValueError: shapes differ, or a value is not finite or a variance negative.

    """
    y, v = np.asarray(raw, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape or (design is not None and (design.ndim != 2 or len(design) != len(y))):
        raise ValueError(
            f"raw has shape {y.shape} and variance {v.shape}: one number a cell, and one row of the design"
        )
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v >= 0).all()):
        raise ValueError("a raw value or a variance is not finite, or a variance is below 0")
    constant = np.ones((len(y), 1))
    toward = "main effects"
    if design is None or len(y) - np.linalg.matrix_rank(design) < SPARE:
        design, toward = constant, "mean"
    spare = len(y) - int(np.linalg.matrix_rank(design)) if len(y) else 0
    if spare < SPARE or not v.any():  # without any error there is nothing to take out
        return Shrunk(y.copy(), y.copy(), np.ones_like(y), float("nan"), "nothing")
    # A cell without an error beside others with one would alone decide the fit, by a weight without bounds.
    v = np.maximum(v, 1e-9 * float(v.max()))
    between = _between(y, v, design, spare)
    pooled = _fit(y, v + between, design)
    weights = between / (between + v)
    return Shrunk(pooled + weights * (y - pooled), pooled, weights, between, toward)


def _fit(y: Floats, variance: Floats, design: Floats) -> Floats:
    root = 1.0 / np.sqrt(variance)
    found = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    return np.asarray(design @ found, dtype=np.float64)


def _between(y: Floats, v: Floats, design: Floats, spare: int) -> float:
    def excess(between: float) -> float:
        total = v + between
        return float(((y - _fit(y, total, design)) ** 2 / total).sum()) - spare

    if excess(0.0) <= 0.0:
        return 0.0
    top = float(v.max()) + float(np.var(y)) + 1e-300
    while excess(top) > 0.0:
        top *= 2.0
    return float(optimize.brentq(excess, 0.0, top, xtol=1e-15, rtol=1e-12))


def pooled_variance(errors: Sequence[float] | Floats, clusters: Sequence[int] | NDArray[Any]) -> Floats:
    """Return each cell's variance from the variance of one cluster, which all cells share, over its own clusters.

    A cell's own standard error over ten clusters is itself a guess, and zero where they happen to agree; taken at its
    word, the least certain cells would be shrunk least. So sum (G_c - 1) G_c se_c^2 / sum (G_c - 1) is one cluster's
    variance, and divided by G_c the cell's. A cell of one cluster, which has no error of its own, gets one this way.
    Where no cell has two clusters, noise cannot be told from differences: all NaN.

    Args:
        errors: clustered standard errors; NaN where a cell has none.
        clusters: clusters of each cell, at least 1, in its smallest factor.

    Raises:
        ValueError: a cell has no cluster.

    """
    se, g = np.asarray(errors, dtype=np.float64), np.asarray(clusters, dtype=np.float64)
    if se.shape != g.shape or (g < 1).any():
        raise ValueError("every cell needs at least one cluster, and one standard error")
    told = np.isfinite(se) & (g > 1)
    degrees = g[told] - 1.0
    if not told.any():
        return np.full_like(g, np.nan)
    return np.asarray(float((degrees * g[told] * se[told] ** 2).sum() / degrees.sum()) / g)


def main_effects(rows: Sequence[str], columns: Sequence[str]) -> Floats:
    """Return the design of two crossed factors without their interaction: a constant and an indicator a label."""
    parts = [np.ones((len(rows), 1))]
    for labels in (rows, columns):
        kinds, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        parts.append(np.eye(len(kinds))[codes])
    return np.hstack(parts)
