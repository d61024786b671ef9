"""The tasks of single requests to a server, and the stored form of their answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rootfruit_checks.base.types import Sampling, TokenScores


@dataclass(frozen=True, slots=True)
class Draw:
    """One continuation to request; `start` is the prompt's text, or BOS as a token id if the text is empty."""

    prompt_id: str
    start: str | list[int]
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, slots=True)
class Text:
    """One text to score, with the text before it and the expected first token of the reply."""

    text: str
    before: str
    way: str
    first: str


def unpack(value: bytes) -> TokenScores:
    """Return the scores stored in a unit."""
    half = len(value) // 2
    return TokenScores(np.frombuffer(value[:half], "<i4"), np.frombuffer(value[half:], "<f4"))


def about_tokens(text: str) -> int:
    """Return a rough number of tokens of a text, good enough for sharing out work."""
    return len(text) // 4 + 1
