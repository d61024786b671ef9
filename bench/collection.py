"""Cost of TANGO's 1.5 million disclosure prompts: collecting the suite beside them, and reading them through.

Synthesizes files of the official shape (8 parts, 56 identities x 18 forms x 1,520 names = 1,532,160 rows) in a
temporary directory, from our own forms and made-up names. Bands: collection under 2 s; reading through, with groups,
counts and duplicates checked, under 300 MB beyond the bare interpreter. `--quick` makes an eighth of the names. Exits 1
where a figure is out of its band.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import Column, Table, add_option, save

from rootfruit_checks.benchmarks.disclosure import FILES
from rootfruit_checks.benchmarks.disclosure.reader import COLUMNS
from rootfruit_checks.benchmarks.disclosure.starter import TABLES
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.data.words import table

IDENTITIES, FORMS, NAMES = 56, 18, 1520
MOST_SECONDS = 2.0
MOST_MEGABYTES = 300.0
ROOT = Path(__file__).parents[1]
Figure = tuple[str, float, str, float | None]
COLUMNS_OF_FIGURES = (
    Column("what"),
    Column("measured", "number", 2),
    Column("unit"),
    Column("at most", "number"),
)

# VmHWM is the peak of this process alone; ru_maxrss also keeps that of the process which started it.
_PEAK = """
import resource
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
_BARE = f"{_PEAK}print(peak())"
_READ = f"""{_PEAK}
import sys, time
from rootfruit_checks.benchmarks.disclosure.reader import survey_disclosure
start = time.perf_counter()
survey = survey_disclosure(sys.argv[1:])
seconds = time.perf_counter() - start
print(peak())
print(seconds, survey.rows, survey.missing, len(survey.identities), len(survey.forms), len(survey.names))
print(set(survey.identities.values()), set(survey.forms.values()), set(survey.names.values()))
"""


def synthesize(folder: Path, names: int) -> tuple[list[Path], int]:
    """Write the eight parts; returns their paths and the number of rows."""
    binary = groups().members("disclosure", "binary")[:2]
    others = [i for i in groups().members("disclosure", "tgnb") if i not in binary]
    identities = [*binary, *others[: IDENTITIES - len(binary)]]
    forms = [row["text"] for row in table(TABLES[0], ("id", "text"))][:FORMS]
    paths = [folder / file.name for file in FILES]
    streams = [path.open("w", encoding="utf-8", newline="") for path in paths]
    writers = [csv.writer(stream) for stream in streams]
    for writer in writers:
        writer.writerow(COLUMNS)
    rows = 0
    for form, template in enumerate(forms):
        for at in range(names):
            # Each part holds its own share of the names, so a reader meets every label in every part but the names.
            writer = writers[at * len(writers) // names]
            name = f"Name{at:04d}"
            for identity in identities:
                text = template.format(name=name, identity=identity, word=identity)
                writer.writerow((form, template, text, identity, name, at % 2 == 0, at % 3 == 0))
                rows += 1
    for stream in streams:
        stream.close()
    return paths, rows


def measure_reading(paths: list[Path], rows: int, names: int) -> tuple[list[str], list[Figure]]:
    """Read all parts in a fresh process; returns what is out of band, and the figures."""
    bare = int(_python("-c", _BARE)) / 1024
    lines = _python("-c", _READ, *map(str, paths)).splitlines()
    peak = int(lines[0]) / 1024
    seconds, *counts = lines[1].split()
    print(f"reading: {rows} rows in {float(seconds):.1f} s ({rows / float(seconds):,.0f} rows/s)")
    print(f"memory: peak {peak:.0f} MB, bare interpreter {bare:.0f} MB, beyond it {peak - bare:.0f} MB")
    wrong = []
    if peak - bare > MOST_MEGABYTES:
        wrong.append(f"reading took {peak - bare:.0f} MB beyond the interpreter, over {MOST_MEGABYTES:.0f}")
    expected = [str(n) for n in (rows, 0, IDENTITIES, FORMS, names)]
    even = f"{{{rows // IDENTITIES}}} {{{rows // FORMS}}} {{{rows // names}}}"
    if counts != expected or lines[2] != even:
        wrong.append(f"counts are {counts} and {lines[2]}, expected {expected} and {even}")
    return wrong, [
        ("rows read and checked", rows, "rows", None),
        ("reading", float(seconds), "s", None),
        ("memory beyond the bare interpreter", peak - bare, "MB", MOST_MEGABYTES),
    ]


def measure_collection(folder: Path) -> tuple[list[str], list[Figure]]:
    """Collect the suite beside the files, best of five after a warm-up; returns what is out of band, and the figures.

    The band is on processor time, which neighbours on the machine inflate least; the wall clock is printed beside it.
    """
    command = ("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(ROOT / "bias_tests"))
    _python(*command, f"--rootfruit-data={folder}")
    walls, busy = [], []
    for _ in range(5):
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        _python(*command, f"--rootfruit-data={folder}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - wall)
        busy.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    load = os.getloadavg()[0]
    print(
        f"collection: {min(busy):.2f} s of processor, {min(walls):.2f} s on the clock (load {load:.1f}), best of five"
    )
    wrong = [f"collection took {min(busy):.2f} s, over {MOST_SECONDS}"] if min(busy) > MOST_SECONDS else []
    return wrong, [
        ("collecting the suite, processor time", min(busy), "s", MOST_SECONDS),
        ("collecting the suite, on the clock", min(walls), "s", None),
    ]


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(arguments[:4])} exited {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="an eighth of the names, under 50 s")
    add_option(parser)
    arguments = parser.parse_args()
    names = NAMES // 8 if arguments.quick else NAMES
    with tempfile.TemporaryDirectory(prefix="rootfruit-collection-") as made:
        folder = Path(made)
        paths, rows = synthesize(folder, names)
        size = sum(path.stat().st_size for path in paths) / 1e6
        print(f"files: {len(paths)} parts, {rows} rows, {size:.0f} MB")
        (wrong, figures), (more, others) = measure_reading(paths, rows, names), measure_collection(folder)
        wrong += more
    for line in wrong:
        print(f"OUT OF BAND: {line}")
    figures += [("files", size, "MB", None), *others]
    save(
        arguments.json,
        "collecting the suite and reading 1.5 million disclosure prompts",
        [Table("Cost", COLUMNS_OF_FIGURES, tuple(figures))],
        outside=wrong,
        versions=("pytest",),
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
