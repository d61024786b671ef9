"""An engine that answers by rule: for tests of everything above the engines, ours and a user's, without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

import numpy as np

from rootfruit_checks.engines.work import FORGET, Unit, Units, Work
from rootfruit_checks.types import Chat, Completion, Prompt, Sampling, TokenScores

T = TypeVar("T")


class ScriptedEngine:
    """Answers by two functions of the text; a word is a token, a unit is `batch` requests.

    Args:
        name: goes into the fingerprint; give policy and reference different names.
        word_logprob: (word, position, words of the text) -> log-probability in nats.
        answer: (prompt, draw) -> continuation.
        batch: requests per unit.

    """

    def __init__(
        self,
        name: str,
        word_logprob: Callable[[str, int, Sequence[str]], float],
        answer: Callable[[Prompt, int], str],
        batch: int = 64,
    ) -> None:
        self._name = name
        self._word_logprob = word_logprob
        self._answer = answer
        self._batch = batch

    @property
    def fingerprint(self) -> str:
        """Hash of the name."""
        return hashlib.sha256(f"scripted:{self._name}".encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """Says that no model ran."""
        return {"engine": "scripted", "tokenizer": "words"}

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET) -> Work[TokenScores]:
        """Plan scores, word by word."""
        batches = [
            Unit(_key("score", place, part), sum(len(text.split()) for text in part), part)
            for place, part in _parts(texts, self._batch)
        ]
        return Work("score", batches, self._score, lambda held: list(_read_scores(batches, held)))

    def _score(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        for unit in units:
            rows = []
            for text in unit.task:
                words = text.split()
                rows.append([self._word_logprob(word, place, words) for place, word in enumerate(words)])
            yield unit.key, json.dumps(rows).encode()

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan `sampling.continuations` answers of each prompt."""
        batches = [
            Unit(_key("generate", place, [asdict(prompt) for prompt in part], asdict(sampling)), len(part), part)
            for place, part in _parts(prompts, self._batch)
        ]

        def compute(units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
            for unit in units:
                texts = [[self._answer(prompt, draw) for draw in range(sampling.continuations)] for prompt in unit.task]
                yield unit.key, json.dumps(texts).encode()

        return Work("generate", batches, compute, lambda held: list(_read_answers(batches, held)))

    def render(self, chat: Chat, text: str) -> str | None:
        """Return None: it has no chat template."""
        return None

    def close(self) -> None:
        """Nothing to free."""


def _parts(items: Sequence[T], size: int) -> Iterator[tuple[int, list[T]]]:
    """Yield the place and the items of each unit; by its place a repeated one has a key of its own."""
    for start in range(0, len(items), size):
        yield start, list(items[start : start + size])


def _read_scores(units: Sequence[Unit], held: Mapping[str, bytes]) -> Iterator[TokenScores]:
    for unit in units:
        for text, row in zip(unit.task, json.loads(held[unit.key]), strict=True):
            ids = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:3], "big") for word in text.split()]
            yield TokenScores(np.array(ids, dtype=np.int32), np.array(row, dtype=np.float32))


def _read_answers(units: Sequence[Unit], held: Mapping[str, bytes]) -> Iterator[Completion]:
    for unit in units:
        for prompt, texts in zip(unit.task, json.loads(held[unit.key]), strict=True):
            for draw, text in enumerate(texts):
                yield Completion(prompt.id, draw, text, len(text.split()), "eos")


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
