"""Do sequential bounds keep alpha when one looks after every cluster? By simulation, from 10 clusters on.

    python bench/sequential.py [--quick] [--runs N] [--json [FILE]]

The truth lies at the limit; a run passes falsely if at any look the upper bound falls below it. The two-way
variance is computed here, by its formula for complete tables, apart from the package's own. Exits 1 where a rate is
above alpha by an exact binomial test corrected over the cells.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from numpy.typing import NDArray
from record import Column, Table, add_option, save
from scipy import stats

from rootfruit_checks.stats.confidence_sequence import multiplier, quantiles

ALPHA = 0.05
FIRST = 10
Floats = NDArray[np.float64]
COLUMNS = (
    Column("clusters", "count"),
    Column("other factor", "count"),
    Column("icc", "number", 1),
    Column("values"),
    Column("false pass", "share", 2),
    Column("false fail", "share", 2),
    Column("fixed bound, looked at each time", "share", 2),
)


def draw(rng: np.random.Generator, clusters: int, other: int, icc: float, rate: float, size: int) -> Floats:
    """Return complete tables, shape (size, clusters, other), centered: binary (latent threshold), or normal if rate 0.

    Both factors carry `icc` of the variance where there are two; `other` = 1 is one factor, with 10 rows a cluster
    averaged.
    """
    rows = 10 if other == 1 else 1
    a = rng.standard_normal((size, clusters, 1, 1)) * math.sqrt(icc)
    b = rng.standard_normal((size, 1, other, 1)) * math.sqrt(icc if other > 1 else 0.0)
    own = 1.0 - icc * (2 if other > 1 else 1)
    latent = a + b + rng.standard_normal((size, clusters, other, rows)) * math.sqrt(own)
    values = latent if rate == 0 else (latent < stats.norm.ppf(rate)) - rate
    return values.mean(axis=3)


def ever(table: Floats, *, fixed: bool = False) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether the upper, and the lower, bound was beyond the truth (0) at any look."""
    size, clusters, other = table.shape
    up, low = np.zeros(size, bool), np.zeros(size, bool)
    for n in range(min(FIRST, clusters), clusters + 1):
        part = table[:, :n]
        mean = part.mean(axis=(1, 2))
        gap = part - mean[:, None, None]
        rows = (gap.mean(axis=2) ** 2).sum(axis=1) / (n * (n - 1))
        variance, df = rows, n - 1
        if other > 1:
            columns = (gap.mean(axis=1) ** 2).sum(axis=1) / (other * (other - 1))
            cells = (gap**2).sum(axis=(1, 2)) / (n * other * (n * other - 1))
            variance = np.maximum(rows + columns - cells, np.maximum(rows, columns))
            df = min(n, other) - 1
        cubes, squares = (gap.mean(axis=2) ** 3).sum(axis=1) / n**3, (gap.mean(axis=2) ** 2).sum(axis=1) / n**2
        if other > 1:
            cubes = cubes + (gap.mean(axis=1) ** 3).sum(axis=1) / other**3
            squares = squares + (gap.mean(axis=1) ** 2).sum(axis=1) / other**2
        skew = cubes / np.where(squares > 0, squares, 1.0) ** 1.5
        t, se = stats.t.isf(ALPHA, df), np.sqrt(variance)
        below, above = (t, t) if fixed else quantiles(ALPHA, n / clusters, df, skew)
        # Where fewer than 10 clusters differ from the commonest value, the exact bound is the least (one factor).
        seen = variance > 1e-20
        if other == 1:
            flat = part[:, :, 0]
            apart = np.abs(flat - np.median(flat, axis=1)[:, None]) > 1e-9
            floor = np.where(apart.sum(axis=1) < 10, (1 - ALPHA ** (1 / n)) * (1 - np.abs(mean)), 0.0)
            above, below = np.maximum(above * se, floor), np.maximum(below * se, floor)
            se = np.ones_like(se)
        up |= seen & (mean + above * se < 0)
        low |= seen & (mean - below * se > 0)
    return up, low


def main() -> int:
    """Print the table and judge it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int)
    add_option(parser)
    args = parser.parse_args()
    runs = args.runs or (500 if args.quick else 10_000)
    sizes = [(12, 1), (40, 1), (20, 18), (12, 12)] if args.quick else [
        (12, 1), (40, 1), (400, 1), (12, 12), (20, 18), (40, 12), (100, 18)
    ]  # fmt: skip
    cells = [(n, other, icc, rate) for n, other in sizes for icc in (0.0, 0.1, 0.3) for rate in (0.0, 0.1, 0.3)]
    bad = 0
    rows: list[tuple[str | int | float | None, ...]] = []
    outside = []
    print("| clusters | other factor | icc | values | false pass | false fail | fixed bound, looked at each time |")
    print("|---|---|---|---|---|---|---|")
    for number, (n, other, icc, rate) in enumerate(cells):
        rng = np.random.default_rng([4, number])
        counts = np.zeros(3, int)
        left = runs
        while left:
            size = min(left, max(1, 2_000_000 // (n * other * (10 if other == 1 else 1))))
            table = draw(rng, n, other, icc, rate, size)
            up, low = ever(table)
            counts += [up.sum(), low.sum(), ever(table, fixed=True)[0].sum()]
            left -= size
        worst = min(stats.binomtest(int(k), runs, ALPHA, "greater").pvalue for k in counts[:2])
        above = worst < 0.01 / (2 * len(cells))
        bad += above
        kind = "normal" if rate == 0 else f"binary, {rate:g}"
        rows.append((n, other if other > 1 else None, icc, kind, *(int(count) / runs for count in counts)))
        if above:
            outside.append(f"{n} clusters, other factor {other}, icc {icc:g}, {kind} (p {worst:.2g})")
        shown = " | ".join(f"{count / runs:.4f}" for count in counts)
        print(f"| {n} | {other if other > 1 else '-'} | {icc:g} | {kind} | {shown} |", flush=True)
    ratio = multiplier(ALPHA, 1.0) / stats.norm.isf(ALPHA)
    print(f"\n{runs} runs a cell; alpha {ALPHA}; width at the last look: {ratio:.3f} times the fixed bound (large df)")
    print("above alpha" if bad else "within the band")
    save(
        args.json,
        "false decisions under looks after every cluster",
        [
            Table(
                f"{runs} runs a cell, alpha {ALPHA}",
                COLUMNS,
                tuple(rows),
                (f"Width at the last look: {ratio:.3f} times the fixed bound (large df).",),
            )
        ],
        outside=outside,
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
