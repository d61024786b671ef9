"""Numbers that JSON can store. Imports nothing heavy, because commands that only decide and report import it."""

from __future__ import annotations

import math


def finite(value: float) -> float | None:
    """Return a float, or None if it is not finite."""
    return float(value) if math.isfinite(value) else None
