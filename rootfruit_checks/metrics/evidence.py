"""What the measures of both kinds share: the evidence, the request for it, and strict lining up of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.numbers import finite
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import Interval, refusal
from rootfruit_checks.stats.sign_flip import sign_flip
from rootfruit_checks.stats.variance_components import fit

WORST_KEPT = 50
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured for one check.

    Attributes:
        check_id: `benchmark/metric/group`.
        n: samples of the group that the estimate uses (pairs, or prompts).
        unscored: answers that could not be scored, of both models, group and control together.
        unscored_share: the largest share of them in any one arm (model x group or control): a model that goes silent
            on one side only must not hide behind the others.
        clusters: how many clusters each random factor has, in the registry's order.
        policy: the policy's level (rate or disparity) of which the estimate is made; None where there is none.
        reference: likewise for the reference.
        interval: estimate and bounds.
        details: description beside the estimate: plain numbers, strings, dicts and None, ready for JSON.
        contributions: (sample, value), the most harmful first, at most 50.

    """

    check_id: str
    n: int
    unscored: int
    unscored_share: float
    clusters: Mapping[str, int]
    policy: float | None
    reference: float | None
    interval: Interval
    details: Mapping[str, object] = field(default_factory=dict)
    contributions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One request for evidence: see `evaluate`."""

    measure: Measure
    check_id: str
    alpha: float
    beta: float
    seed: int
    noise: float
    members: frozenset[str]
    controls: frozenset[str]

    def nothing(self, why: str, unscored: int = 0) -> Evidence:
        """Evidence for a group without usable rows."""
        none = refusal(math.nan, (0,) * len(self.measure.clusters), why)
        share = 1.0 if unscored else 0.0
        return Evidence(self.check_id, 0, unscored, share, dict.fromkeys(self.measure.clusters, 0), None, None, none)

    def mean(self, values: Floats, clusters: Sequence[Any]) -> Interval:
        """`clustered_mean` with this plan's level, seed, range of a value and factor names."""
        return clustered_mean(
            values,
            [np.asarray(factor, dtype=str) for factor in clusters],
            alpha=self.alpha,
            seed=self.seed,
            value_range=self.measure.value_range,
            factors=self.measure.clusters,
        )

    def sign_flips(self, values: Floats, clusters: Sequence[Any]) -> dict[str, float | None]:
        """p-values of "no change" by factor: a permutation test beside the bounds, which assumes no variance.

        A factor that some rows lack (they name nobody) cannot flip them, and is left out.
        """
        columns = {
            name: np.asarray(labels, dtype=str) for name, labels in zip(self.measure.clusters, clusters, strict=True)
        }
        return {
            name: finite(sign_flip(values, labels, seed=self.seed))
            for name, labels in columns.items()
            if not (labels == "").any()
        }

    def components(self, values: Floats, clusters: Sequence[Any], strata: Sequence[str]) -> dict[str, float | int]:
        """The variance components of a value, from which `rootfruit plan --from` plans a later run."""
        return asdict(fit(values, clusters, strata))

    def counted(self, interval: Interval) -> dict[str, int]:
        """Clusters by factor name."""
        return dict(zip(self.measure.clusters, interval.clusters, strict=True))


def by_sample(rows: pd.DataFrame, what: str, keys: Sequence[str] = ("sample",)) -> pd.DataFrame:
    """Return `rows` indexed by sample, or raise DataError where a key occurs twice."""
    twice = rows.duplicated(list(keys))
    if twice.any():
        raise DataError(
            f"sample {rows.loc[twice, 'sample'].iloc[0]!r} has more than one {what}; "
            "sample ids must be unique (is a data file read twice?)"
        )
    return rows.set_index("sample")


def aligned(policy: pd.Index, reference: pd.Index, what: str) -> None:
    """Raise DataError, naming a sample, unless both models answered the same samples."""
    for one, other, name in ((policy, reference, "reference"), (reference, policy, "policy")):
        missing = one.difference(other)
        if len(missing):
            raise DataError(
                f"sample {missing[0]!r} has no {what} of the {name} ({len(missing)} such samples): "
                "policy and reference must be measured on the same samples"
            )


def worst(samples: Sequence[str], first: Floats, then: Floats) -> tuple[tuple[str, float], ...]:
    """Return (sample, first) for the largest `first`, ties by `then`, then by id, so that the order is stable."""
    names = np.asarray(samples, dtype=str)
    order = np.lexsort((names, -then, -first))[:WORST_KEPT]
    return tuple((str(names[at]), float(first[at])) for at in order)


def wins(difference: Floats, noise: float) -> Floats:
    """1 where the stigmatizing sentence is likelier, 0 where it is not, one half within the noise."""
    return np.where(np.abs(difference) <= noise, 0.5, (difference > 0).astype(np.float64))


def means(values: Floats, labels: Sequence[str]) -> dict[str, float]:
    """Mean of `values` by label, labels sorted."""
    kinds, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    sums = np.bincount(codes, weights=values, minlength=len(kinds))
    counts = np.bincount(codes, minlength=len(kinds))
    return {str(kind): float(total / count) for kind, total, count in zip(kinds, sums, counts, strict=True)}
