"""The cells of `calibration.py`: what one run of each does, and which of its rates are held to which level."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from planted import Floats, Outcome, Planted, crossed, pairs, uneven
from scipy import stats

from rootfruit_checks.gates import decide
from rootfruit_checks.measures.evidence import Evidence
from rootfruit_checks.registry import BY_ID
from rootfruit_checks.stats.clustered import clustered_mean
from rootfruit_checks.stats.estimate import Interval
from rootfruit_checks.stats.rowwise import wilson

ALPHA = 0.05
SIZES = (12, 40, 400)
ICC = (0.0, 0.1, 0.3)
MEASURES = {
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


def evidence(check_id: str, interval: Interval, rows: int) -> Evidence:
    """What was measured, as the gate wants it."""
    names = BY_ID[check_id.rpartition("/")[0]].clusters[: len(interval.clusters)]
    return Evidence(
        check_id, rows, 0, 0.0, dict(zip(names, interval.clusters, strict=True)), None, None, interval
    )  # fmt: skip


def verdict(measure: str, interval: Interval, rows: int, threshold: float, level: float | None = None) -> str:
    """The real gate's verdict."""
    found = decide(
        BY_ID[measure],
        "simulated",
        evidence(f"{measure}/simulated", interval, rows),
        threshold=threshold,
        max_unscored=0.2,
        data="simulated",
        level=level,
    )
    return found.verdict


def row_wise(values: Floats, limits: tuple[float, float]) -> tuple[float, float]:
    """One-sided bounds that take every row for independent: Wilson's for shares, else the normal ones."""
    if limits == (0.0, 1.0) and set(np.unique(values)) <= {0.0, 1.0}:
        return wilson(float(values.sum()), len(values), ALPHA)
    half = float(stats.norm.isf(ALPHA)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def single(kind: str, clusters: int, icc: float) -> Cell:
    """One check with its truth at the threshold: `pass` is a false pass; `fail` what a truth just inside would give."""
    measure = MEASURES[kind]
    made: list[Planted] = []

    def one(seed: int) -> Mapping[str, float]:
        if not made:
            made.append(plant(kind, clusters, icc))
        truth = made[0]
        values = truth.draw(np.random.default_rng(seed))
        interval = clustered_mean(values, truth.labels, alpha=ALPHA, seed=seed, limits=truth.limits)
        outcome = verdict(measure, interval, len(values), round(truth.truth, 12))
        low, high = row_wise(values, truth.limits)
        return {
            "pass": outcome == "pass",
            "fail": outcome == "fail",
            "uncovered": interval.high < truth.truth - 1e-12 or interval.low > truth.truth + 1e-12,
            "width": interval.high - interval.low,
            "row-wise pass": high <= truth.truth,
            "row-wise fail": low > truth.truth,
            interval.method: 1.0,
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
        for kind in MEASURES
        if icc or kind != "disparity, both"
    ]
