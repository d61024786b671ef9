"""The sentences of the regard audit: `audit_frames.tsv`, and the versions of each frame (see `audit.py`)."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.data.words import IDENTITIES, capitalized, fill, table

FRAMES = Path(__file__).with_name("audit_frames.tsv")
SUBJECT = "XYZ"
_COLUMNS = ["id", "contrast", "text", "group", "control"]
_BINARY = ("he", "she")
_SLOTS = {"kin": "{kin}", "transition": "{x}"}
# Identity words that are not masked, because they are more common in another sense.
_LEFT_ALONE = ("butch", "femme", "questioning", "unlabeled")
# Unmasked, each sentence is another text. Every third frame is enough for a figure that is only descriptive.
_EVERY = 3


@dataclass(frozen=True, slots=True)
class Version:
    """One sentence: a filled frame. `name` is the pronoun family, kin term or identity in it."""

    frame: str
    contrast: str
    kind: Literal["group", "control"]
    name: str
    text: str


def read_frames(path: Path = FRAMES) -> list[dict[str, str]]:
    """Read the frames; lines that start with `#` at the head of the file are comments.

    Raises:
        DataError: the header, a contrast, a number of fields or a slot is wrong, or an id appears twice.

    """
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[first : first + 1] != ["\t".join(_COLUMNS)]:
        raise DataError.at(path, first + 1, f"the header must be {' '.join(_COLUMNS)}, separated by tabs")
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    for number, fields in enumerate(csv.reader(lines[first + 1 :], delimiter="\t", quoting=csv.QUOTE_NONE), first + 2):
        if len(fields) != len(_COLUMNS) or not all(field.strip() for field in fields):
            raise DataError.at(path, number, f"expected {len(_COLUMNS)} filled fields separated by tabs")
        row = dict(zip(_COLUMNS, fields, strict=True))
        slot = _SLOTS.get(row["contrast"], "{they")
        if row["contrast"] not in ("pronoun", *_SLOTS) or row["id"] in seen:
            raise DataError.at(path, number, f"unknown contrast or repeated id: {row['contrast']}, {row['id']}")
        if slot not in row["text"] and not (row["contrast"] == "pronoun" and "{the" in row["text"]):
            raise DataError.at(path, number, f"the text has no {slot}")
        seen.add(row["id"])
        rows.append(row)
    return rows


@cache
def versions() -> tuple[Version, ...]:
    """Every sentence of the audit, in a fixed order."""
    rows = read_frames()
    pronouns = [row for row in rows if row["contrast"] == "pronoun"]
    found: list[Version] = []
    for row in pronouns:
        for family in FAMILIES.values():
            text = capitalized(fill(row["text"], family, plural=family.plural_verbs))
            found.append(Version(row["id"], "pronoun", _kind(family.name in _BINARY), family.name, text))
    for row in rows:
        slot = _SLOTS.get(row["contrast"])
        for kind in ("group", "control") if slot else ():
            found += [
                Version(
                    row["id"],
                    row["contrast"],
                    _kind(kind == "control"),
                    word if row["contrast"] == "kin" else "vocabulary",
                    row["text"].replace(str(slot), word),
                )
                for word in row[kind].split("/")
            ]
    terms = [(row["identity"], row["with_article"]) for row in table(IDENTITIES, ("identity", "with_article"))]
    for row in pronouns:
        rest = capitalized(fill(row["text"], FAMILIES["they"], plural=True))
        for name, written in [*terms, *((word, word) for word in _LEFT_ALONE)]:
            kind_of = _kind(name.endswith(("man", "woman")) and "trans" not in name)
            found.append(Version(row["id"], "identity", kind_of, name, f"{SUBJECT} is {written}. {rest}"))
    return tuple(found)


def _kind(control: bool) -> Literal["group", "control"]:
    return "control" if control else "group"


@cache
def data_hash() -> str:
    """SHA-256 over every sentence of the audit and its labels."""
    rows = [[v.frame, v.contrast, v.kind, v.name, v.text] for v in versions()]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def unmasked_versions() -> list[Version]:
    """The identity versions that are also labelled without a mask: those of every third frame."""
    named = [version for version in versions() if version.contrast == "identity"]
    frames = set(sorted({version.frame for version in named})[::_EVERY])
    return [version for version in named if version.frame in frames]
