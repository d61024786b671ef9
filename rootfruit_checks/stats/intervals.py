"""Estimates with one-sided bounds on both sides, and the method that gave them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rootfruit_checks.stats.exact import unseen_bounds

Floats = NDArray[np.float64]
Method = Literal["t", "bootstrap", "exact", "sequential", "refused"]

# With fewer clusters than this in the smallest factor no bound is given: a variance over so few is itself a guess.
FEWEST_CLUSTERS = 10
# With at least this many clusters in every factor the studentized bootstrap replaces Student's t.
BOOTSTRAP_CLUSTERS = 30
# (REPLICATES + 1) * alpha is an integer for the usual levels, so that the quantiles are order statistics.
REPLICATES = 1999
# By simulation with 12 clusters that correlate by up to 0.3 (bench/calibration.py).
LEAN = 1.5
# The range of levels in which a p-value is searched.
_LEAST, _HIGHEST = 1e-9, 0.4999


def t_quantile(level: float, df: float) -> float:
    """Return the value that Student's t exceeds with probability `level`; ten times as fast as scipy.stats."""
    return -float(special.stdtrit(df, level))


def effective(sizes: Floats) -> float:
    """Return the equivalent number of equal-sized clusters, whose members may agree entirely: at most their number.

    Squared sizes are then shares of the variance: (sum w^2)^2 / sum w^4 (Carter, Schnepel and Steigerwald 2017).
    """
    squares = (sizes / sizes.max()) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def lean(skew: float, df: float) -> float:
    """Return how many standard errors to move a skewed estimate's bound outwards on the side of its tail.

    If clusters are skewed, mean and standard error move together: in a sample that missed the tail both are too small.
    The t-statistic's Edgeworth term is skew (2 q^2 + 1) / 6 (Hall 1992), skew = sum e^3 / (sum e^2)^(3/2) over the
    clusters' influences e. It is taken at the 5 % quantile q, because the expansion is unreliable further out, and LEAN
    times, because a few clusters understate their own skewness. The other side is not narrowed.
    """
    quantile = t_quantile(0.05, df)
    return LEAN * skew * (2.0 * quantile * quantile + 1.0) / 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """Gives an estimate's bounds at any level.

    Attributes:
        df: degrees of freedom of Student's t, if there are no `ratios`.
        ratios: sorted studentized ratios of the bootstrap, shape (B,); None for Student's t.
        cells: the bounds are never narrower than the exact ones for this many cells without variation; 0: no such rule.
        value_range: the bounds stay within this range.
        skew: skewness of the estimate, which Student's t ignores; see `lean`.
        heavy: if few clusters carry the variance, their degrees of freedom: on `wide` sides the bootstrap is never
            narrower than Student's t with these. NaN if many do.
        wide: whether that holds for the lower and for the upper bound: on the side of the tail; on both if very few
            clusters carry the variance, or clusters are so uneven that a few large ones dominate.
        extra: additional standard errors on the side of the tail, for skewness that uneven clusters show.
        reach: no bound is further away than this times sqrt(ln(1 / level) / 2); see `influence.reach`.

    """

    df: float
    ratios: Floats | None
    cells: int
    value_range: tuple[float, float]
    skew: float = 0.0
    heavy: float = math.nan
    wide: tuple[bool, bool] = (False, False)
    extra: float = 0.0
    reach: float = math.inf

    def bounds(self, estimate: float, se: float, level: float) -> tuple[float, float]:
        """Return (low, high), each one-sided at 1 - level."""
        low, high = estimate, estimate
        if se > 0.0:
            below, above = self._quantiles(level)
            low, high = estimate - below * se, estimate + above * se
        if self.cells:
            floor = unseen_bounds(estimate, self.cells, level, self.value_range)
            low, high = min(low, floor[0]), max(high, floor[1])
        furthest = self.reach * math.sqrt(math.log(1.0 / level) / 2.0)
        low, high = max(low, estimate - furthest), min(high, estimate + furthest)
        return float(max(low, self.value_range[0])), float(min(high, self.value_range[1]))

    def _quantiles(self, level: float) -> tuple[float, float]:
        if self.ratios is None:
            both = t_quantile(level, self.df)
            wider = lean(self.skew, self.df)
            return both + max(-wider, 0.0), both + max(wider, 0.0)
        rank = math.ceil((len(self.ratios) + 1) * (1.0 - level) - 1e-9)
        if rank > len(self.ratios):  # there are too few replicates for so small a level
            return math.inf, math.inf
        # A bootstrap quantile on the wrong side of zero would put the bound beyond the estimate.
        below = max(float(self.ratios[rank - 1]), 0.0)
        above = max(-float(self.ratios[len(self.ratios) - rank]), 0.0)
        if math.isfinite(self.heavy):
            least = t_quantile(level, self.heavy)
            left, right = (0.0, self.extra) if self.skew > 0.0 else (self.extra, 0.0)
            below = max(below, least + left) if self.wide[0] else below
            above = max(above, least + right) if self.wide[1] else above
        return below, above


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The contribution of each cluster of one factor to an estimate's error: its linear influence, summing to 0."""

    factor: str
    labels: NDArray[Any]
    values: Floats


