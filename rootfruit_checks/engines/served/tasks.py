"""What one request to a server asks for, and how its answer is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rootfruit_checks.base.types import Sampling, TokenScores


@dataclass(frozen=True, slots=True)
class Draw:
    """One continuation to ask for; `start` is the prompt's text, or BOS as a token id where the text is empty."""

    prompt_id: str
    start: str | list[int]
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, slots=True)
class Text:
    """One text to score, with what is put before it, and what a proper reply begins with."""

    text: str
    before: str
    way: str
    first: str


def unpack(value: bytes) -> TokenScores:
    """Return the scores that a unit holds."""
    half = len(value) // 2
    return TokenScores(np.frombuffer(value[:half], "<i4"), np.frombuffer(value[half:], "<f4"))


def about_tokens(text: str) -> int:
    """About how many tokens a text has: enough to share work out."""
    return len(text) // 4 + 1
