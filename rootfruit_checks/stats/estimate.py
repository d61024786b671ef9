"""What an estimate is: a number, one-sided bounds on both sides, and how they were got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Method = Literal["t", "bootstrap", "exact", "refused"]

# Below this many clusters in the smallest factor no bound is given: a variance over so few is itself a guess.
FEWEST_CLUSTERS = 10
# From this many clusters on in every factor the studentized bootstrap replaces Student's t.
BOOTSTRAP_CLUSTERS = 30
# (REPLICATES + 1) * alpha is whole for the usual levels, so that the quantiles are order statistics.
REPLICATES = 1999


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
        method: `t`, `bootstrap`, `exact` (no variation was seen) or `refused`.
        note: in words, where something must be said; else "".
        parts: one-way clustered variance by factor, to tell which factor limits.
        residual: the part of the variance that more samples within the same clusters would remove; NaN if unknown.

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
