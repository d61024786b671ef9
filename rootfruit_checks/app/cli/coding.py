"""`rootfruit coding`: export a sheet for human coders from a store, and import their codes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from msgspec import structs

from rootfruit_checks.base.console import say
from rootfruit_checks.base.errors import DataError, StoreError
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.coding import sheet
from rootfruit_checks.config.parsing import number
from rootfruit_checks.judges.themes.tagged import (
    Tagged,
    continuations,
    keep_codes,
    keep_export,
    read_exports,
    tag_frame,
)
from rootfruit_checks.judges.themes.tagger import open_tagger
from rootfruit_checks.observations.stored_frames import load_frame
from rootfruit_checks.report import result_file
from rootfruit_checks.results.narratives import Narratives
from rootfruit_checks.results.result import Result
from rootfruit_checks.runs.narratives import narratives
from rootfruit_checks.runs.outputs import distinct
from rootfruit_checks.store.store import Store


def run(arguments: argparse.Namespace) -> int:
    """Run `rootfruit coding`.

    Raises:
        RootfruitError: no store or result, or a sheet cannot be read or written. Nothing is imported then.

    """
    if arguments.way == "export":
        distinct(arguments.out, [arguments.store / result_file.RESULT], "option --out")
    value = result_file.read(arguments.store)
    with Store.existing(arguments.store) as store:
        benchmark = _coded()
        frame = _frame(store, value, benchmark)
        if arguments.way == "export":
            if arguments.size < 1:
                raise DataError("--size must be at least 1")
            items = sheet.sample(continuations(frame), benchmark, arguments.size, arguments.seed)
            sheet.write(arguments.out, items)
            keep_export(store, dict(items))
            say(
                f"{arguments.out}: {len(items)} continuations to code, by the definitions in "
                "rootfruit_checks/judges/themes/codebook.json; some are degrading"
            )
            return 0
        _take_in(store, value, benchmark, frame, arguments.sheets)
    say(f"To see them: rootfruit report {arguments.store} -o report.html")
    return 0


def _coded() -> str:
    """Return the benchmark whose continuations are coded."""
    found = next((name for name, held in BENCHMARKS.items() if held.themes), None)
    if found is None:
        raise DataError("no registered benchmark has continuations with themes")
    return found


def _take_in(store: Store, value: Result, benchmark: str, frame: pd.DataFrame, sheets: Sequence[Path]) -> None:
    """Import the codes of filled sheets into the store and its result: all sheets or none."""
    names = [path.stem for path in sheets]
    if len(set(names)) < len(names):
        raise DataError("two sheets have the same file name, which names the coder; rename one")
    known = set(continuations(frame)["item"])
    exported = [one for one in read_exports(store) if known >= one.keys()]
    if not exported:
        raise DataError(f"{store.directory}: no sheet of its latest result; run rootfruit coding export first")
    read = {path.stem: sheet.read(path, exported) for path in sheets}
    settings = value.run.settings
    how = settings.get("narratives", "auto")
    tagger = open_tagger("auto" if how == "none" else how)
    if tagger is None:
        raise DataError("there is no tagger to compare the codes with; please report this")
    keep_codes(store, read)
    for coder, (codes, left) in read.items():
        say(f"{coder}: {len(codes)} continuations coded, {len(left)} rows left blank")
    tagged = tag_frame(tagger, store, frame)
    alpha = float(str(number(0.0, 0.5, open_low=True)("alpha of the latest result", settings.get("alpha", 0.05))))
    told = narratives(tagged, benchmark, alpha=alpha)
    result_file.write(store.directory / result_file.RESULT, structs.replace(value, narratives=told))
    for line in _lines(told, tagged):
        say(line)


def _frame(store: Store, value: Result, benchmark: str) -> pd.DataFrame:
    """Return the continuations behind a store's latest result."""
    named = {key: table for key, table in value.run.tables.items() if key.startswith(f"{benchmark}/")}
    if not named:
        raise StoreError(f"{store.directory}: its latest result has no continuations of {benchmark}")
    parts = []
    for key, table in named.items():
        name = Path(table.path).stem
        found = load_frame(store, name)
        if found is None or store.table_told(name, len(found)) != {
            "path": table.path,
            "sha256": table.sha256,
            "rows": table.rows,
        }:
            raise StoreError(
                f"{store.directory}: its table of {key} is not that of its latest result; run the gate again"
            )
        parts.append(found.assign(role=key.split("/")[1]))
    return pd.concat(parts, ignore_index=True)


def _lines(told: Narratives, tagged: Tagged) -> Sequence[str]:
    codes = told.codes
    if not codes:
        return []
    if codes.not_computed:
        return [f"agreement: {codes.not_computed}"]

    def figure(value: float | None) -> str:
        return "    -" if value is None else f"{value:5.2f}"

    coders = len(codes.coders or ())
    lines = [f"{'theme':16} alpha kappa tagger's kappa  (over {codes.items} texts, {coders} coders)"]
    lines += [
        f"{one.theme:16} {figure(one.alpha)} {figure(one.kappa)} {figure(one.tagger_kappa)}"
        for one in codes.themes or ()
    ]
    return lines
