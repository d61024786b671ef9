"""Chances of verdicts as `rootfruit plan` tells them, against simulation through the real estimator and gate.

    python bench/power.py [--quick] [--runs 4000] [--json [FILE]]
    python bench/power.py --measure TABLE.parquet... [--noise-floor 0.001]

Binary outcomes with planted effects of two crossed factors, drawn as pairs (policy against reference) or singly (a
ceiling), decided by `gates.decide` on `clustered_mean`. Exits 1 where a told chance is off by more than 3 points and
what the simulation itself may miss by. `--measure` prints the variances of a store's tables, as in
`rootfruit_checks/planning/variances.toml`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from record import Column, Table, add_option, save

from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.registry import MEASURES, measures
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.metrics.evaluate import evaluate
from rootfruit_checks.metrics.evidence import Evidence
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.confidence_sequence import sequential
from rootfruit_checks.stats.power import Power
from rootfruit_checks.stats.variance_components import Components, Design

BAND = 0.03
NOTES = (
    "Design: row clusters x column clusters (x of y: each row cluster has x of them) x samples of a cell. Every "
    "decision is made by the gate on `clustered_mean`. The band is 3 points and 3.3 standard errors of the "
    "simulation.",
)
Row = tuple[str | float, ...]
COLUMNS = (
    Column("design"),
    Column("outcomes"),
    Column("rate", "number", 2),
    Column("sd of rows, columns"),
    Column("P(pass)", "share", 1),
    Column("simulated", "share", 1),
    Column("level", "share", 2),
    Column("P(fail)", "share", 1),
    Column("simulated", "share", 1),
)


@dataclass(frozen=True)
class Cell:
    """One simulated design. `own` are standard deviations of the effects of row and column clusters."""

    rows: int
    columns: int
    each: int
    rate: float
    own: tuple[float, float]
    paired: bool = True
    level: float = 0.05
    distance: float = 2.9
    # Cells that a row cluster has, next to one another and around the corner; 0: all of them.
    band: int = 0
    # Bounds that hold at every sequential look, at the last of them.
    looks: bool = False

    @property
    def clusters(self) -> list[np.ndarray]:
        r, c = (part.ravel() for part in np.meshgrid(np.arange(self.rows), np.arange(self.columns), indexing="ij"))
        if self.band:
            held = (c - r) % self.columns < self.band
            r, c = r[held], c[held]
        return [np.repeat(r, self.each).astype(str), np.repeat(c, self.each).astype(str)]

    @property
    def shape(self) -> str:
        return f"{self.band} of {self.columns}" if self.band else str(self.columns)

    @property
    def parts(self) -> Components:
        one = self.rate * (1 - self.rate)
        within = (2 if self.paired else 1) * one - self.own[0] ** 2 - self.own[1] ** 2
        activity = 2 * one if self.paired else min(self.rate, 1 - self.rate)
        return Components(self.own[0] ** 2, self.own[1] ** 2, 0.0, within, activity)


# 12 templates; names and forms of disclosure; templates and antecedents of the starter set; predicates and names.
CELLS = (
    Cell(12, 12, 4, 0.3, (0.0, 0.0)),
    Cell(12, 12, 4, 0.3, (0.06, 0.04)),
    Cell(12, 40, 3, 0.2, (0.08, 0.02)),
    Cell(12, 40, 3, 0.2, (0.08, 0.02), level=0.05 / 21, distance=4.4),
    Cell(20, 18, 10, 0.1, (0.02, 0.02)),
    Cell(20, 18, 3, 0.1, (0.0, 0.03)),
    Cell(32, 16, 1, 0.3, (0.1, 0.0)),
    Cell(16, 32, 5, 0.25, (0.0, 0.08), level=0.05 / 12, distance=4.0),
    Cell(12, 30, 4, 0.6, (0.08, 0.03), paired=False),
    Cell(20, 18, 7, 0.2, (0.05, 0.0), paired=False),
    Cell(25, 25, 1, 0.75, (0.1, 0.05), paired=False),
    # As sparse as scale smoke: each cluster stands in one cell, or two.
    Cell(12, 12, 4, 0.3, (0.0, 0.0), band=1),
    Cell(12, 12, 10, 0.3, (0.1, 0.05), band=1),
    Cell(12, 12, 2, 0.3, (0.1, 0.05), band=2),
    Cell(20, 20, 4, 0.25, (0.05, 0.05), band=2),
    Cell(20, 18, 10, 0.1, (0.02, 0.02), distance=3.6, looks=True),
    Cell(20, 18, 7, 0.2, (0.05, 0.0), paired=False, distance=3.6, looks=True),
)
SLOW = (
    Cell(40, 40, 1, 0.3, (0.05, 0.03), distance=2.6),
    Cell(120, 30, 1, 0.3, (0.05, 0.02), distance=2.6),
    Cell(120, 30, 3, 0.6, (0.12, 0.05), paired=False, distance=2.6),
    Cell(40, 40, 1, 0.3, (0.05, 0.03), distance=3.6, looks=True),
    Cell(40, 40, 1, 0.08, (0.0, 0.0), paired=False, distance=3.6, looks=True),
)


def simulated(cell: Cell, bars: tuple[float, float], runs: int) -> tuple[float, float]:
    """Return the shares of runs that pass against the first bar and that fail against the second."""
    labels = cell.clusters
    row, column = (np.unique(part, return_inverse=True)[1] for part in labels)
    rng = np.random.default_rng([11, cell.rows, cell.columns, cell.each, cell.band])
    measure = MEASURES["disclosure/amplification" if cell.paired else "winoqueer/preference"]
    value_range = (-1.0, 1.0) if cell.paired else (0.0, 1.0)
    passed = failed = 0
    for seed in range(runs):
        a = np.clip(rng.standard_normal(cell.rows), -3, 3) * cell.own[0]
        b = np.clip(rng.standard_normal(cell.columns), -3, 3) * cell.own[1]
        values = (rng.random(len(row)) < cell.rate + a[row] + b[column]).astype(float)
        if cell.paired:
            values -= rng.random(len(row)) < cell.rate
        interval = clustered_mean(values, labels, alpha=0.05, seed=seed, value_range=value_range)
        interval = sequential(interval, 1.0, 0.05) if cell.looks else interval
        evidence = Evidence("x", len(row), 0, 0.0, {}, None, None, interval)
        outcomes = [decide(CheckSpec.of(measure, "x", bar), evidence, level=cell.level).verdict for bar in bars]
        passed += outcomes[0] == "pass"
        failed += outcomes[1] == "fail"
    return passed / runs, failed / runs


def compare(cell: Cell, runs: int) -> tuple[bool, Row]:
    """Print one row of the table; return whether both chances are within the band, and the row."""
    power = Power(Design.of(cell.clusters), cell.parts, (-1.0, 1.0) if cell.paired else (0.0, 1.0), looks=cell.looks)
    truth = 0.0 if cell.paired else cell.rate
    # A share's limits are at least 0, and a bar is on either side of the truth.
    bars = truth + (3.6 if cell.looks else 2.9) * power.se, truth - cell.distance * power.se
    told = power.p_pass(truth, bars[0], 0.05), power.p_fail(truth, bars[1], cell.level)
    seen = simulated(cell, bars, runs)
    noise = [3.3 * math.sqrt(max(p * (1 - p), 0.01) / runs) for p in told]
    fine = all(abs(t - s) <= BAND + n for t, s, n in zip(told, seen, noise, strict=True))
    kind = ("paired" if cell.paired else "ceiling") + ", looks" * cell.looks
    print(
        f"| {cell.rows} x {cell.shape} x {cell.each} | {kind} | {cell.rate:g} | {cell.own[0]:g}, {cell.own[1]:g} "
        f"| {100 * told[0]:.1f} | {100 * seen[0]:.1f} | {100 * cell.level:.2g} % | {100 * told[1]:.1f} "
        f"| {100 * seen[1]:.1f} |{'' if fine else ' OUTSIDE |'}",
        flush=True,
    )
    design = f"{cell.rows} x {cell.shape} x {cell.each}", kind, cell.rate, f"{cell.own[0]:g}, {cell.own[1]:g}"
    return fine, (*design, told[0], seen[0], cell.level, told[1], seen[1])


def measure(tables: list[Path], noise_floor: float) -> None:
    frame = pd.concat([pd.read_parquet(path) for path in tables], ignore_index=True)
    for row in measures():
        held = frame[frame["benchmark"] == row.benchmark]
        for group in row.groups if row.gated and len(held) else ():
            found = evaluate(
                row, group, held, alpha=0.05, beta=0.1, seed=0, noise_floor=noise_floor,
                members=groups().members(row.benchmark, group), controls=controls(row.benchmark),
            )  # fmt: skip
            parts = found.details.get("components", {})
            values = (
                ", ".join(f"{key} = {value:.5g}" for key, value in parts.items()) if isinstance(parts, dict) else ""
            )
            print(f'"{row.id}/{group}" = {{ {values} }}')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, t-based designs only; under 50 s")
    parser.add_argument("--runs", type=int, default=4000, help="simulated runs a design")
    parser.add_argument("--measure", type=Path, nargs="+", metavar="TABLE", help="print variances of these tables")
    parser.add_argument("--noise-floor", type=float, default=0.001)
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.measure:
        if arguments.json:
            parser.error("--measure prints variances and has no --json")
        measure(arguments.measure, arguments.noise_floor)
        return 0
    runs = 700 if arguments.quick else arguments.runs
    print("| design | outcomes | rate | sd of rows, columns | P(pass) | simulated | level | P(fail) | simulated |")
    print("|---|---|---|---|---|---|---|---|---|")
    began = time.monotonic()
    rows = [compare(cell, runs) for cell in CELLS]
    slow = [] if arguments.quick else [compare(cell, max(300, runs // 2)) for cell in SLOW]
    fine = [within for within, _ in rows + slow]
    print(f"\n{sum(fine)} of {len(fine)} designs within 3 points; {time.monotonic() - began:.0f} s")
    save(
        arguments.json,
        "chances of verdicts as `rootfruit plan` states them, against simulation",
        [
            Table(f"{count} simulated runs a design", COLUMNS, tuple(row for _, row in some))
            for count, some in ((runs, rows), (max(300, runs // 2), slow))
            if some
        ],
        outside=[f"{row[0]}, {row[1]}, level {row[6]:.2g}" for within, row in rows + slow if not within],
        notes=NOTES,
    )
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
