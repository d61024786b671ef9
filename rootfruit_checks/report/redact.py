"""Texts taken out of a result, for pages that leave the house: what is withheld is nowhere in the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    checks = [{**row, "samples": [_sample(one, how) for one in row["samples"]]} for row in value["checks"]]
    return {**value, "checks": checks} if how != "none" else dict(value)


def _sample(sample: Mapping[str, Any], how: str) -> dict[str, Any]:
    if how == "slurs":
        return {**sample, **{part: masked(sample[part]) for part in _PARTS}}
    return {**sample, **{part: WITHHELD for part in _PARTS if sample[part] and not _SCORES.fullmatch(sample[part])}}


def masked(text: str) -> str:
    """Return a text in which all but the first letter of each listed word, plural or not, are asterisks."""
    return _pattern().sub(lambda found: found[0][0] + "*" * (len(found[0]) - 1), text)


@cache
def _pattern() -> re.Pattern[str]:
    lines = (resources.files(__package__) / "slurs.txt").read_text("utf-8").splitlines()
    words = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})(?:e?s)?\b", re.IGNORECASE)
