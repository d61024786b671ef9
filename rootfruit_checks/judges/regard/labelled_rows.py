"""The continuations that we wrote and labelled by `GUIDELINE.md`; every classifier is measured on them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.judges.regard.mini import LABELS

FILE = Path(__file__).with_name("regard_train.tsv")
COLUMNS = ["set", "group", "topic", "label", "text"]


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled continuation. `group` is "tgnb" (TGNB content) or "binary" (any other)."""

    set: str
    group: str
    topic: str
    label: str
    text: str


def read_rows(path: Path = FILE) -> list[Row]:
    """Read labelled continuations; lines that start with `#` at the head of the file are its content note.

    Raises:
        DataError: a header or label is wrong, a row is ragged or empty, or a text appears twice.

    """
    rows: list[Row] = []
    seen: set[str] = set()
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[first : first + 1] != ["\t".join(COLUMNS)]:
        raise DataError.at(path, first + 1, f"the header must be {' '.join(COLUMNS)}, separated by tabs")
    reader = csv.reader(lines[first + 1 :], delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, fields in enumerate(reader, first + 2):
        if len(fields) != len(COLUMNS) or not all(field.strip() for field in fields):
            raise DataError.at(path, number, f"expected {len(COLUMNS)} filled fields separated by tabs")
        row = Row(*fields)
        if row.label not in LABELS or row.group not in ("tgnb", "binary"):
            raise DataError.at(path, number, f"unknown label or group: {row.label}, {row.group}")
        if row.text in seen:
            raise DataError.at(path, number, "this text appears twice")
        seen.add(row.text)
        rows.append(row)
    return rows
