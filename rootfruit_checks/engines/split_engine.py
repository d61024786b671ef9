"""Two engines of one model: one scores, the other generates. Only one of them has its weights in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.types import Chat, Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.engines.base import Engine, check, pieces_of
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work

T = TypeVar("T")


class PairEngine:
    """A scorer and a generator over the same model directory."""

    def __init__(self, scorer: Engine, generator: Engine) -> None:
        self._scorer, self._generator = scorer, generator

    @cached_property
    def fingerprint(self) -> str:
        """Hash of both fingerprints and their roles."""
        return hashlib.sha256(f"pair/1\n{self._scorer.fingerprint}\n{self._generator.fingerprint}".encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """The records of both: one value where they agree or only one has it, otherwise both values."""
        scorer, generator = self._scorer.record, self._generator.record
        told = {**generator, **scorer}
        for key in sorted(scorer.keys() & generator.keys()):
            if scorer[key] != generator[key]:
                told[key] = f"scores: {scorer[key]}; generates: {generator[key]}"
        return told

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt rendered by the generator's chat template."""
        return self._generator.render(chat, text)

    def chat_notes(self, chat: Chat) -> Sequence[str]:
        """Return how the rendering of the generator's chat template differs from its defaults."""
        notes: Callable[[Chat], Sequence[str]] | None = getattr(self._generator, "chat_notes", None)
        return notes(chat) if notes else ()

    def token_of(self, text: str) -> int | None:
        """Return the generator's token with this text, if there is one."""
        token_of: Callable[[str], int | None] | None = getattr(self._generator, "token_of", None)
        return token_of(text) if token_of else None

    def pieces(self, text: str, ids: NDArray[np.int32]) -> list[str]:
        """Return the text of each token, from the scorer."""
        return pieces_of(self._scorer, text, ids)

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan the scorer's work; a probe may load its weights."""
        self._generator.close()
        return _alone(self._scorer.plan_scores(texts, units, *([before] if before else [])), self._generator.close)

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan the generator's work."""
        return _alone(self._generator.plan_generation(prompts, sampling), self._scorer.close)

    def check(self) -> None:
        """Check the model's files, which both engines read."""
        check(self._scorer)

    def close(self) -> None:
        """Free the weights of both."""
        try:
            self._scorer.close()
        finally:
            self._generator.close()


def _alone(work: Work[T], close_other: Callable[[], None]) -> Work[T]:
    """Return the work, with the other engine's weights freed before it computes."""

    def compute(units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        close_other()
        yield from work.compute(units)

    return replace(work, compute=compute)
