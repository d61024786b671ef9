"""The power of a design: chances of each verdict before any measurement, and the smallest detectable effects.

The estimate is treated as normal around the truth. Its clustered variance estimate is, as in `table.py`, the largest
of three combinations of three sums of squares, each a scaled chi-square (Satterthwaite), correlated according to the
design. For one factor this is the noncentral t exactly; for two it is the noncentral t averaged over that distribution
on a fixed lattice of points, without random numbers. If few clusters will show any event, the bound of `exact.py` is
the floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from rootfruit_checks.stats import confidence_sequence
from rootfruit_checks.stats.exact import unseen_share
from rootfruit_checks.stats.intervals import BOOTSTRAP_CLUSTERS, check_alpha, effective, lean, t_quantile, too_few
from rootfruit_checks.stats.sparse_events import few_events
from rootfruit_checks.stats.variance_components import Components, Design

Floats = NDArray[np.float64]
_POINTS = 2048
_STEPS = 24
# Draws of scores, for at most this many clusters; beyond that the ratio to their number stays the same.
_DRAWN, _MOST_DRAWN = 512, 200
# How often a bound is on the side of a tail by chance: half the time by clusters, half the time by cells. Their
# agreement is half way between perfect and random.
_TAILED = 0.625


@dataclass(frozen=True)
class Power:
    """Chances of the verdicts of one check under a plan.

    Args:
        design: how the samples are spread over clusters.
        parts: the expected variance components.
        value_range: the range of a single value.
        factors: names of the factors, for messages.
        point: the estimate itself decides, regardless of its bounds.
        looks: the bounds hold at every sequential look; chances are then those at the planned size, where cases that
            were not clear before are decided.

    """

    design: Design
    parts: Components
    value_range: tuple[float, float] = (-1.0, 1.0)
    factors: tuple[str, ...] = ("factor 1", "factor 2")
    point: bool = False
    looks: bool = False

    @property
    def refused(self) -> str:
        """Why there will be no bound, or ""."""
        if not self.design.n:
            return "there are no samples"
        count = len(self.factors)
        return too_few(self.design.clusters[:count], self.factors)

    @property
    def se(self) -> float:
        """Expected standard error of the estimate."""
        return math.sqrt(self.design.variance(self.parts))

    @property
    def df(self) -> float:
        """Degrees of freedom of Student's t, from the factor with the fewest effective clusters."""
        return min((effective(sizes) for sizes in self.design.sizes), default=1.0) - 1.0

    def p_pass(self, truth: float, bar: float, alpha: float) -> float:
        """Return P(upper bound at 1 - alpha <= bar) if the true value is `truth`."""
        return self._chance(truth, bar, alpha, upper=True)

    def p_fail(self, truth: float, bar: float, level: float) -> float:
        """Return P(lower bound at 1 - level > bar) if the true value is `truth`."""
        return self._chance(truth, bar, level, upper=False)

    def passes_up_to(self, bar: float, alpha: float, power: float) -> float | None:
        """Return the largest true value that passes with at least this chance; None if there is none."""
        low = max(self.value_range[0], bar - (self.value_range[1] - self.value_range[0]))
        return self._edge(lambda truth: self.p_pass(truth, bar, alpha) >= power, low, bar)

    def fails_from(self, bar: float, level: float, power: float) -> float | None:
        """Return the smallest true value that fails with at least this chance; None if there is none."""
        return self._edge(lambda truth: self.p_fail(truth, bar, level) >= power, self.value_range[1], bar)

    @cached_property
    def _variances(self) -> Floats:
        return _variances(self.design, self.parts)

    @cached_property
    def _few_events(self) -> float:
        return 0.0 if self.point else few_events(self.design, self.parts, share=self.value_range[0] >= 0.0)

    @property
    def _resampled(self) -> bool:
        """Whether there are enough clusters for the bootstrap."""
        return min((count for count in self.design.clusters if count), default=0) >= BOOTSTRAP_CLUSTERS

    @cached_property
    def _freedom(self) -> float:
        """Degrees of freedom of the bound: Student's, or the equivalent for the bootstrap."""
        if not self._resampled:
            return self.df
        drawn = _variances(self.design, self.parts, largest=False)
        spread = float(drawn.var())
        return max(self.df, 2.0 * float(drawn.mean()) ** 2 / spread) if spread > 0 else math.inf

    def _critical(self, level: float, tail: float = 0.0) -> float:
        """Return the distance of the bound in standard errors; `tail` is the third moment of a tail on its side."""
        if self.looks:
            return float(confidence_sequence.quantiles(level, 1.0, self.df, self._skewed(tail))[1])
        if not math.isfinite(self._freedom):
            return float(stats.norm.isf(level))
        return t_quantile(level, self._freedom) + (0.0 if self._resampled else lean(self._skewed(tail), self.df))

    def _skewed(self, tail: float) -> float:
        """Return the skewness that moves Student's bound outwards, on average.

        The sample skewness of G values has variance 6 (G - 2) / ((G + 1) (G + 3)) if the true one is 0, and that of
        their mean is 1 / G of it (Fisher 1930). The bound moves if skewness, normal around the true one, harms its
        side.
        """
        if self.point:
            return 0.0
        own = np.array([self.parts.rows, self.parts.columns, self.parts.cells, self.parts.within])
        spread = np.maximum((self.design.expected() @ own)[:2], 0.0)
        if not spread.sum() > 0.0:
            return 0.0
        count = np.maximum(self.design.clusters, 2)
        each = spread**1.5 * np.sqrt(6.0 * (count - 2) / ((count + 1) * (count + 3) * count))
        together = self.design.scatter(self.parts)[1][0, 1]
        deviation = math.sqrt(float((each**2).sum() + 2.0 * together * each.prod())) / float(spread.sum()) ** 1.5
        if not deviation > 0.0:
            return 0.0
        true = tail / float(spread.sum()) ** 1.5
        ratio = true / deviation
        return float(deviation * math.exp(-(ratio**2) / 2.0) / math.sqrt(2.0 * math.pi) + true * special.ndtr(ratio))

    def _edge(self, check: Callable[[float], bool], far: float, near: float) -> float | None:
        """Bisect between `far`, where a verdict is most certain, and `near`, the bar."""
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
        # The distance of the truth from the bar, on the side of the verdict.
        room = sign * (bar - truth)
        errors = np.sqrt(self._variances)
        clusters, inner = (0.0, 0.0) if self.point else self._third(truth)
        width = np.zeros(1) if self.point else self._critical(level, sign * clusters) * errors
        scatter = self.se * float(self._variances.std())
        coupled = max(-0.9, min(0.9, (clusters - inner) / scatter)) if scatter > 0 else 0.0
        # The estimate given its own standard error: the part that moves with it, and the rest.
        drift = sign * coupled * se * (errors - errors.mean()) / max(float(errors.std()), 1e-12) if coupled else 0.0
        left = se * math.sqrt(1.0 - coupled**2)
        free = float(np.mean(special.ndtr((room - width - drift) / left)))
        if self._resampled and not (self.point or self.looks):
            # On the side of a tail the bootstrap is no narrower than Student's t for the carrying clusters.
            least = t_quantile(level, _carrying(self.design) - 1.0) * errors
            tailed = float(np.mean(special.ndtr((room - np.maximum(width, least) - drift) / left)))
            free = (1.0 - _TAILED) * free + _TAILED * tailed
        few = self._few_events
        if few <= 1e-6:
            return free
        share = unseen_share(_cells(self.design), level)
        end = sign * (self.value_range[1 if upper else 0] - truth)
        # Student's t then uses the number of clusters that carry the events, which differs between samples.
        freedom = np.minimum(self.df, _carriers(tuple(effective(sizes) for sizes in self.design.sizes)) - 1.0)
        wide = -special.stdtrit(freedom, confidence_sequence.last_level(level) if self.looks else level) * errors
        floored = np.minimum(room - wide, (room - share * end) / (1.0 - share) if share < 1.0 else -math.inf)
        return (1.0 - few) * free + few * float(np.mean(special.ndtr((floored - drift) / left)))

    def _third(self, truth: float) -> tuple[float, float]:
        """Return the third central moment of the mean of a share, estimated from its clusters, and from its cells.

        It depends on the share p: the mean of n samples of a cluster has 3 (1 - 2p) s^2 / n + p (1 - p) (1 - 2p) / n^2,
        where s^2 is the variance of its effect. For the mean it is the sum of the cubed weights times that, which is
        also the covariance of a mean with its own variance's estimate (Cramer 1946, 27.4). For differences it is
        unknown.
        """
        if self.value_range != (0.0, 1.0) or not self.design.subtract or not 0.0 < truth < 1.0:
            return 0.0, 0.0
        w, lean_of = self.design.weights, 1.0 - 2.0 * truth

        def moment(weights: Floats, part: float) -> float:
            held = weights[weights > 0]
            count = np.maximum(held * self.design.n, 1.0)
            each = 3.0 * lean_of * part / count + truth * (1.0 - truth) * lean_of / count**2
            return float((held**3 * each).sum())

        rows, columns = self.parts.rows, self.parts.columns
        apart = moment(w[:-1].sum(axis=1), rows) + moment(w[:, :-1].sum(axis=0), columns)
        return apart, moment(w[:-1, :-1].ravel(), rows + columns)


