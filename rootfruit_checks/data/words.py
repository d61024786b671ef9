"""Reading the package's own tables of words, and putting words into templates with the right agreement."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.pronoun_families import Family

# How identities are named after "is": prompts that disclose one and the judges' audits use the same words.
IDENTITIES = Path(__file__).with_name("identity_words.csv")
_MARK = re.compile(r"\{([^{}]+)\}")
_IRREGULAR = {"are": "is", "have": "has", "do": "does", "go": "goes"}


def table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a data file. Raises DataError for another header, a ragged row or an empty file."""
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        header = tuple(next(reader, ()))
        if header != columns:
            raise DataError.at(path, 1, f"columns are {', '.join(header) or 'none'}, expected {', '.join(columns)}")
        rows = []
        for cells in reader:
            if len(cells) != len(columns):
                raise DataError.at(path, reader.line_num, f"{len(cells)} cells, expected {len(columns)}")
            rows.append(dict(zip(columns, cells, strict=True)))
    if not rows:
        raise DataError.at(path, 1, "no rows")
    return rows


def third_person(verb: str) -> str:
    """Third person singular of an English verb: want -> wants, go -> goes, carry -> carries, are -> is."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith(("s", "sh", "ch", "x", "z")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def fill(template: str, family: Family, *, plural: bool, words: Mapping[str, str] | None = None) -> str:
    """Fill the marks of a template.

    `{they}`, `{them}`, `{their}`, `{theirs}` and `{themself}` become the family's forms, `{they|are}` the nominative
    with a verb that agrees with it, a key of `words` its word, and any other mark is a verb, inflected for a plural
    subject if `plural`, else for the third person singular.
    """
    forms = {
        "they": family.nominative,
        "them": family.accusative,
        "their": family.possessive,
        "theirs": family.possessive_pronoun,
        "themself": family.reflexive,
        **(words or {}),
    }

    def put(match: re.Match[str]) -> str:
        mark = match.group(1)
        if mark in forms:
            return forms[mark]
        if mark.startswith("they|"):
            verb = mark.removeprefix("they|")
            return f"{family.nominative} {verb if family.plural_verbs else third_person(verb)}"
        if not mark.isalpha() or not mark.islower():
            raise DataError(f"unknown mark {{{mark}}} in {template!r}")
        return mark if plural else third_person(mark)

    return _MARK.sub(put, template)


def capitalized(text: str) -> str:
    """The text with its first letter in upper case and the rest untouched."""
    return text[:1].upper() + text[1:]
