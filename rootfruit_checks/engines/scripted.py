"""A rule-based engine without a model, for our own and users' tests of everything above the engines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.engines.input_checks import check_prompts, check_texts
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work

T = TypeVar("T")


class ScriptedEngine:
    """Answers with two functions of the text; each word is a token, each unit is `batch` requests.

    Args:
        name: part of the fingerprint; give policy and reference different names.
        word_logprob: (word, position, words of the text) -> log-probability in nats.
        answer: (prompt, draw) -> continuation.
        batch: requests per unit.
        longest: maximum number of words in a text, or in a prompt plus its continuation; None means no limit.

    """

    def __init__(
        self,
        name: str,
        word_logprob: Callable[[str, int, Sequence[str]], float],
        answer: Callable[[Prompt, int], str],
        batch: int = 64,
        longest: int | None = None,
    ) -> None:
        self._name = name
        self._word_logprob = word_logprob
        self._answer = answer
        self._batch = batch
        self._longest = longest

    @property
    def fingerprint(self) -> str:
        """Hash of the name."""
        return hashlib.sha256(f"scripted:{self._name}".encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """States that no model ran."""
        return {"engine": "scripted", "tokenizer": "words"}

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan scores, word by word; equal texts are scored once. Text before them is not supported."""
        if before:
            raise EngineError("a scripted engine scores plain text only")
        check_texts(texts)
        for number, text in enumerate(texts):
            self._fits(f"text {number}", text)
        batches = [
            Unit(_key("score", part), max(1, sum(len(text.split()) for text in part)), part)
            for part in _parts(dict.fromkeys(texts), self._batch)
        ]

        def answers(held: Mapping[str, bytes]) -> list[TokenScores]:
            found = _read_scores(batches, held)
            return [found[text] for text in texts]

        return Work("score", batches, self._score, answers)

    def pieces(self, text: str, ids: NDArray[np.int32]) -> list[str]:
        """Return the words."""
        return [f" {word}" if place else word for place, word in enumerate(text.split())]

    def _fits(self, name: str, text: str, drawn: int = 0) -> None:
        words = len(text.split())
        if self._longest is not None and words + drawn > self._longest:
            raise EngineError(f"{name} has {words} words and the engine takes {self._longest - drawn}; shorten it")

    def _score(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        for unit in units:
            rows = []
            for text in unit.task:
                words = text.split()
                rows.append([self._word_logprob(word, place, words) for place, word in enumerate(words)])
            yield unit.key, json.dumps(rows).encode()

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan `sampling.continuations` answers for each prompt; equal prompts are planned once."""
        check_prompts(prompts)
        for prompt in prompts:
            self._fits(f"prompt {prompt.id}", prompt.text, sampling.max_new_tokens)
        batches = [
            Unit(_key("generate", [asdict(prompt) for prompt in part], asdict(sampling)), len(part), part)
            for part in _parts({prompt.id: prompt for prompt in prompts}.values(), self._batch)
        ]

        def compute(units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
            for unit in units:
                texts = [[self._answer(prompt, draw) for draw in range(sampling.continuations)] for prompt in unit.task]
                yield unit.key, json.dumps(texts).encode()

        def answers(held: Mapping[str, bytes]) -> list[Completion]:
            found = _read_answers(batches, held)
            return [answer for prompt in prompts for answer in found[prompt.id]]

        return Work("generate", batches, compute, answers)

    def render(self, chat: Chat, text: str) -> str | None:
        """Return None: there is no chat template."""
        return None

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items of each unit."""
    held = list(items)
    for start in range(0, len(held), size):
        yield held[start : start + size]


def _read_scores(units: Sequence[Unit], held: Mapping[str, bytes]) -> dict[str, TokenScores]:
    found = {}
    for unit in units:
        for text, row in zip(unit.task, json.loads(held[unit.key]), strict=True):
            ids = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:3], "big") for word in text.split()]
            found[text] = TokenScores(np.array(ids, dtype=np.int32), np.array(row, dtype=np.float32))
    return found


def _read_answers(units: Sequence[Unit], held: Mapping[str, bytes]) -> dict[str, list[Completion]]:
    return {
        prompt.id: [Completion(prompt.id, draw, text, len(text.split()), "eos") for draw, text in enumerate(texts)]
        for unit in units
        for prompt, texts in zip(unit.task, json.loads(held[unit.key]), strict=True)
    }


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
