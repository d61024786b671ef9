"""The sheet for human coders, as CSV: blinded and stratified export, and import."""

from __future__ import annotations

import csv
import io
import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.text import plain
from rootfruit_checks.catalog.identity_groups import controls
from rootfruit_checks.catalog.measures import NO_ANSWER
from rootfruit_checks.judges.themes.codebook import theme_ids

_MARKS = {"1": True, "x": True, "yes": True, "0": False, "": False, "no": False}
# Spreadsheets treat a cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns() -> list[str]:
    """Return the sheet's columns: the item, its text, a mark that it was read, and one for each theme."""
    return ["item", "text", "done", *theme_ids()]


def sample(rows: pd.DataFrame, benchmark: str, size: int, seed: int) -> list[tuple[str, str]]:
    """Return items and their masked texts, in random order, as balanced as possible over model, side and regard label.

    Blinded: names, identities and pronouns are masked, and neither the order nor an item's id reveals a stratum.

    Args:
        rows: what `tagged.continuations` returns.
        benchmark: whose continuations these are.
        size: how many, at most.
        seed: seed of the draw.

    """
    compared_with = set(controls(benchmark))
    answered = rows[~rows["label"].isin(NO_ANSWER)].drop_duplicates("item")
    side = answered["identity"].isin(compared_with).map({True: "control", False: "group"})
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
    """Write a sheet: UTF-8 with a byte order mark for spreadsheets; no cell is a formula.

    Raises:
        DataError: it cannot be written, or there is nothing to code.

    """
    if not items:
        raise DataError("there are no continuations to code")
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


def letters(text: str) -> str:
    """Return the part of a text that spreadsheets do not change: letters and digits, normalized and in lower case."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text).casefold() if letter.isalnum())


def read(path: Path, exported: Sequence[Mapping[str, str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the codes of a filled sheet by item, and the items of its rows that were not coded.

    A row counts as coded if `done` or a theme is marked, with 1, x or yes. Comma, semicolon or tab may separate.
    Every row of the export must be there once: a quote that never closes would otherwise swallow rows silently.

    Args:
        path: the sheet.
        exported: the exports of the store, each from item to text.

    Raises:
        DataError: a file that is no such sheet; a row or mark that cannot be; an item, text or number of rows that is
            not the export's.

    """
    table = list(_rows(path))
    number, head = table[0] if table else (1, [])
    _check_head(path, number, head)
    marks = [name for name in columns() if name not in {"item", "text"}]
    known = {item: text for one in exported for item, text in one.items()}
    codes: dict[str, list[str]] = {}
    left: list[str] = []
    for number, cells in table[1:]:
        if len(cells) != len(head):
            few = "fewer" if len(cells) < len(head) else "more"
            raise DataError.at(path, number, f"{len(cells)} cells, {few} than the {len(head)} columns")
        row = {name: cell.strip() for name, cell in zip(head, cells, strict=True)}
        item = row["item"]
        if item not in known:
            raise DataError.at(path, number, f"item {plain(item, 40)!r} was not exported from this store")
        if item in codes or item in left:
            raise DataError.at(path, number, f"item {item} appears twice")
        if letters(row["text"]) != letters(known[item]):
            raise DataError.at(path, number, f"the text is not that of item {item}; were cells moved?")
        found = {name: _mark(path, number, name, row[name]) for name in marks}
        if any(found.values()):
            codes[item] = [theme for theme in theme_ids() if found[theme]]
        else:
            left.append(item)
    _check_whole(path, {*codes, *left}, exported)
    return codes, left


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not blank.

    No cell of an exported sheet spans lines. Each line is parsed alone, so that an open quote ends with its line.
    """
    text = untrusted.read_text(path, DataError, limit=untrusted.SHEET_LIMIT).removeprefix("\ufeff")
    if "\0" in text:
        raise DataError(f"{untrusted.shown(path)}: holds a NUL character; save it as CSV in UTF-8")
    lines = re.split(r"\r\n|\n|\r", text)
    mark = max(",;\t", key=lines[0].count)
    for number, line in enumerate(lines, 1):
        try:
            cells = next(csv.reader([line], delimiter=mark, strict=True), [])
        except csv.Error as error:
            told = "a quote is opened and not closed" if "end of data" in str(error) else str(error)
            raise DataError.at(path, number, f"is not CSV: {told}") from None
        if any(cell.strip() for cell in cells):
            yield number, cells


def _check_head(path: Path, number: int, head: Sequence[str]) -> None:
    keep = "keep the header of the exported sheet"
    if lacking := [name for name in columns() if name not in head]:
        raise DataError.at(path, number, f"lacks the column {lacking[0]!r}; {keep}")
    if twice := [name for name in columns() if head.count(name) > 1]:
        raise DataError.at(path, number, f"has the column {twice[0]!r} twice; {keep}")
    if unknown := [name for name in head if name not in columns()]:
        raise DataError.at(path, number, f"has the unknown column {plain(unknown[0], 40)!r}; {keep}")


def _mark(path: Path, number: int, column: str, given: str) -> bool:
    found = _MARKS.get(given.casefold())
    if found is None:
        raise DataError.at(path, number, f"column {column} contains {plain(given, 40)!r}; write 1, or leave it empty")
    return found


def _check_whole(path: Path, given: set[str], exported: Sequence[Mapping[str, str]]) -> None:
    """Raise DataError unless the rows are exactly those of one export."""
    if any(given == set(one) for one in exported):
        return
    nearest = min(exported, key=lambda one: (len(given ^ set(one)), sorted(one)), default={})
    lacking, extra = [item for item in nearest if item not in given], sorted(given - set(nearest))
    told = [f"lacks {len(lacking)} of the {len(nearest)} exported rows, such as item {lacking[0]}"] if lacking else []
    told += [f"has {len(extra)} rows of another export, such as item {extra[0]}"] if extra else []
    raise DataError(f"{path}: {' and '.join(told) or 'has no rows'}; leave rows empty instead of removing them")
