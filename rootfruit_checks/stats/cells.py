"""A two-way table of clusters: both estimators, the mean and the concordance, are ratios over such a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rootfruit_checks.stats.intervals import Floats

_DENSE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Sums and weights by cell, shape (rows + 1, columns + 1): the last row and column are "outside the factor".

    `subtract` tells whether cells were counted in both one-way variances and must be subtracted once (Cameron, Gelbach
    and Miller 2011), or not (DeLong 1988: rows and columns are different samples).
    `independent` is the number of independent cells for an exact bound.
    """

    sums: Any
    weights: Any
    subtract: bool
    independent: int

    @classmethod
    def build(cls, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats, shape: tuple[int, int]) -> Table:
        """Sum up values by codes; code -1 means outside the factor. `shape` is (row clusters, column clusters)."""
        size = (shape[0] + 1, shape[1] + 1)
        flat = np.where(rows < 0, shape[0], rows) * size[1] + np.where(columns < 0, shape[1], columns)
        if size[0] * size[1] <= _DENSE:
            many = size[0] * size[1]
            counts = np.bincount(flat, minlength=many)
            sums = np.bincount(flat, weights=values, minlength=many)
            dense = sums.reshape(size), counts.astype(np.float64).reshape(size)
            return cls(*dense, subtract=True, independent=int(np.count_nonzero(counts)))
        cells, where = np.unique(flat, return_inverse=True)
        place = np.divmod(cells, size[1])
        tables = [
            sparse.csr_array((np.bincount(where, weights=given, minlength=len(cells)), place), shape=size)
            for given in (values, np.ones_like(values))
        ]
        return cls(tables[0], tables[1], subtract=True, independent=len(cells))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of clusters of the row and the column factor."""
        return self.sums.shape[0] - 1, self.sums.shape[1] - 1
