"""What an engine is. An engine cuts its work into units that are fixed by data and settings alone.

A unit (a block of the prefix tree, a batch of prompts) is the smallest thing that is computed, stored and resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from rootfruit_checks.types import Completion, Prompt, Sampling, TokenScores


class Units(Protocol):
    """Where finished units are kept. The implementation knows the engine's fingerprint; a key names only the work."""

    def begin(self, what: str, total: int) -> None:
        """Say that `total` units of `what` ("score", "generate") follow: each is got, or computed and put."""

    def get(self, key: str) -> bytes | None:
        """Return the stored result of a unit, or None where it must be computed."""

    def put(self, key: str, value: bytes) -> None:
        """Keep the result of a unit. When this returns, it survives a kill."""


class Forget:
    """Units that keeps nothing."""

    def begin(self, what: str, total: int) -> None:
        """Do nothing."""

    def get(self, key: str) -> bytes | None:
        """Return None: nothing is kept."""
        return None

    def put(self, key: str, value: bytes) -> None:
        """Drop the value."""


FORGET = Forget()


class Scorer(Protocol):
    """Log-probabilities of given texts."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, dtype, engine and version; known without loading the weights."""

    @property
    def record(self) -> Mapping[str, str]:
        """What ran, for the report: path taken, dtype, device, BOS handling."""

    def score(self, texts: Sequence[str], units: Units = FORGET) -> Sequence[TokenScores]:
        """Score each text: one answer per request, in request order; an over-long text is an EngineError."""


class Generator(Protocol):
    """Continuations of prompts."""

    @property
    def fingerprint(self) -> str:
        """As for a Scorer, with what changes the drawn text."""

    @property
    def record(self) -> Mapping[str, str]:
        """What ran, for the report."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, units: Units = FORGET) -> Iterator[Completion]:
        """Yield `sampling.continuations` completions per prompt, in prompt order, draws together."""


class Engine(Scorer, Generator, Protocol):
    """Both, over one set of weights, which are loaded when first needed and freed by `close`."""

    def close(self) -> None:
        """Free the weights."""
