"""Multiple testing: levels for the lower bounds, so that a named failure is rarely a false one.

A release that passes needs no correction (an intersection-union test, Berger 1982), so only lower bounds are corrected.
Each method gives every check a level. Its lower bound at that level exceeds its limit exactly if the method rejects,
so a table of these bounds agrees with the verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rootfruit_checks.stats.intervals import Scores, check_alpha

Correction = Literal["max-t", "holm", "bh", "none"]
# (DRAWS + 1) * alpha is an integer for the usual levels.
DRAWS = 9999
_BATCH = 4_000_000


def max_t_level(family: Sequence[Sequence[Scores]], alpha: float, *, others: int = 0, seed: int = 0) -> float:
    """Return one level for all checks of a family (single step): P(any false failure) is at most alpha.

    The joint law of the studentized estimates comes from a multiplier bootstrap of their influences (Chernozhukov,
    Chetverikov and Kato 2013), with one Gaussian weight per cluster, shared by all checks that use the cluster. So the
    correlation of checks that share predicates, names or templates is taken into account. Given the data each is a
    standard normal T_j = sum_g w_g e_jg / sd; the level is P(Z > q), q being the 1 - alpha quantile of max_j T_j, and
    each bound is then taken from the check's own law (Student's t or its bootstrap) at that level.
    Never above alpha, never below Bonferroni's alpha / m.

    Args:
        family: each check's influences; empty if it shows no variation, which makes it independent of the others.
        alpha: the level for the family.
        others: further checks of the family without known influences: treated as independent of all.
        seed: seed of the multipliers.

    """
    check_alpha(alpha)
    known = [scores for scores in family if scores]
    blind = others + len(family) - len(known)
    size = len(known) + blind
    if size <= 1:
        return alpha
    weights = _matrix(known)
    rng = np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, 0x3A7])
    batch = max(1, min(DRAWS, _BATCH // (len(weights) + 1)))
    largest = np.full(DRAWS, -np.inf)
    for start in range(0, DRAWS, batch):
        part = slice(start, min(start + batch, DRAWS))
        drawn = part.stop - part.start
        if known:
            largest[part] = (rng.standard_normal((drawn, len(weights))) @ weights).max(axis=1)
        if blind:
            largest[part] = np.maximum(largest[part], rng.standard_normal((drawn, blind)).max(axis=1))
    rank = math.ceil((DRAWS + 1) * (1.0 - alpha) - 1e-9)
    level = float(stats.norm.sf(np.sort(largest)[rank - 1]))
    return min(alpha, max(level, alpha / size))


def _matrix(family: Sequence[Sequence[Scores]]) -> NDArray[np.float64]:
    """Return unit columns of influences, shape (clusters, checks), with one row per distinct cluster."""
    rows: dict[tuple[str, str], int] = {}
    for scores in family:
        for part in scores:
            for label in part.labels:
                rows.setdefault((_kind(part.factor), str(label)), len(rows))
    found = np.zeros((len(rows), len(family)))
    for column, scores in enumerate(family):
        for part in scores:
            places = [rows[_kind(part.factor), str(label)] for label in part.labels]
            np.add.at(found[:, column], places, part.values)
    norms: NDArray[np.float64] = np.sqrt((found**2).sum(axis=0))
    return found / norms


def _kind(factor: str) -> str:
    """Return a factor's name, where a stigmatizing predicate is the same cluster as a predicate in other checks."""
    return factor.rsplit(" ", 1)[-1]


def step_levels(p_values: Sequence[float], alpha: float, way: Literal["holm", "bh"]) -> list[float]:
    """Return each check's level under Holm (1979) or Benjamini and Hochberg (1995).

    Rejected checks get the level of the last step that was passed (Holm: of their own step), the others that of the
    step which stopped: p <= level exactly for the rejected ones.

    Raises:
        ValueError: a p-value is outside [0, 1].

    """
    check_alpha(alpha)
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values {p_values!r} are not all in [0, 1]")
    count = len(values)
    order = np.argsort(values, kind="stable")
    steps = np.arange(1, count + 1)
    levels = alpha / (count - steps + 1) if way == "holm" else alpha * steps / max(count, 1)
    held = values[order] <= levels
    if way == "holm":
        rejected = count if held.all() else int(np.argmin(held))
        own = np.where(steps <= rejected, levels, levels[min(rejected, count - 1)] if count else alpha)
    else:
        rejected = int(np.flatnonzero(held)[-1]) + 1 if held.any() else 0
        stop = min(rejected, count - 1)
        own = np.where(steps <= rejected, alpha * rejected / max(count, 1), levels[stop] if count else alpha)
    found = np.empty(count)
    found[order] = own
    return [float(level) for level in found]
