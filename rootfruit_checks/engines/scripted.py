"""An engine that answers by rule: for tests of everything above the engines, ours and a user's, without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from rootfruit_checks.engines.base import FORGET, Units
from rootfruit_checks.types import Completion, Prompt, Sampling, TokenScores


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

    def score(self, texts: Sequence[str], units: Units = FORGET) -> Sequence[TokenScores]:
        """Score word by word."""
        batches = [list(texts[i : i + self._batch]) for i in range(0, len(texts), self._batch)]
        units.begin("score", len(batches))
        return [score for batch in batches for score in self._score_batch(batch, units)]

    def _score_batch(self, batch: Sequence[str], units: Units) -> Iterator[TokenScores]:
        key = _key("score", list(batch))
        held = units.get(key)
        if held is None:
            rows = []
            for text in batch:
                words = text.split()
                rows.append([self._word_logprob(word, place, words) for place, word in enumerate(words)])
            held = json.dumps(rows).encode()
            units.put(key, held)
        for text, row in zip(batch, json.loads(held), strict=True):
            ids = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:3], "big") for word in text.split()]
            yield TokenScores(np.array(ids, dtype=np.int32), np.array(row, dtype=np.float32))

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, units: Units = FORGET) -> Iterator[Completion]:
        """Answer each prompt `sampling.continuations` times."""
        batches = [list(prompts[i : i + self._batch]) for i in range(0, len(prompts), self._batch)]
        units.begin("generate", len(batches))
        for batch in batches:
            key = _key("generate", [asdict(prompt) for prompt in batch], asdict(sampling))
            held = units.get(key)
            if held is None:
                texts = [[self._answer(prompt, draw) for draw in range(sampling.continuations)] for prompt in batch]
                held = json.dumps(texts).encode()
                units.put(key, held)
            for prompt, texts in zip(batch, json.loads(held), strict=True):
                for draw, text in enumerate(texts):
                    yield Completion(prompt.id, draw, text, len(text.split()), "eos")

    def close(self) -> None:
        """Nothing to free."""


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
