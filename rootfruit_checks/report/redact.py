"""Removing texts from a result, for reports you share: withheld text appears nowhere in the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

from msgspec import structs

from rootfruit_checks.results.check import Check, Sample
from rootfruit_checks.results.result import Result

HOW = ("none", "slurs", "all")
TOLD = {
    "none": "",
    "slurs": "Slurs are masked in this page (--rootfruit-redact=slurs), by a word list; other text is unchanged.",
    "all": "The texts of all samples are withheld from this page (--rootfruit-redact=all); they are in the store.",
}
WITHHELD = "[withheld]"
_PARTS = ("prompt", "policy", "reference")
# Scored pairs have numbers in place of an answer.
_SCORES = re.compile(r"(?:d_\w+ = [+-]\d+\.\d+(?:, )?)+")


def redacted(value: Result, how: str) -> Result:
    """Return the result with its samples' texts withheld (`all`) or slurs in them masked (`slurs`).

    For sentence pairs, `policy` and `reference` are scores and are kept.
    """
    if how == "none":
        return value
    found = structs.replace(value, checks=[redacted_check(check, how) for check in value.checks])
    if value.narratives and value.narratives.quotes:
        quotes = [
            structs.replace(one, text=masked(one.text) if how == "slurs" else WITHHELD)
            for one in value.narratives.quotes
        ]
        found = structs.replace(found, narratives=structs.replace(value.narratives, quotes=quotes))
    return found


def redacted_check(check: Check, how: str) -> Check:
    """Return one verdict with the texts of its samples, and their tokens, withheld or masked."""
    return check if how == "none" else structs.replace(check, samples=[_sample(one, how) for one in check.samples])


def _sample(sample: Sample, how: str) -> Sample:
    texts = {part: getattr(sample, part) for part in _PARTS}
    if how == "slurs":
        tokens = {
            role: {side: _masked_pieces(words) for side, words in sides.items()}
            for role, sides in (sample.tokens or {}).items()
        }
        return structs.replace(sample, **{part: masked(text) for part, text in texts.items()}, tokens=tokens)
    parts = {part: WITHHELD for part, text in texts.items() if text and not _SCORES.fullmatch(text)}
    return structs.replace(sample, **parts, tokens={})


def _masked_pieces(words: Sequence[tuple[str, float, bool]]) -> list[tuple[str, float, bool]]:
    """Return the tokens of a sentence with slurs masked: a slur may span several tokens."""
    letters = iter(masked("".join(word[0] for word in words)))
    return [("".join(next(letters) for _ in word), value, shared) for word, value, shared in words]


def masked(text: str) -> str:
    """Return a text in which all but the first letter of each listed word, plural or not, are asterisks."""
    return _pattern().sub(lambda found: found[0][0] + "*" * (len(found[0]) - 1), text)


@cache
def _pattern() -> re.Pattern[str]:
    lines = (resources.files(__package__) / "slurs.txt").read_text("utf-8").splitlines()
    words = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})(?:e?s)?\b", re.IGNORECASE)
