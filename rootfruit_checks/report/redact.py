"""Texts taken out of a result, for pages that leave the house: what is withheld is nowhere in the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

HOW = ("none", "slurs", "all")
TOLD = {
    "none": "",
    "slurs": "Slurs are masked in this page (--rootfruit-redact=slurs), by a list of words; other text is as it was.",
    "all": "The texts of all samples are withheld from this page (--rootfruit-redact=all); they are in the store.",
}
WITHHELD = "[withheld]"
_PARTS = ("prompt", "policy", "reference")
# What stands for an answer where pairs are scored: numbers, and no text.
_SCORES = re.compile(r"(?:d_\w+ = [+-]\d+\.\d+(?:, )?)+")


def redacted(value: Mapping[str, Any], how: str) -> dict[str, Any]:
    """Return the result with its samples' texts withheld (`all`) or slurs in them masked (`slurs`).

    Of a sentence pair's sample `policy` and `reference` are scores, and stay.
    """
    if how == "none":
        return dict(value)
    found = {**value, "checks": [redacted_row(row, how) for row in value["checks"]]}
    told = value.get("narratives", {})
    if quotes := told.get("quotes"):
        quoted = [{**one, "text": masked(one["text"]) if how == "slurs" else WITHHELD} for one in quotes]
        found["narratives"] = {**told, "quotes": quoted}
    return found


def redacted_row(row: Mapping[str, Any], how: str) -> dict[str, Any]:
    """Return one verdict with the texts of its samples, and their tokens, withheld or masked."""
    return {**row, "samples": [_sample(one, how) for one in row["samples"]]} if how != "none" else dict(row)


def _sample(sample: Mapping[str, Any], how: str) -> dict[str, Any]:
    if how == "slurs":
        tokens = {
            role: {side: _masked_pieces(words) for side, words in sides.items()}
            for role, sides in sample.get("tokens", {}).items()
        }
        return {**sample, **{part: masked(sample[part]) for part in _PARTS}, "tokens": tokens}
    parts = {part: WITHHELD for part in _PARTS if sample[part] and not _SCORES.fullmatch(sample[part])}
    return {**sample, **parts, "tokens": {}}


def _masked_pieces(words: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return tokens of a sentence whose slurs are masked: a slur may lie across several."""
    letters = iter(masked("".join(word[0] for word in words)))
    return [["".join(next(letters) for _ in word[0]), *word[1:]] for word in words]


def masked(text: str) -> str:
    """Return a text in which all but the first letter of each listed word, plural or not, are asterisks."""
    return _pattern().sub(lambda found: found[0][0] + "*" * (len(found[0]) - 1), text)


@cache
def _pattern() -> re.Pattern[str]:
    lines = (resources.files(__package__) / "slurs.txt").read_text("utf-8").splitlines()
    words = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})(?:e?s)?\b", re.IGNORECASE)
