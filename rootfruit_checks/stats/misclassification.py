"""Rates corrected for the instrument's errors (Rogan and Gladen 1978): descriptive, never gated.

For an apparent rate p, with sensitivity Se and specificity Sp measured on labelled data, the corrected rate is
(p + Sp - 1) / (Se + Sp - 1). It assumes that Se and Sp are the same on this text as on the labelled data, which
cannot be checked here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import check_alpha


@dataclass(frozen=True, slots=True)
class Calibration:
    """Counts on labelled data: `found` of `positives` true positives were called positive, `false` of `negatives`."""

    positives: int
    found: int
    negatives: int
    false: int

    def __post_init__(self) -> None:
        if not (0 <= self.found <= self.positives and 0 <= self.false <= self.negatives):
            raise ValueError(f"{self}: more rows were called positive than there are")

    @property
    def sensitivity(self) -> float:
        """Share of the true positives that were called positive; NaN if there are none."""
        return self.found / self.positives if self.positives else math.nan

    @property
    def specificity(self) -> float:
        """Share of the true negatives that were called negative; NaN if there are none."""
        return 1.0 - self.false / self.negatives if self.negatives else math.nan

    @property
    def youden(self) -> float:
        """Se + Sp - 1: 1 for an instrument without errors, 0 for one that guesses."""
        return self.sensitivity + self.specificity - 1.0

    def variance(self, rate: float) -> float:
        """Variance that the calibration adds to a corrected rate, with Lang and Reiczigel's (2014) added rows.

        One row of each outcome is added to each sample, so that 20 of 20 correct is not certainty. Delta method:
        [rate^2 Se (1 - Se) / n + (1 - rate)^2 Sp (1 - Sp) / n'] / (Se + Sp - 1)^2.
        """
        found, true = (self.found + 1) / (self.positives + 2), (self.negatives - self.false + 1) / (self.negatives + 2)
        parts = rate**2 * found * (1 - found) / (self.positives + 2)
        parts += (1 - rate) ** 2 * true * (1 - true) / (self.negatives + 2)
        return parts / self.youden**2


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected figure with one-sided bounds, each at 1 - alpha; NaN with a `note` if there is none."""

    estimate: float
    low: float
    high: float
    note: str = ""


def rogan_gladen(rate: float, calibration: Calibration) -> float:
    """Return the corrected rate, which may be outside [0, 1] if Se and Sp do not allow p."""
    return (rate + calibration.specificity - 1.0) / calibration.youden


def corrected(
    parts: Sequence[tuple[float, NDArray[Any], Calibration]],
    clusters: Sequence[Sequence[str] | NDArray[Any]],
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> Corrected:
    """Return a corrected sum of rates: one part for a rate, two with weights 1 and -1 for a difference.

    For given Se and Sp the figure is a mean of rows, whose clustered bounds reflect the sampling. The calibrations of
    the parts are treated as independent samples and add their variance in quadrature.

    Args:
        parts: weight, apparent values of each row, calibration.
        clusters: one or two factors, each with a label for each row.
        alpha: level of each bound.
        seed: seed of the bootstrap.

    Raises:
        ValueError: parts have different lengths, or values are not finite or not shares.

    """
    check_alpha(alpha)
    if not all(part.youden > 0.0 for _, _, part in parts):
        return Corrected(math.nan, math.nan, math.nan, "the instrument is no better than guessing on labelled data")
    columns = [
        weight * (np.asarray(values, np.float64) + known.specificity - 1.0) / known.youden
        for weight, values, known in parts
    ]
    total = np.sum(columns, axis=0)
    spread = sum(abs(weight) / known.youden for weight, _, known in parts)
    interval = clustered_mean(total, clusters, alpha=alpha, seed=seed, value_range=(-2 * spread, 2 * spread))
    if not math.isfinite(interval.estimate) or interval.refused:
        return Corrected(interval.estimate, math.nan, math.nan, interval.note)
    variance = 0.0
    for weight, values, known in parts:
        rate = min(1.0, max(0.0, rogan_gladen(float(np.mean(values)), known)))
        variance += weight**2 * known.variance(rate)
    spare = float(norm.ppf(1.0 - alpha)) ** 2 * variance
    low = interval.estimate - math.sqrt((interval.estimate - interval.low) ** 2 + spare)
    high = interval.estimate + math.sqrt((interval.high - interval.estimate) ** 2 + spare)
    return Corrected(interval.estimate, low, high)
