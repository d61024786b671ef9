"""Error rates of the gate, by simulation from planted truth through the real statistics and the real gate.

    python bench/calibration.py --out DIR [--cells PATTERN] [--runs 10000] [--minutes M] [--json [FILE]]
    python bench/calibration.py --out DIR --table
    python bench/calibration.py --quick

Every rate that must not exceed its level is tested by the exact binomial test, Holm-corrected over the cells. Results
are kept in DIR in chunks of 250 runs, and the next call goes on from there; a run is its seed, so that the table does
not depend on how often it was interrupted. `--quick` runs a few cells, under 50 s, and exits 1 where a rate is above
its level beyond what chance allows.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parent))

from calibrated import Cell, singles
from family_cells import families
from look_cells import all_looks
from record import Column, Table, add_option, save
from scipy import stats
from unchanged import releases

CHUNK = 250
# The whole table may call a rate too high by mistake this often.
ERROR = 0.05
QUICK = {
    "preference | 12 | 0.1": 250,
    "disparity, both | 12 | 0.1": 250,
    "regard, uneven | 12 | 0.1": 250,
    "preference | 40 | 0.1": 250,
    "amplification | 40 | 0.1": 250,
    "family of 12 | 12 | 0.1": 250,
    "nothing changed, scale ci | as measured | 4 draws": 20,
}
# Kept beside the rates.
QUIET = {"runs", "seconds", "width", "t", "bootstrap", "exact", "uncovered"}
NOTES = (
    "In single checks the truth lies at the limit: `pass` is a false pass, and `fail` is what a truth just inside "
    "the limit would give. Each may be at most 5 %. `row-wise` is what Wilson's or normal bounds on rows would "
    "have given.",
    "Cell: what is measured | clusters of the first factor (the second has at most 40) | correlation of the "
    "values within a cluster of either factor (`disparity`: of the first alone). `rare flips` (0.45 % each way) "
    "cannot reach a correlation of 0.1 or 0.3 in both factors: there it is the largest possible, the same in both "
    "cells.",
    "A family of 12 counts if any check is named as failed, at most 5 % under a correction (`max-t`, `holm`); "
    "looks count if any of them decides falsely, at most 5 % each way, beside the bounds of a fixed sample looked "
    "at as often.",
    "In `nothing changed` policy and reference follow one law in the starter set's own design, and a run counts "
    "if any gated difference does not pass, at most 10 %. `with ceilings` adds those below which the SmolLM2 pair "
    "lies. The rate of negative regard (0.2 against 0.1) is assumed; all other rates are that pair's.",
)
Totals = dict[str, dict[str, float]]


def cells() -> list[Cell]:
    """Every cell, the cheap ones first."""
    return [*singles(), *families(), *all_looks(), *releases()]


def chunk(cell: Cell, number: int, runs: int = CHUNK) -> dict[str, float]:
    """Counts over one chunk of runs; the seeds depend on cell and run alone."""
    total: dict[str, float] = defaultdict(float)
    begun = time.process_time()
    for run in range(number * CHUNK, number * CHUNK + runs):
        for key, value in cell.one(crc32(cell.name.encode()) * 2**20 + run).items():
            total[key] += float(value)
    return {**total, "runs": runs, "seconds": time.process_time() - begun}


def read(folder: Path) -> tuple[Totals, dict[str, set[int]]]:
    """Sums by cell over the chunks that are there, each counted once, and which these are."""
    totals: Totals = defaultdict(lambda: defaultdict(float))
    done: dict[str, set[int]] = defaultdict(set)
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # cut off while it was written
                continue
            if row["chunk"] in done[row["cell"]]:
                continue
            done[row["cell"]].add(row["chunk"])
            for key, value in row["counts"].items():
                totals[row["cell"]][key] += value
    return totals, done


def simulate(chosen: Iterable[Cell], folder: Path, runs: int, minutes: float) -> None:
    """Add chunks until every chosen cell has its runs, or the time is up."""
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60.0 * minutes
    _, done = read(folder)
    for cell in chosen:
        path = folder / f"{crc32(cell.name.encode()):08x}.jsonl"
        for number in range(-(-runs // CHUNK)):
            if number in done[cell.name]:
                continue
            if time.monotonic() > until:
                return
            counts = chunk(cell, number)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"cell": cell.name, "chunk": number, "counts": counts}) + "\n")
        print(f"{cell.name}: done", flush=True)


def judge(chosen: Iterable[Cell], totals: Mapping[str, Mapping[str, float]], error: float = ERROR) -> dict[str, float]:
    """Return Holm's p-value for each rate that is above its level with the whole table's error `error`, by name."""
    found = []
    for cell in chosen:
        total = totals.get(cell.name)
        for key, level in cell.held.items() if total else ():
            p = stats.binomtest(int(total.get(key, 0)), int(total["runs"]), level, alternative="greater").pvalue
            found.append((float(p), f"{cell.name}: {key}"))
    found.sort()
    bad, worst = {}, 0.0
    for rank, (p, name) in enumerate(found):
        worst = max(worst, min(1.0, p * (len(found) - rank)))
        if worst > error:
            break
        bad[name] = worst
    return bad


def table(chosen: Iterable[Cell], totals: Mapping[str, Mapping[str, float]]) -> str:
    """The rates in Markdown."""
    lines = []
    head = ""
    for cell in chosen:
        total = totals.get(cell.name)
        if not total:
            continue
        runs = total["runs"]
        keys = [key for key in total if key not in QUIET and "/" not in key]
        titles = cell.name.count("|") + 1
        now = " | ".join(["cell", *[""] * (titles - 1), "runs", *keys])
        if now != head:
            head = now
            lines += ["", f"| {head} |", "|" + "---|" * (titles + 1 + len(keys))]
        method = "/".join(key for key in ("t", "bootstrap", "exact") if total.get(key, 0) > 0.01 * runs)
        rates = [f"{100 * total[key] / runs:.2f} %" for key in keys]
        # Rates of single checks: the most frequent one is enough to see what limits.
        most = max((key for key in total if "/" in key), key=total.__getitem__, default="")
        if most and total[most]:
            rates[-1] += f" (most often {most}: {100 * total[most] / runs:.1f} %)"
        lines.append(f"| {cell.name} | {runs:.0f}{f' ({method})' if method else ''} | " + " | ".join(rates) + " |")
    return "\n".join(lines)


def tables(chosen: Iterable[Cell], totals: Mapping[str, Mapping[str, float]]) -> list[Table]:
    """The same rates with their types, one table for each kind of cell."""
    kinds: dict[tuple[str, ...], list[tuple[str | int | float, ...]]] = {}
    for cell in chosen:
        total = totals.get(cell.name)
        if not total:
            continue
        runs = total["runs"]
        keys = tuple(key for key in total if key not in QUIET and "/" not in key)
        method = "/".join(key for key in ("t", "bootstrap", "exact") if total.get(key, 0) > 0.01 * runs)
        most = max((key for key in total if "/" in key), key=total.__getitem__, default="")
        often = f"{most}: {100 * total[most] / runs:.1f} %" if most and total[most] else ""
        kinds.setdefault(keys, []).append((cell.name, int(runs), method or often, *(total[key] / runs for key in keys)))
    return [
        Table(
            "Rates: " + "; ".join(keys),
            (Column("cell"), Column("runs", "count"), Column("bounds, or the most frequent check"),
             *(Column(key, "share", 2) for key in keys)),
            tuple(rows),
        )
        for keys, rows in kinds.items()
    ]  # fmt: skip


def main() -> int:
    """Simulate, or print the table, or do the quick check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cells", default="*", help="pattern of cell names")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--table", action="store_true", help="print what DIR holds and compute nothing")
    parser.add_argument("--quick", action="store_true")
    add_option(parser)
    arguments = parser.parse_args()
    every = cells()
    if arguments.quick:
        chosen = [cell for cell in every if cell.name in QUICK]
        totals: Mapping[str, Mapping[str, float]] = {cell.name: chunk(cell, 0, QUICK[cell.name]) for cell in chosen}
        error = 0.01
    else:
        if arguments.out is None:
            parser.error("--out DIR is needed (or --quick)")
        chosen = [cell for cell in every if fnmatch.fnmatch(cell.name, arguments.cells)]
        if not arguments.table:
            simulate(chosen, arguments.out, arguments.runs, arguments.minutes)
        totals, error = read(arguments.out)[0], ERROR
    print(table(chosen, totals))
    bad = judge(chosen, totals, error)
    for name, p in bad.items():
        print(f"OUTSIDE: {name} is above its level (corrected p {p:.2g})", file=sys.stderr)
    save(
        arguments.json,
        "error rates of the gate, by simulation from planted truth",
        tables(chosen, totals),
        outside=[f"{name} is above its level (corrected p {p:.2g})" for name, p in bad.items()],
        notes=NOTES,
    )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
