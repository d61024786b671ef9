"""Bounds that hold at every look at a sample that grows by whole clusters, up to its planned size.

The error of a mean over n of N planned clusters, times n / sqrt(N) and in units of its own standard deviation, is a
Brownian motion W at time t = n / N (Donsker). The probability that W crosses a straight line in [0, 1] has a closed
form (Robbins and Siegmund 1970, from the reflection principle):

    P(W_t >= a + b t for some t <= 1) = P(Z >= a + b) + exp(-2 a b) P(Z >= a - b).

So with `a` chosen for a level, estimate + (a + b t) / sqrt(t) * se is a one-sided confidence sequence for the planned
sample: it holds after all clusters simultaneously, so it holds at any look at which a run stops, and skipped looks
only make it safer. It is not valid beyond the planned sample.

A second factor that is complete at every look (the disclosure forms, when looks are taken over names) adds the same
error to all of them. That raises the correlation between looks m < n from sqrt(m / n) to
sqrt((v / n + s) / (v / m + s)), and by Slepian's lemma a Gaussian process with larger correlations crosses the same
boundary no more often. So the two-way standard error may be used with the time of the factor over which looks are
taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import optimize, special

from rootfruit_checks.stats.intervals import Interval, Law, check_alpha, skewness, t_quantile

# The line's slope in units of W. 0 would spend nearly all of alpha at the end. At 1 the bound is 1.35 times as wide as
# the fixed one at the end, and 1.8 times (not 2.4) at a quarter of the sample, where clear cases are decided.
SLOPE = 1.0
# A few clusters understate the skewness of their population, most where events are rare. By simulation (see
# bench/sequential.py) one Edgeworth term is too small at a rate of 0.1 with clusters that correlate by 0.3; three are
# enough.
LEAN = 3.0


def crossing(intercept: float, slope: float) -> float:
    """Return P(W_t >= intercept + slope t for some t in [0, 1]) of a Brownian motion W; intercept >= 0."""
    first = float(special.ndtr(-intercept - slope))
    return first + math.exp(-2.0 * intercept * slope) * float(special.ndtr(slope - intercept))


@lru_cache(maxsize=4096)
def intercept_of(level: float, slope: float = SLOPE) -> float:
    """Return the intercept of the line that is crossed with probability `level`."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level!r} is not between 0 and 1")
    return float(optimize.brentq(lambda a: crossing(a, slope) - level, 0.0, 40.0, xtol=1e-12))


def multiplier(level: float, share: float) -> float:
    """Return the distance of the one-sided bound, in standard errors, at `share` of the planned clusters.

    Raises:
        ValueError: the share is not in (0, 1].

    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share {share!r} of the planned clusters is not in (0, 1]")
    return (intercept_of(level) + SLOPE * share) / math.sqrt(share)


def last_level(level: float) -> float:
    """Return the level at which a fixed sample's normal bound is as wide as this sequence's at the planned size."""
    return float(special.ndtr(-multiplier(level, 1.0)))


def quantiles(level: float, share: float, df: float, skew: Any = 0.0) -> tuple[Any, Any]:
    """Return the distances of the lower and the upper bound from the estimate, in standard errors.

    The boundary's tail probability is transferred to Student's t with `df`, as in the fixed-sample bound: each look is
    then exceeded as often as for the Brownian motion. If clusters are skewed, mean and standard error move together,
    more so further out. The side that this harms is widened by the Edgeworth term of the t-statistic,
    skew (2 z^2 + 1) / 6 (Hall 1992), taken LEAN times, and the other side is not narrowed.

    Args:
        level: probability that the bound is beyond the truth at any look.
        share: clusters so far, divided by those planned.
        df: degrees of freedom of Student's t.
        skew: skewness of the estimate: sum e^3 / (sum e^2)^(3/2) over the clusters' influences e; a number or array.

    """
    z = multiplier(level, share)
    tail = float(special.ndtr(-z))
    both = t_quantile(tail, df) if tail > 0.0 else math.inf
    lean = LEAN * np.asarray(skew) * (2.0 * z * z + 1.0) / 6.0
    return both + np.maximum(-lean, 0.0), both + np.maximum(lean, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class SequentialLaw(Law):
    """Bounds at any level that hold at all looks simultaneously; never narrower than the fixed sample's.

    The exact bound for cells without variation is unchanged: samples without variation are nested, so the first look
    at which it excludes a share is fixed in advance.

    Attributes:
        share: fraction of the planned sample at this look.
        least: degrees of freedom of Student's t, if the fixed bound uses `ratios`.

    """

    share: float = field(default=1.0, kw_only=True)
    least: float = field(default=1.0, kw_only=True)

    def _quantiles(self, level: float) -> tuple[float, float]:
        below, above = quantiles(level, self.share, self.least, self.skew)
        fixed = Law._quantiles(self, level)
        return max(float(below), fixed[0]), max(float(above), fixed[1])


def sequential(interval: Interval, share: float, alpha: float) -> Interval:
    """Return an interval's estimate with the bounds that hold at every look; a refused one stays refused.

    Args:
        interval: the fixed-sample statistics at this look.
        share: clusters so far divided by those planned, in the factor over which looks are taken; in (0, 1].
        alpha: with probability 1 - alpha, each one-sided bound is beyond the truth at no look.

    """
    check_alpha(alpha)
    multiplier(alpha, share)
    law = interval.law
    if interval.refused or law is None:
        return interval
    least = law.df if math.isfinite(law.df) else float(min(count for count in interval.clusters if count) - 1)
    # `reach` holds for a single look only.
    known = law.df, law.ratios, law.cells, law.value_range, skewness(interval.scores), law.heavy, law.wide, law.extra
    ours = SequentialLaw(*known, share=share, least=least)
    low, high = ours.bounds(interval.estimate, interval.se, alpha)
    said = f"bounds hold at every look; this one has {100 * share:.0f} % of the planned clusters"
    note = "; ".join(part for part in (interval.note, said) if part)
    return replace(interval, df=least, low=low, high=high, method="sequential", note=note, law=ours)
