"""The difference of two estimates from different samples: variances add."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from rootfruit_checks.stats.intervals import Interval, Law, Scores, check_alpha, refusal, skewness


@dataclass(frozen=True, slots=True, eq=False)
class TwoLaws(Law):
    """Gives the bounds of a difference `first - second`.

    If the bounds of one of them are exact bounds for rows that hardly vary, the difference is never narrower than both
    bounds at half the level imply (Bonferroni).
    """

    first: Interval = field(kw_only=True)
    second: Interval = field(kw_only=True)

    def bounds(self, estimate: float, se: float, level: float) -> tuple[float, float]:
        """Return (low, high), each one-sided at 1 - level."""
        low, high = Law.bounds(self, estimate, se, level)
        if any(one.law is not None and one.law.cells for one in (self.first, self.second)):
            half = level / 2.0
            low = min(low, self.first.low_at(half) - self.second.high_at(half))
            high = max(high, self.first.high_at(half) - self.second.low_at(half))
        return max(low, self.value_range[0]), min(high, self.value_range[1])


def difference(first: Interval, second: Interval, *, alpha: float, value_range: tuple[float, float]) -> Interval:
    """Return `first - second` with one-sided bounds by Student's t, degrees of freedom after Welch and Satterthwaite.

    Each has its own clustered variance, and the two are added as if the samples had nothing in common. If they share
    clusters (the same templates or names, which push both the same way), that is too wide rather than too narrow.

    Args:
        first: an estimate with bounds.
        second: another one.
        alpha: level of each bound.
        value_range: the range of the difference.

    """
    check_alpha(alpha)
    estimate = first.estimate - second.estimate
    clusters = tuple(min(pair) for pair in zip(first.clusters, second.clusters, strict=True))
    for name, one in (("first", first), ("second", second)):
        if one.refused or one.law is None:
            return refusal(estimate, clusters, f"the {name} sample has no bound: {one.note or 'no law of its own'}")
    parts = [(one.se**2, min(count for count in one.clusters if count) - 1.0) for one in (first, second)]
    variance = sum(square for square, _ in parts)
    spread = sum(square**2 / df for square, df in parts)
    df = variance**2 / spread if spread > 0.0 else min(df for _, df in parts)
    # The second sample's clusters are independent draws, even if they have the same names.
    apart = [
        Scores(part.factor, [f"\x1f{label}" for label in part.labels], -part.values)  # type: ignore[arg-type]
        for part in second.scores
    ]
    scores = (*first.scores, *apart)
    law = TwoLaws(df, None, 0, value_range, skewness(scores), first=first, second=second)
    se = math.sqrt(variance)
    low, high = law.bounds(estimate, se, alpha)
    residual = first.residual + second.residual
    return Interval(
        estimate, se, df, low, high, clusters, "t",
        note="two different samples: variances added", residual=residual, law=law,
        scores=scores,
    )  # fmt: skip


def renamed(interval: Interval, first: str, second: str) -> Interval:
    """Return the interval with the samples' names in its note."""
    note = interval.note.replace("the first sample", first).replace("the second sample", second)
    return replace(interval, note=note)