def _carrying(design: Design) -> float:
    """Return the expected effective number of clusters that carry the variance, in the smallest factor.

    The participation ratio of the squares of G normal scores is (G + 2) / 3. The smaller of two factors has, by
    simulation at 12 clusters, 0.4 less.
    """
    several = 0.4 * (len(design.sizes) - 1)
    return max(2.0, min((effective(sizes) + 2.0) / 3.0 for sizes in design.sizes) - several)


@lru_cache(maxsize=16)
def _carriers(counts: tuple[float, ...]) -> Floats:
    """Return the values whose mean is `_carrying`, one per lattice point: fixed draws of normal scores, in an order
    that is independent of the lattice.
    """
    rng = np.random.default_rng(0)
    least = np.full(_DRAWN, np.inf)
    for count in counts:
        squares = rng.standard_normal((_DRAWN, min(_MOST_DRAWN, max(2, round(count))))) ** 2
        ratio = squares.sum(axis=1) ** 2 / (squares**2).sum(axis=1)
        least = np.minimum(least, ratio * max(1.0, count / _MOST_DRAWN))
    return np.resize(np.maximum(least, 2.0), _POINTS)


def _cells(design: Design) -> int:
    return int((design.weights > 0).sum()) if design.subtract else min(design.clusters)


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
