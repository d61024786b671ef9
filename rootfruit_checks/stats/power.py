"""What a design can show: chances of each verdict before anything is measured, and the smallest effects it detects.

The estimate is taken as normal around the truth; its clustered variance estimate is, as in `table.py`, the largest of
three combinations of three sums of squares, each a scaled chi-square (Satterthwaite), correlated as the design makes
them. For one factor this is the noncentral t exactly; for two it is the noncentral t averaged over that law, by a fixed
lattice of points: no random numbers. Where few clusters will show any event, the bound of `exact.py` is the floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from rootfruit_checks.stats.design import Components, Design
from rootfruit_checks.stats.estimate import (
    BOOTSTRAP_CLUSTERS,
    FEWEST_CLUSTERS,
    check_alpha,
    effective,
    lean,
    t_quantile,
    too_few,
)
from rootfruit_checks.stats.exact import unseen_share

Floats = NDArray[np.float64]
_POINTS = 2048
_STEPS = 24


@dataclass(frozen=True)
class Power:
    """Chances of the verdicts of one check under a plan.

    Args:
        design: how the samples lie in clusters.
        parts: the variances to expect.
        limits: the range of a single value.
        factors: names of the factors, for messages.
        point: the estimate itself decides, whatever its bounds.

    """

    design: Design
    parts: Components
    limits: tuple[float, float] = (-1.0, 1.0)
    factors: tuple[str, ...] = ("factor 1", "factor 2")
    point: bool = False

    @property
    def refused(self) -> str:
        """Why there will be no bound, or ""."""
        if not self.design.n:
            return "there are no samples"
        count = len(self.factors)
        return too_few(self.design.clusters[:count], self.factors)

    @property
    def se(self) -> float:
        """Standard error to expect, of the estimate itself."""
        return math.sqrt(self.design.variance(self.parts))

    @property
    def df(self) -> float:
        """Degrees of freedom of Student's t: those of the factor with the fewest clusters, counted by their sizes."""
        return min((effective(sizes) for sizes in self.design.sizes), default=1.0) - 1.0

    def p_pass(self, truth: float, bar: float, alpha: float) -> float:
        """Return P(upper bound at 1 - alpha <= bar), were `truth` the true value."""
        return self._chance(truth, bar, alpha, upper=True)

    def p_fail(self, truth: float, bar: float, level: float) -> float:
        """Return P(lower bound at 1 - level > bar), were `truth` the true value."""
        return self._chance(truth, bar, level, upper=False)

    def passes_up_to(self, bar: float, alpha: float, power: float) -> float | None:
        """Return the largest true value that passes with at least this chance; None where none does."""
        low = max(self.limits[0], bar - (self.limits[1] - self.limits[0]))
        return self._edge(lambda truth: self.p_pass(truth, bar, alpha) >= power, low, bar)

    def fails_from(self, bar: float, level: float, power: float) -> float | None:
        """Return the smallest true value that fails with at least this chance; None where none does."""
        return self._edge(lambda truth: self.p_fail(truth, bar, level) >= power, self.limits[1], bar)

    @cached_property
    def _variances(self) -> Floats:
        return _variances(self.design, self.parts)

    @cached_property
    def _few_events(self) -> float:
        return 0.0 if self.point else _few_events(self.design, self.parts)

    @cached_property
    def _freedom(self) -> float:
        """Degrees of freedom of the bound: Student's, or what the bootstrap comes to."""
        if min((count for count in self.design.clusters if count), default=0) < BOOTSTRAP_CLUSTERS:
            return self.df
        drawn = _variances(self.design, self.parts, largest=False)
        spread = float(drawn.var())
        return max(self.df, 2.0 * float(drawn.mean()) ** 2 / spread) if spread > 0 else math.inf

    def _critical(self, level: float) -> float:
        """Return how many standard errors wide the bound is."""
        if not math.isfinite(self._freedom):
            return float(stats.norm.isf(level))
        return t_quantile(level, self._freedom) + self._leaning

    @cached_property
    def _leaning(self) -> float:
        """By how many standard errors chance skewness of a few clusters moves Student's bound out, on average.

        The skewness of G values has variance 6 (G - 2) / ((G + 1) (G + 3)) where there is none, and that of their mean
        is 1 / G of it (Fisher 1930); half the time it harms the other side.
        """
        if self.point or min((count for count in self.design.clusters if count), default=0) >= BOOTSTRAP_CLUSTERS:
            return 0.0
        own = np.array([self.parts.rows, self.parts.columns, self.parts.cells, self.parts.within])
        spread = np.maximum((self.design.expected() @ own)[:2], 0.0)
        if not spread.sum() > 0.0:
            return 0.0
        count = np.maximum(self.design.clusters, 2)
        each = spread**1.5 * np.sqrt(6.0 * (count - 2) / ((count + 1) * (count + 3) * count))
        together = self.design.scatter(self.parts)[1][0, 1]
        deviation = math.sqrt(float((each**2).sum() + 2.0 * together * each.prod())) / float(spread.sum()) ** 1.5
        return lean(deviation / math.sqrt(2.0 * math.pi), self.df)

    def _edge(self, check: Callable[[float], bool], far: float, near: float) -> float | None:
        """Bisect between `far`, where a verdict is surest, and `near`, the bar."""
        if self.refused or not check(far):
            return None
        for _ in range(_STEPS):
            middle = (far + near) / 2.0
            if check(middle):
                far = middle
            else:
                near = middle
        return far

    def _chance(self, truth: float, bar: float, level: float, *, upper: bool) -> float:
        check_alpha(level)
        if not (math.isfinite(truth) and math.isfinite(bar)):
            raise ValueError(f"truth {truth!r} and bar {bar!r} must be numbers")
        if self.refused:
            return 0.0
        se = max(self.se, 1e-12)
        sign = 1.0 if upper else -1.0
        # Seen from the bar: how much room the estimate has on the side of the verdict.
        room = sign * (bar - truth)
        width = np.zeros(1) if self.point else self._critical(level) * np.sqrt(self._variances)
        free = float(np.mean(special.ndtr((room - width) / se)))
        few = self._few_events
        if few <= 1e-6:
            return free
        share = unseen_share(_cells(self.design), level)
        end = sign * (self.limits[1 if upper else 0] - truth)
        floored = np.minimum(room - width, (room - share * end) / (1.0 - share) if share < 1.0 else -math.inf)
        return (1.0 - few) * free + few * float(np.mean(special.ndtr(floored / se)))


