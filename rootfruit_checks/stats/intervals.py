"""What an estimate is: a number, one-sided bounds on both sides, and how they were got."""

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

# Below this many clusters in the smallest factor no bound is given: a variance over so few is itself a guess.
FEWEST_CLUSTERS = 10
# From this many clusters on in every factor the studentized bootstrap replaces Student's t.
BOOTSTRAP_CLUSTERS = 30
# (REPLICATES + 1) * alpha is whole for the usual levels, so that the quantiles are order statistics.
REPLICATES = 1999
# By simulation at 12 clusters that correlate by up to 0.3 (bench/calibration.py).
LEAN = 1.5
# The levels between which a p-value is looked for.
_LEAST, _HIGHEST = 1e-9, 0.4999


def t_quantile(level: float, df: float) -> float:
    """Return what Student's t exceeds with probability `level`; scipy.stats takes ten times as long to say it."""
    return -float(special.stdtrit(df, level))


def effective(sizes: Floats) -> float:
    """Return as how many clusters of one size these count, whose members may agree entirely: at most their number.

    Squared sizes are then shares of the variance: (sum w^2)^2 / sum w^4 (Carter, Schnepel and Steigerwald 2017).
    """
    squares = (sizes / sizes.max()) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def lean(skew: float, df: float) -> float:
    """Return by how many standard errors a skewed estimate's bound must be moved out on the side of its tail.

    Where clusters are skewed, mean and standard error move together: a sample that missed the tail has both too small.
    The t-statistic's Edgeworth term is skew (2 q^2 + 1) / 6 (Hall 1992), skew = sum e^3 / (sum e^2)^(3/2) over the
    clusters' influences e. It is taken at the 5 % quantile q, as the expansion is not to be trusted further out; and
    LEAN times, as a few clusters understate their own skewness. The other side is not narrowed.
    """
    quantile = t_quantile(0.05, df)
    return LEAN * skew * (2.0 * quantile * quantile + 1.0) / 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """What gives an estimate's bounds at any level.

    Attributes:
        df: degrees of freedom of Student's t, where there are no `ratios`.
        ratios: sorted studentized ratios of the bootstrap, shape (B,); None for Student's t.
        cells: the bounds are never narrower than the exact ones for so many cells without variation; 0: no such rule.
        value_range: the bounds stay inside these.
        skew: skewness of the estimate, which Student's t does not know of; see `lean`.
        heavy: where few clusters carry the variance, their degrees of freedom: on `wide` sides the bootstrap is never
            narrower than Student's t with these. NaN where many do.
        wide: whether that holds for the lower and for the upper bound: on the side of the tail; on both where they are
            very few, or clusters so uneven that a few large ones decide.
        extra: standard errors more on the side of the tail, for skewness that uneven clusters show.
        reach: no bound is further off than this times sqrt(ln(1 / level) / 2); see `influence.reach`.

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
        if rank > len(self.ratios):  # so small a level is beyond what the replicates can tell
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
    """What each cluster of one factor adds to the error of an estimate: its linear influence, summing to 0."""

    factor: str
    labels: NDArray[Any]
    values: Floats


def skewness(scores: Sequence[Scores]) -> float:
    """Return the skewness of an estimate whose error is the sum of these influences; 0 where there are none."""
    if not scores:
        return 0.0
    values = np.concatenate([part.values for part in scores])
    spread = float((values**2).sum())
    return float((values**3).sum()) / spread**1.5 if spread > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with two one-sided bounds, each at 1 - alpha. Refused: the bounds are NaN and `note` says why.

    Attributes:
        estimate: the estimate; NaN where there are no rows.
        se: its clustered standard error.
        df: degrees of freedom of Student's t; NaN for the bootstrap.
        low: lower bound at 1 - alpha.
        high: upper bound at 1 - alpha.
        clusters: clusters of each factor; a factor in which no row takes part has 0.
        method: `t`, `bootstrap`, `exact` (no variation was seen), `sequential` (see `sequential.py`) or `refused`.
        note: in words, where something must be said; else "".
        parts: one-way clustered variance by factor, to tell which factor limits.
        residual: the part of the variance that more samples within the same clusters would remove; NaN if unknown.
        law: what gives bounds at other levels; None where there is none.
        scores: influences by factor and cluster, for what several estimates have in common.

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
        """Return the p-value of "the truth is at most `bar`": the least level whose lower bound exceeds it.

        1 where no level below one half does, and where the bounds are refused.
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
    """Say which factors have too few clusters, or "". A factor with 0 clusters takes no part."""
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
