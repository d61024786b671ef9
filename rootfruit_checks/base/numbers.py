"""Figures that JSON can hold. Imports nothing heavy: what only decides and reports must not pay for it."""

from __future__ import annotations

import math


def finite(value: float) -> float | None:
    """Return a float; None for what is not finite."""
    return float(value) if math.isfinite(value) else None
