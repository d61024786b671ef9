"""`rootfruit coding`: a sheet for people from a store, and their codes back into it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rootfruit_checks.errors import DataError, StoreError
from rootfruit_checks.narratives import sheet
from rootfruit_checks.narratives.tagged import Tagged, continuations, keep_codes, tag_frame
from rootfruit_checks.narratives.tagger import open_tagger
from rootfruit_checks.narratives.view import narratives
from rootfruit_checks.outputs import distinct
from rootfruit_checks.report import keeping
from rootfruit_checks.report.summary import as_plain
from rootfruit_checks.report.summary import write as write_json
from rootfruit_checks.saying import say
from rootfruit_checks.store import Store


def run(arguments: argparse.Namespace) -> int:
    """Run `rootfruit coding`.

    Raises:
        RootfruitError: no store or result, a sheet that cannot be read or written. Nothing was taken in then.

    """
    if arguments.way == "export":
        distinct(arguments.out, [arguments.store / keeping.RESULT], "option --out")
    value = keeping.read(arguments.store)
    frame = _frame(arguments.store, value)
    if arguments.way == "export":
        if arguments.size < 1:
            raise DataError("--size must be at least 1")
        items = sheet.sample(continuations(frame), arguments.size, arguments.seed)
        sheet.write(arguments.out, items)
        say(f"{arguments.out}: {len(items)} continuations to code, by the definitions in README; some are degrading")
        return 0
    known = set(continuations(frame)["item"])
    names = [path.stem for path in arguments.sheets]
    if len(set(names)) < len(names):
        raise DataError("two sheets have one name; a coder is named by the file")
    read = {path.stem: sheet.read(path, known) for path in arguments.sheets}
    with Store(arguments.store) as store:
        for coder, (codes, left) in read.items():
            keep_codes(store, coder, codes)
            say(f"{coder}: {len(codes)} continuations coded, {left} rows left open")
        how = value["run"]["settings"].get("narratives", "auto")
        tagger = open_tagger("auto" if how == "none" else how)
        if tagger is None:
            raise DataError("there is no tagger to hold the codes against; report this")
        tagged = tag_frame(tagger, store, frame)
    told = as_plain(narratives(tagged, alpha=float(value["run"]["settings"].get("alpha", 0.05))))
    write_json(arguments.store / keeping.RESULT, {**value, "narratives": told})
    for line in _lines(told, tagged):
        say(line)
    say(f"rootfruit report {arguments.store} -o report.html shows them")
    return 0


def _frame(store: Path, value: dict[str, Any]) -> pd.DataFrame:
    """Return the continuations that a store's latest result was decided on."""
    named = {key: one["path"] for key, one in value["run"].get("tables", {}).items() if key.startswith("disclosure/")}
    if not named:
        raise StoreError(f"{store}: its latest result has no continuations of disclosure")
    parts = []
    for key, path in named.items():
        try:
            parts.append(pd.read_parquet(store / path).assign(role=key.split("/")[1]))
        except (OSError, ValueError) as error:
            raise StoreError(f"{store / path}: is not readable ({error}); run the gate again") from error
    return pd.concat(parts, ignore_index=True)


def _lines(told: dict[str, Any], tagged: Tagged) -> Sequence[str]:
    codes = told["codes"]
    if "not_computed" in codes:
        return [f"agreement: {codes['not_computed']}"]

    def figure(value: float | None) -> str:
        return "    -" if value is None else f"{value:5.2f}"

    lines = [f"{'theme':16} alpha kappa tagger's kappa  (over {codes['items']} texts, {len(codes['coders'])} coders)"]
    lines += [
        f"{one['theme']:16} {figure(one['alpha'])} {figure(one['kappa'])} {figure(one['tagger_kappa'])}"
        for one in codes["themes"]
    ]
    return lines
