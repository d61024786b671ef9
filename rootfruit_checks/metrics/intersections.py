"""Identity by context, such as pronoun family by antecedent type. Described, never gated.

A group's mean can hide that all of the harm stands in one of its cells. Cells are small and many, so each has three
figures: its own estimate, bounds where its clusters allow any, and an estimate that borrows strength from the other
cells (see `stats/shrinkage.py`), towards what identity and surroundings explain each by itself: no identity is pulled
towards another. A cell without samples is shown as empty. Cells share names, templates and controls, so their errors
move together: the fit takes up what is common to a row or a column, and the rest is counted as if it did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.catalog.measures import NO_ANSWER
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.metrics.evidence import Floats
from rootfruit_checks.metrics.matching import by_role, gaps, per_prompt
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.shrinkage import main_effects, pooled_variance, shrink

_DIGITS = 5
ARMS = (*ROLES, "change")
COLUMNS: tuple[str, ...] = (
    "identity",
    "by",
    "n",
    "clusters",
    "unscored",
    "unmatched",
    *(f"{role}_{part}" for role in ROLES for part in ("rate", "control")),
    *(f"{arm}_{part}" for arm in ARMS for part in ("raw", "shrunk", "low", "high")),
    "note",
)


@dataclass(frozen=True, slots=True)
class _Cell:
    raw: float = float("nan")
    se: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    clusters: tuple[int, ...] = ()
    n: int = 0
    note: str = "no samples"


def intersections(frame: pd.DataFrame, benchmark: str, *, controls: Sequence[str], alpha: float) -> dict[str, Any]:
    """Return the cells of one benchmark as compact plain rows, in the order of `COLUMNS`.

    `raw` is the cell's disparity (its rate of the harmful label minus that of its matched controls); `change`
    is policy minus reference. Every identity meets every surrounding, whether there are samples or not.

    Args:
        frame: tidy rows of the benchmark.
        benchmark: one that is crossed with something (`Benchmark.crossed_with`).
        controls: identities of the controls; they have no cells of their own.
        alpha: level of each one-sided bound, uncorrected for the number of cells.

    Raises:
        DataError: a sample occurs twice.

    """
    held = BENCHMARKS[benchmark]
    quantity, label = held.quantity, held.harmful
    [(name, column)] = (held.crossed_with or {}).items()
    # What a cell is made of varies within it no more.
    factors = tuple((where, factor) for factor, where in held.clusters.items() if where != column)
    rows = frame[frame["quantity"] == quantity]
    table = per_prompt(rows, (rows["label"] == label).astype(np.float64))
    lost = per_prompt(rows, rows["label"].isin(NO_ANSWER).astype(np.float64))["value"]
    table = table.assign(gap=gaps(table, controls), lost=lost)
    roles = by_role(table)
    arms: dict[str, pd.DataFrame] = {role: rows_of.assign(x=rows_of["gap"]) for role, rows_of in roles.items()}
    if len(roles) == 2:
        arms["change"] = roles["policy"].assign(x=roles["policy"]["gap"] - roles["reference"]["gap"])
    people = sorted(set(table["identity"]) - set(controls))
    keys = list(product(people, sorted(set(table[column]))))
    found = {
        arm: _cells(rows_of, keys, column, factors, alpha, 2.0 if arm == "change" else 1.0)
        for arm, rows_of in arms.items()
    }
    shrunk: dict[str, Floats] = {}
    pooling: dict[str, dict[str, Any]] = {}
    for arm, cells in found.items():
        shrunk[arm], pooling[arm] = _shrunk(keys, cells)
    levels = {role: _levels(rows_of, column) for role, rows_of in roles.items()}
    missing = _Cell()
    lines = []
    for at, key in enumerate(keys):
        told = {arm: found[arm][at] if arm in found else missing for arm in ARMS}
        counts = [levels[role].get(key, (0, 0, None, None)) for role in ROLES if role in levels]
        first = next((told[arm] for arm in ARMS if told[arm].n), told["policy"])
        line: list[Any] = [*key, max(cell.n for cell in told.values()), min(first.clusters, default=0)]
        line += [sum(count[0] for count in counts), max((count[1] for count in counts), default=0)]
        for role in ROLES:
            line += levels[role].get(key, (0, 0, None, None))[2:] if role in levels else (None, None)
        for arm in ARMS:
            cell = told[arm]
            line += [_short(v) for v in (cell.raw, shrunk[arm][at] if arm in shrunk else np.nan, cell.low, cell.high)]
        lines.append([*line, first.note])
    return {
        "quantity": f"{label} rate minus that of the matched controls",
        "by": name,
        "columns": list(COLUMNS),
        "rows": lines,
        "pooling": pooling,
    }


def _cells(
    held: pd.DataFrame,
    keys: list[tuple[str, str]],
    column: str,
    factors: tuple[tuple[str, str], ...],
    alpha: float,
    reach: float,
) -> list[_Cell]:
    there = held[held["x"].notna()]
    parts = dict(iter(there.groupby(["identity", column], sort=False)))
    found = []
    for key in keys:
        part = parts.get(key)
        if part is None:
            found.append(_Cell())
            continue
        interval = clustered_mean(
            part["x"].to_numpy(dtype=np.float64),
            [part[source].to_numpy(dtype=str) for source, _ in factors],
            alpha=alpha,
            value_range=(-reach, reach),
            factors=[name for _, name in factors],
            resample=False,  # thousands of cells
        )
        se = interval.se if np.isfinite(interval.se) else _spread(part, factors)
        note = interval.note if interval.refused else ""
        found.append(_Cell(interval.estimate, se, interval.low, interval.high, interval.clusters, len(part), note))
    return found


def _spread(part: pd.DataFrame, factors: tuple[tuple[str, str], ...]) -> float:
    """The clustered standard error where there are too few clusters for a bound: enough to weigh cells by, together.

    The larger of the one-way ones, each of G / (G - 1) times the squared sums by cluster; NaN with one cluster.
    """
    apart = part["x"] - part["x"].mean()
    found = []
    for source, _ in factors:
        sums = apart.groupby(part[source]).sum().to_numpy(dtype=np.float64)
        if len(sums) > 1:
            found.append(float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(part)))
    return max(found, default=float("nan"))


def _shrunk(keys: list[tuple[str, str]], cells: list[_Cell]) -> tuple[Floats, dict[str, Any]]:
    """Shrink the cells that have samples; the others stay NaN."""
    values = np.full(len(cells), np.nan)
    at = [index for index, cell in enumerate(cells) if cell.n]
    if not at:
        return values, {"toward": "nothing", "between_sd": None, "note": "no cell has samples"}
    clusters = [max(1, min(cells[index].clusters)) for index in at]
    variance = pooled_variance([cells[index].se for index in at], clusters)
    if not np.isfinite(variance).all():
        return values, {"toward": "nothing", "between_sd": None, "note": "no cell has more than one cluster"}
    design = main_effects([keys[index][0] for index in at], [keys[index][1] for index in at])
    found = shrink([cells[index].raw for index in at], variance, design)
    values[at] = found.estimates
    return values, {"toward": found.toward, "between_sd": _short(float(np.sqrt(found.between))), "note": ""}


def _levels(held: pd.DataFrame, column: str) -> dict[Any, tuple[int, int, float | None, float | None]]:
    """By cell: unscored prompts, prompts without a matched control, the rate, and the controls' rate."""
    found = {}
    for key, part in held.groupby(["identity", column], sort=False):
        matched = part[part["gap"].notna()]
        rate, gap = float(matched["value"].mean()), float(matched["gap"].mean())
        found[key] = (int((part["lost"] > 0).sum()), len(part) - len(matched), _short(rate), _short(rate - gap))
    return found


def _short(value: float) -> float | None:
    return finite(round(float(value), _DIGITS))
