"""A sheet for people to code: blinded and stratified, out and in again as CSV."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.errors import DataError
from rootfruit_checks.files import write_atomic
from rootfruit_checks.narratives.codebook import theme_ids
from rootfruit_checks.registry import NO_ANSWER

_MARKS = {"1": True, "x": True, "yes": True, "0": False, "": False, "no": False}
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns() -> list[str]:
    """Return the sheet's columns: the item, its text, a mark that it was read, and one for each theme."""
    return ["item", "text", "done", *theme_ids()]


def sample(rows: pd.DataFrame, size: int, seed: int) -> list[tuple[str, str]]:
    """Return items and their masked texts, in random order, as evenly as may be over model, side and regard label.

    Blinded: names, identities and pronouns are masked, and neither the order nor an item's id tells a stratum.

    Args:
        rows: what `tagged.continuations` returns.
        size: how many, at most.
        seed: seed of the draw.

    """
    queer = set(groups().members("disclosure", "tgnb"))
    answered = rows[~rows["label"].isin(NO_ANSWER)].drop_duplicates("item")
    side = answered["identity"].isin(queer).map({True: "group", False: "control"})
    strata: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for key, item, text in zip(
        zip(answered["role"], side, answered["label"], strict=True), answered["item"], answered["masked"], strict=True
    ):
        strata.setdefault(key, []).append((item, text))
    draw = random.Random(seed)
    for held in strata.values():
        held.sort()
        draw.shuffle(held)
    chosen: list[tuple[str, str]] = []
    queues = [strata[key] for key in sorted(strata)]
    while len(chosen) < size and any(queues):
        for held in queues:
            if held and len(chosen) < size:
                chosen.append(held.pop())
    draw.shuffle(chosen)
    return chosen


def write(path: Path, items: Sequence[tuple[str, str]]) -> None:
    """Write a sheet: UTF-8 with a mark, so that spreadsheets read it so; no cell is a formula.

    Raises:
        DataError: it cannot be written, or there is nothing to code.

    """
    if not items:
        raise DataError("there is no continuation to code; run a gate with disclosure first")
    file = io.StringIO(newline="")
    out = csv.writer(file)
    out.writerow(columns())
    for item, text in items:
        flat = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        safe = f"'{flat}" if flat.startswith(_FORMULA) else flat
        out.writerow([item, safe, "", *[""] * len(theme_ids())])
    try:
        write_atomic(path, file.getvalue().encode("utf-8-sig", errors="replace"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error})") from error


def read(path: Path, known: set[str]) -> tuple[dict[str, list[str]], int]:
    """Return the codes of a filled sheet by item, and how many of its rows were not coded.

    A row counts as coded where `done` or a theme is marked, with 1, x or yes. Comma, semicolon or tab may separate.

    Raises:
        DataError: a file that is no such sheet, a mark that is none, an item that is not in the store or there twice.

    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is not readable as UTF-8 ({error})") from error
    lines = text.splitlines()
    head = lines[0] if lines else ""
    mark = max(",;\t", key=head.count)
    reader = csv.DictReader(lines, delimiter=mark)
    needed = [name for name in columns() if name != "text"]
    if lacking := [name for name in needed if name not in (reader.fieldnames or [])]:
        raise DataError.at(path, 1, f"lacks the column {lacking[0]!r}; keep the head of the exported sheet")
    codes: dict[str, list[str]] = {}
    left = 0
    for row in reader:
        item = (row["item"] or "").strip()
        if item not in known:
            raise DataError.at(path, reader.line_num, f"item {item!r} is none of this store's continuations")
        if item in codes:
            raise DataError.at(path, reader.line_num, f"item {item} is there twice")
        marks = {}
        for name in needed[1:]:
            given = (row[name] or "").strip().casefold()
            if given not in _MARKS:
                raise DataError.at(path, reader.line_num, f"column {name} holds {given!r}; mark with 1, or leave empty")
            marks[name] = _MARKS[given]
        if not any(marks.values()):
            left += 1
            continue
        codes[item] = [theme for theme in theme_ids() if marks[theme]]
    return codes, left
