"""A permutation test that needs no variance estimate: flip the signs of whole clusters."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.stats.clustered_mean import encode

_EXACT = 12
_FLIPS = 4095


def sign_flip(values: NDArray[Any], clusters: NDArray[Any], *, seed: int = 0) -> float:
    """Return the two-sided p-value of "each cluster's sum is symmetric about zero"; NaN without rows.

    With up to 12 clusters whose sum is not zero, all sign patterns are tried; otherwise 4,095 random ones plus the
    observed one. A cluster that sums to zero has no influence.
    """
    codes, kinds = encode(np.asarray(clusters))
    if not len(kinds):
        return math.nan
    sums = np.bincount(codes, weights=np.asarray(values, dtype=np.float64), minlength=len(kinds))
    sums = sums[np.abs(sums) > 1e-12]
    if not len(sums):
        return 1.0
    # scipy.stats.permutation_test has a tolerance relative to the observed sum, so at a sum of zero it misses ties.
    seen = abs(float(sums.sum())) - 1e-9
    if len(sums) <= _EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sums))))
        return float(np.mean(np.abs(signs @ sums) >= seen))
    rng = np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, 0xF11B])
    drawn = rng.choice(np.array([-1.0, 1.0]), size=(_FLIPS, len(sums)))
    return float((1 + np.count_nonzero(np.abs(drawn @ sums) >= seen)) / (_FLIPS + 1))
