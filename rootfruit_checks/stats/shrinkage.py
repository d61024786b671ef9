"""Empirical Bayes estimates of many means, each with its own error, so that small cells borrow strength.

The model is Fay and Herriot's (1979) for small areas of a survey: raw_c = x_c'b + u_c + e_c, where e_c has the
known variance v_c of the cell and u_c the unknown variance t between cells. The estimate of a cell is
w_c raw_c + (1 - w_c) x_c'b with w_c = t / (t + v_c). Without covariates and with equal v it is James and Stein's
towards the mean. t solves their moment equation, sum (raw_c - x_c'b)^2 / (v_c + t) = cells - rank(x), which is Paule
and Mandel's (1982) if x is only the constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]

# Minimum number of cells minus parameters. With fewer than three degrees of freedom a variance between cells is a
# guess, and shrinking gains nothing on average (James and Stein 1961).
SPARE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Estimates by cell, in the given order.

    Attributes:
        estimates: the shrunk estimates, each between its raw value and `pooled`.
        pooled: the target of shrinking: the fit of the design; the raw value if nothing is shrunk.
        weights: the share of the raw value in each estimate.
        between: the variance between cells that the design does not explain; NaN if it was not estimated.
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
        design: shape (m, p), covariates of the cells; None is the constant alone. Columns may be linearly dependent.
            If it leaves fewer than 3 degrees of freedom, the constant is used; if that does too, nothing is shrunk.

    Raises:
        ValueError: shapes differ, a value is not finite, or a variance is negative.

    """
    y, v = np.asarray(raw, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape or (design is not None and (design.ndim != 2 or len(design) != len(y))):
        raise ValueError(
            f"raw has shape {y.shape} and variance {v.shape}: give one number per cell, and one row of the design"
        )
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v >= 0).all()):
        raise ValueError("a raw value or a variance is not finite, or a variance is below 0")
    constant = np.ones((len(y), 1))
    toward = "main effects"
    if design is None or len(y) - np.linalg.matrix_rank(design) < SPARE:
        design, toward = constant, "mean"
    spare = len(y) - int(np.linalg.matrix_rank(design)) if len(y) else 0
    if spare < SPARE or not v.any():  # without any error there is no noise to remove
        return Shrunk(y.copy(), y.copy(), np.ones_like(y), float("nan"), "nothing")
    # A cell without error among cells with error would have infinite weight and decide the fit alone.
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
    """Return each cell's variance: the common variance of one cluster, divided by the cell's number of clusters.

    A cell's own standard error over ten clusters is itself a guess, and zero if they happen to agree. Using it directly
    would shrink the least certain cells least. So sum (G_c - 1) G_c se_c^2 / sum (G_c - 1) is one cluster's variance,
    and divided by G_c it is the cell's. A cell of one cluster, which has no error of its own, also gets one this way.
    If no cell has two clusters, noise cannot be separated from differences: all NaN.

    Args:
        errors: clustered standard errors; NaN for cells without one.
        clusters: number of clusters of each cell, at least 1, in its smallest factor.

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
    """Return the design of two crossed factors without interaction: a constant and an indicator per label."""
    parts = [np.ones((len(rows), 1))]
    for labels in (rows, columns):
        kinds, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        parts.append(np.eye(len(kinds))[codes])
    return np.hstack(parts)
