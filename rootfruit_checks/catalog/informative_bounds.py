"""Which bounds are informative. One at the end of its measure's range holds for every model and is not shown.

The JSON result, JUnit's properties and a baseline keep the number; reports show a dash, or "no bound".
"""

from __future__ import annotations

import math

from rootfruit_checks.catalog.measures import Measure

_SLACK = 1e-9


def informative(measure: Measure | None, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return both bounds, with None for one that the range alone gives, and for one that is not there.

    Args:
        measure: None where it is not registered here: its range is unknown, and nothing is left out.
        low: the lower bound.
        high: the upper bound.

    """
    return within(measure.value_range if measure else (-math.inf, math.inf), low, high)


def within(span: tuple[float, float], low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return both bounds of a quantity that lies in `span`, with None for one that says no more than that."""
    least, most = span
    return (
        low if low is not None and math.isfinite(low) and low > least + _SLACK else None,
        high if high is not None and math.isfinite(high) and high < most - _SLACK else None,
    )
