"""Cells of looking again and again: truth at the limit, and the gate asked after every look of a growing run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from calibrated import ALPHA, ICC, Cell, plant, verdict
from planted import Planted

from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.confidence_sequence import sequential

PREDICATES = 40
# From the fewest clusters of which there is a bound, by this many predicates.
FIRST, STEP = 10, 3
_planted = cache(plant)


def _part(made: Planted, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(label[rows] for label in made.labels)


def looks(kind: str, icc: float) -> Cell:
    """Looks after every third predicate of 40: `ever` counts runs in which any look would have decided falsely."""

    def one(seed: int) -> Mapping[str, float]:
        made = _planted(kind, PREDICATES, icc)
        values = made.draw(np.random.default_rng(seed))
        predicate = np.array([int(label[1:]) for label in made.labels[0]])
        bar = round(made.truth, 12)
        seen: dict[str, set[str]] = {"ever": set(), "fixed bounds ever": set()}
        for clusters in range(FIRST, PREDICATES + 1, STEP):
            rows = np.flatnonzero(predicate < clusters)
            fixed = clustered_mean(
                values[rows], _part(made, rows), alpha=ALPHA, seed=seed, value_range=made.value_range
            )  # fmt: skip
            ours = sequential(fixed, clusters / PREDICATES, ALPHA)
            for name, interval in (("ever", ours), ("fixed bounds ever", fixed)):
                seen[name].add(verdict("winoqueer/preference", interval, len(rows), bar))
        return {
            f"{outcome} {name}": float(outcome in found) for name, found in seen.items() for outcome in ("pass", "fail")
        }

    return Cell(f"looks | {kind} | {icc:g}", one, {"pass ever": ALPHA, "fail ever": ALPHA})


def all_looks() -> list[Cell]:
    """The cells of sequential looks."""
    return [looks("preference", icc) for icc in ICC]
