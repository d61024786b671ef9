"""The cells of `calibration.py`: what one run of each does, and which of its rates are held to which level."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from planted import Floats, Outcome, Planted, crossed, pairs, uneven
from scipy import stats

from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.metrics.evidence import Evidence
from rootfruit_checks.stats.cells import Table
from rootfruit_checks.stats.clustered_mean import encode
from rootfruit_checks.stats.intervals import Interval
from rootfruit_checks.stats.row_wise import wilson
from rootfruit_checks.stats.two_way_table import interval

ALPHA = 0.05
SIZES = (12, 40, 400)
ICC = (0.0, 0.1, 0.3)
CHECKED = {
    "preference": "winoqueer/preference",
    "amplification": "winoqueer/amplification",
    "rare flips": "winoqueer/amplification",
    "regard, uneven": "winoqueer/preference",
    "disparity": "misgendering/disparity",
    "disparity, both": "misgendering/disparity",
}


@dataclass(frozen=True)
class Cell:
    """One cell: `one(seed)` gives counts of a single run; `held` says which rates may not exceed which level."""

    name: str
    one: Callable[[int], Mapping[str, float]]
    held: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def evidence(check_id: str, found: Interval, rows: int) -> Evidence:
    """What was measured, as the gate wants it."""
    names = MEASURES[check_id.rpartition("/")[0]].clusters[: len(found.clusters)]
    return Evidence(
        check_id, rows, 0, 0.0, dict(zip(names, found.clusters, strict=True)), None, None, found
    )  # fmt: skip


class Coded:
    """Labels encoded once: `clustered_mean` of any values in these rows, for cells whose labels never change."""

    def __init__(self, labels: Sequence[NDArray[np.str_]], names: tuple[str, ...] = ("first", "second")) -> None:
        self.names = names[: len(labels)]
        found = [encode(label) for label in labels]
        self.kinds = [kinds for _, kinds in found]
        codes = [code for code, _ in found]
        self.rows, self.columns = codes if len(codes) == 2 else (codes[0], np.full(len(codes[0]), -1, dtype=np.intp))

    def mean(
        self, values: Floats, seed: int, value_range: tuple[float, float] = (-1.0, 1.0), *, resample: bool = True
    ) -> Interval:  # fmt: skip
        """What `clustered_mean` gives, run for run."""
        shape = (len(self.kinds[0]), len(self.kinds[1]) if len(self.kinds) > 1 else 0)
        table = Table.build(self.rows, self.columns, values, shape)
        return interval(
            table, self.kinds, self.names, alpha=ALPHA, seed=seed, value_range=value_range, resample=resample
        )  # fmt: skip


def verdict(measure: str, found: Interval, rows: int, limit: float, level: float | None = None) -> str:
    """The real gate's verdict."""
    decided = decide(
        CheckSpec.of(MEASURES[measure], "simulated", limit),
        evidence(f"{measure}/simulated", found, rows),
        level=level,
    )
    return decided.verdict


def row_wise(values: Floats, value_range: tuple[float, float]) -> tuple[float, float]:
    """One-sided bounds that take every row for independent: Wilson's for shares, else the normal ones."""
    if value_range == (0.0, 1.0) and set(np.unique(values)) <= {0.0, 1.0}:
        return wilson(float(values.sum()), len(values), ALPHA)
    half = float(stats.norm.isf(ALPHA)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def single(kind: str, clusters: int, icc: float) -> Cell:
    """One check with its truth at the limit: `pass` is a false pass; `fail` what a truth just inside would give."""
    measure = CHECKED[kind]
    made: list[tuple[Planted, Coded]] = []

    def one(seed: int) -> Mapping[str, float]:
        if not made:
            planted = plant(kind, clusters, icc)
            made.append((planted, Coded(planted.labels)))
        truth = made[0][0]
        values = truth.draw(np.random.default_rng(seed))
        found = made[0][1].mean(values, seed, truth.value_range)
        outcome = verdict(measure, found, len(values), round(truth.truth, 12))
        low, high = row_wise(values, truth.value_range)
        return {
            "pass": outcome == "pass",
            "fail": outcome == "fail",
            "uncovered": found.high < truth.truth - 1e-12 or found.low > truth.truth + 1e-12,
            "width": found.high - found.low,
            "row-wise pass": high <= truth.truth,
            "row-wise fail": low > truth.truth,
            found.method: 1.0,
        }

    return Cell(f"{kind} | {clusters} | {icc:g}", one, {"pass": ALPHA, "fail": ALPHA})


def plant(kind: str, clusters: int, icc: float) -> Planted:
    """The data of a single-check cell, with the rates that the SmolLM2 pair showed."""
    names = min(clusters, 40)
    if kind == "preference":
        return pairs(Outcome.share(0.60), clusters, names, (icc, icc))
    if kind == "amplification":
        return pairs(Outcome.flips(0.065, 0.015), clusters, names, (icc, icc))
    if kind == "rare flips":
        return pairs(Outcome.flips(0.0045, 0.0045), clusters, names, (icc, icc))
    if kind == "regard, uneven":
        return uneven(Outcome.share(0.20), clusters, icc)
    second = icc if kind == "disparity, both" else 0.0
    return crossed(0.283, 0.068, (clusters, 40 if clusters < 400 else 30), (icc, second))


def singles() -> list[Cell]:
    """All single-check cells, the cheap ones first."""
    return [
        single(kind, clusters, icc)
        for clusters in SIZES
        for icc in ICC
        for kind in CHECKED
        if icc or kind != "disparity, both"
    ]