def _cells(design: Design) -> int:
    return int((design.weights > 0).sum()) if design.subtract else min(design.clusters)


def _few_events(design: Design, parts: Components) -> float:
    """Return P(fewer than 10 clusters of a factor hold a cell unlike the commonest), which widens bounds to exact ones.

    A cell of m samples shows the commonest value where none of them moves, or because means of m take few values.
    """
    still = 1.0 - min(max(parts.activity, 0.0), 1.0)
    samples = design.weights * design.n
    spread = math.sqrt(parts.rows + parts.columns + parts.cells + parts.within)
    alike = np.minimum(0.4 / np.sqrt(np.maximum(samples, 1.0)) / spread, 1.0) if spread > 0 else np.ones(1)
    alike = np.where(still > 0.0, alike, 0.0)  # values that never repeat have no commonest one
    same = np.where(
        samples > 0, np.maximum(still ** np.maximum(samples, 1.0), np.where(samples > 1.5, alike, 0.0)), 1.0
    )
    worst = 0.0
    for axis, count in ((1, design.clusters[0]), (0, design.clusters[1])):
        if count:
            moves = 1.0 - np.prod(same, axis=axis)[:count]
            worst = max(worst, float(stats.binom.cdf(FEWEST_CLUSTERS - 1, count, float(moves.mean()))))
    # There must be a value that more than a third of the cells show.
    held = same[samples > 0]
    return min(worst, float(stats.binom.sf(len(held) // 3, len(held), float(held.mean()))))


@lru_cache(maxsize=1)
def _lattice() -> Floats:
    """Return points that fill the unit cube evenly (an additive recurrence of the plastic number), as normal scores."""
    plastic = 1.2207440846057596
    steps = np.array([1 / plastic, 1 / plastic**2, 1 / plastic**3])
    points = (0.5 + np.arange(1, _POINTS + 1)[:, None] * steps) % 1.0
    found: Floats = stats.norm.ppf(points)
    return found


def _variances(design: Design, parts: Components, *, largest: bool = True) -> Floats:
    """Return the estimated variance at each point of the lattice."""
    own = np.array([parts.rows, parts.columns, parts.cells, parts.within])
    means = design.expected() @ own
    freedom, correlation = design.scatter(parts)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    scores = _lattice() @ root.T
    scores /= np.maximum(np.sqrt((root**2).sum(axis=1)), 1e-12)
    rows, columns, cells = (_scaled(scores[:, at], freedom[at], means[at]) for at in range(3))
    if design.clusters[1] == 0:
        return rows
    both = rows + columns - cells
    return np.maximum(both, np.maximum(rows, columns)) if largest else np.maximum(both, 0.0)


def _scaled(scores: Floats, df: float, mean: float) -> Floats:
    """Return a chi-square with `df` degrees of freedom, scaled to `mean`, at the given normal scores."""
    if not math.isfinite(df):
        return np.full(len(scores), mean)
    found: Floats = mean * special.chdtri(df, special.ndtr(-scores)) / df
    return found