def skewness(scores: Sequence[Scores]) -> float:
    """Return the skewness of an estimate whose error is the sum of these influences; 0 if there are none."""
    if not scores:
        return 0.0
    values = np.concatenate([part.values for part in scores])
    spread = float((values**2).sum())
    return float((values**3).sum()) / spread**1.5 if spread > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with two one-sided bounds, each at 1 - alpha. Refused: the bounds are NaN and `note` says why.

    Attributes:
        estimate: the estimate; NaN if there are no rows.
        se: its clustered standard error.
        df: degrees of freedom of Student's t; NaN for the bootstrap.
        low: lower bound at 1 - alpha.
        high: upper bound at 1 - alpha.
        clusters: number of clusters of each factor; 0 for a factor that is not used.
        method: `t`, `bootstrap`, `exact` (no variation was seen), `sequential` (see `sequential.py`) or `refused`.
        note: a remark for the report, or "".
        parts: one-way clustered variance by factor, which shows the factor that limits precision.
        residual: the part of the variance that more samples within the same clusters would remove; NaN if unknown.
        law: gives bounds at other levels; None if there is none.
        scores: influences by factor and cluster, for the correlation of several estimates.

    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    clusters: tuple[int, ...]
    method: Method
    note: str = ""
    parts: tuple[float, ...] = ()
    residual: float = math.nan
    law: Law | None = field(default=None, compare=False, repr=False)
    scores: tuple[Scores, ...] = field(default=(), compare=False, repr=False)

    def low_at(self, level: float) -> float:
        """Return the one-sided lower bound at 1 - level; NaN where refused."""
        return self._at(level)[0]

    def high_at(self, level: float) -> float:
        """Return the one-sided upper bound at 1 - level; NaN where refused."""
        return self._at(level)[1]

    def _at(self, level: float) -> tuple[float, float]:
        check_alpha(level)
        if self.refused or self.law is None:
            return math.nan, math.nan
        return self.law.bounds(self.estimate, self.se, level)

    def p_above(self, bar: float) -> float:
        """Return the p-value of "the truth is at most `bar`": the smallest level whose lower bound exceeds it.

        It is 1 if no level below one half does, or if the bounds are refused.
        """
        if self.refused or self.law is None or not self.low_at(_HIGHEST) > bar:
            return 1.0
        if self.low_at(_LEAST) > bar:
            return _LEAST
        low, high = math.log(_LEAST), math.log(_HIGHEST)
        for _ in range(50):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self.low_at(math.exp(middle)) > bar else (middle, high)
        return math.exp(high)

    @property
    def refused(self) -> bool:
        """Whether no bound could be given."""
        return self.method == "refused"


def refusal(estimate: float, clusters: tuple[int, ...], note: str) -> Interval:
    """Return an Interval without bounds."""
    return Interval(estimate, math.nan, math.nan, math.nan, math.nan, clusters, "refused", note)


def too_few(clusters: Sequence[int], factors: Sequence[str]) -> str:
    """Name the factors with too few clusters, or return "". A factor with 0 clusters is not used."""
    short = [
        f"{name} has {count}" for count, name in zip(clusters, factors, strict=True) if 0 < count < FEWEST_CLUSTERS
    ]
    if not any(clusters):
        return "there are no clusters"
    if not short:
        return ""
    return f"too few clusters: {' and '.join(short)}; at least {FEWEST_CLUSTERS} are needed for a bound"


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless 0 < alpha < 0.5."""
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha {alpha!r} is not between 0 and 0.5")
