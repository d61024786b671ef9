"""The engine protocols. An engine plans its work as units (see `work.py`) and computes a unit when it is requested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.engines.work_units import FORGET, Units, Work, fulfil


class Scorer(Protocol):
    """Log-probabilities of given texts."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, dtype, engine and version; known without loading the weights."""

    @property
    def record(self) -> Mapping[str, str]:
        """What ran, for the report: scoring path, dtype, device, BOS handling."""

    def plan_scores(self, texts: Sequence[str], units: Units, before: str = "") -> Work[TokenScores]:
        """Plan the scores of the texts: one answer per request, in request order.

        An over-long text is an EngineError. `units` stores what a probe of the model found. `before`, if given, is a
        rendered turn that replaces BOS before each text; an answer covers the text's own tokens only.
        """


class Generator(Protocol):
    """Continuations of prompts."""

    @property
    def fingerprint(self) -> str:
        """Like a Scorer's, plus whatever changes the sampled text."""

    @property
    def record(self) -> Mapping[str, str]:
        """What ran, for the report."""

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt rendered by the model's chat template, or None if it has no template."""

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan `sampling.continuations` completions per prompt, in prompt order, a prompt's draws next to each other.

        A prompt that leaves no room for them is an EngineError.
        """


class Engine(Scorer, Generator, Protocol):
    """A Scorer and a Generator over one set of weights, loaded when first needed and freed by `close`."""

    def close(self) -> None:
        """Free the weights."""


def check(engine: object) -> None:
    """Check what can be known of a model before its weights are read. Engines may leave this method out.

    Raises:
        EngineError: the model cannot be run.

    """
    known: Callable[[], None] | None = getattr(engine, "check", None)
    if known is not None:
        known()


def pieces_of(engine: Scorer, text: str, ids: NDArray[np.int32]) -> list[str]:
    """Return the text of each token of `text`, shape (n,) in `ids`; token ids where the engine cannot name tokens."""
    pieces: Callable[[str, NDArray[np.int32]], list[str]] | None = getattr(engine, "pieces", None)
    return pieces(text, ids) if pieces else [f"#{one}" for one in ids.tolist()]


def plan_scores(engine: Scorer, texts: Sequence[str], units: Units, before: str = "") -> Work[TokenScores]:
    """Plan scores; engines that do not support `before` are called without it."""
    return engine.plan_scores(texts, units, before) if before else engine.plan_scores(texts, units)


def score(engine: Scorer, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Sequence[TokenScores]:
    """Score each text after BOS (or after `before`), without EOS: one answer per request, in request order.

    Raises:
        EngineError: an answer is missing, or a log-probability is NaN or infinite.

    """
    answers = fulfil(plan_scores(engine, texts, units, before), units)
    if len(answers) != len(texts):
        raise EngineError(f"the engine scored {len(answers)} of {len(texts)} texts; report this")
    for number, answer in enumerate(answers):
        if not np.isfinite(answer.logprobs).all():
            raise EngineError(
                f"text {number} of {len(texts)} got log-probabilities that are not finite; check that the weights are "
                "undamaged, or use a larger dtype"
            )
    return answers


def generate(
    engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, units: Units = FORGET
) -> Sequence[Completion]:
    """Draw `sampling.continuations` completions per prompt, in prompt order, a prompt's draws next to each other."""
    return fulfil(engine.plan_generation(prompts, sampling), units)
