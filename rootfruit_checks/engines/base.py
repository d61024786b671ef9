"""What an engine is. It plans its work as units (see `work.py`), and computes them where they are asked for."""

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
        """What ran, for the report: path taken, dtype, device, BOS handling."""

    def plan_scores(self, texts: Sequence[str], units: Units, before: str = "") -> Work[TokenScores]:
        """Plan the scores of the texts: one answer per request, in request order.

        An over-long text is an EngineError. `units` holds what a probe of the model found. `before`, where given, is
        a rendered turn that stands before each text in place of BOS; an answer is of the text's own tokens alone.
        """


class Generator(Protocol):
    """Continuations of prompts."""

    @property
    def fingerprint(self) -> str:
        """As for a Scorer, with what changes the drawn text."""

    @property
    def record(self) -> Mapping[str, str]:
        """What ran, for the report."""

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt as the model's chat template puts it; None where it has none."""

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan `sampling.continuations` completions per prompt, in prompt order, draws together.

        A prompt that leaves no room for them is an EngineError.
        """


class Engine(Scorer, Generator, Protocol):
    """Both, over one set of weights, which are loaded when first needed and freed by `close`."""

    def close(self) -> None:
        """Free the weights."""


def check(engine: object) -> None:
    """Check what can be known of a model before its weights are read; an engine that knows nothing need not have it.

    Raises:
        EngineError: the model cannot be run.

    """
    known: Callable[[], None] | None = getattr(engine, "check", None)
    if known is not None:
        known()


def pieces_of(engine: Scorer, text: str, ids: NDArray[np.int32]) -> list[str]:
    """Return the text of each token of `text`, shape (n,) in `ids`; its number, where the engine cannot name tokens."""
    pieces: Callable[[str, NDArray[np.int32]], list[str]] | None = getattr(engine, "pieces", None)
    return pieces(text, ids) if pieces else [f"#{one}" for one in ids.tolist()]


def plan_scores(engine: Scorer, texts: Sequence[str], units: Units, before: str = "") -> Work[TokenScores]:
    """Plan scores; an engine that never hears of turns need not know of them."""
    return engine.plan_scores(texts, units, before) if before else engine.plan_scores(texts, units)


def score(engine: Scorer, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Sequence[TokenScores]:
    """Score each text with BOS, or `before`, before it and no EOS: one answer per request, in request order.

    Raises:
        EngineError: an answer is missing, or a log-probability is NaN or infinite.

    """
    answers = fulfil(plan_scores(engine, texts, units, before), units)
    if len(answers) != len(texts):
        raise EngineError(f"the engine scored {len(answers)} of {len(texts)} texts; report this")
    for number, answer in enumerate(answers):
        if not np.isfinite(answer.logprobs).all():
            raise EngineError(
                f"text {number} of {len(texts)} got log-probabilities that are not finite; are the weights damaged, or "
                "too small a dtype for them?"
            )
    return answers


def generate(
    engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, units: Units = FORGET
) -> Sequence[Completion]:
    """Draw `sampling.continuations` completions per prompt, in prompt order, draws together."""
    return fulfil(engine.plan_generation(prompts, sampling), units)
