"""Statistics that treat every row as independent. Descriptive only, because the rows come in clusters.

Both are shown next to the clustered bounds so that readers see how much they overstate certainty.
"""

from __future__ import annotations

import math

from scipy import stats


def wilson(count: float, rows: int, alpha: float) -> tuple[float, float]:
    """Return Wilson's (1927) one-sided score bounds, each at 1 - alpha, for `count` of `rows`; ties may count halves.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

    Raises:
        ValueError: there are no rows, or the count is not between 0 and the number of rows.

    """
    if rows < 1 or not 0.0 <= count <= rows:
        raise ValueError(f"{count!r} of {rows!r} rows is not a share")
    z, share = float(stats.norm.isf(alpha)), count / rows
    half = z * math.sqrt(share * (1.0 - share) / rows + z * z / (4.0 * rows * rows))
    middle, scale = share + z * z / (2.0 * rows), 1.0 + z * z / rows
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def mcnemar(toward: int, away: int) -> float:
    """Return McNemar's exact two-sided p-value for rows that moved one way and the other; 1 if none moved."""
    moved = toward + away
    return float(stats.binomtest(toward, moved).pvalue) if moved else 1.0
