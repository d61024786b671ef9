"""The work of a run: the number of texts and, without a tokenizer, an estimate of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.observations.from_answers import twin_slots
from rootfruit_checks.observations.pair_scores import pair_texts

# Tokens per English word for most tokenizers, with a margin for names and neopronouns.
TOKENS_A_WORD = 1.4


@dataclass(frozen=True, slots=True)
class Cost:
    """One model's work on one benchmark. Tokens are estimates; generated tokens are an upper limit.

    Attributes:
        samples: pairs or prompts.
        texts: texts to score.
        scored: tokens of these.
        shared: tokens of these when common prefixes are computed once, as the prefix tree does.
        answers: continuations to draw.
        read: tokens of their prompts.
        written: tokens drawn, if every answer has the maximum length.

    """

    samples: int
    texts: int
    scored: int
    shared: int
    answers: int
    read: int
    written: int


def of(settings: Settings, data: Mapping[str, DataSet]) -> dict[str, Cost]:
    """Return the work of one model by benchmark."""
    return {name: _one(settings, held, twins=BENCHMARKS[name].twins) for name, held in data.items()}


def _one(settings: Settings, data: DataSet, *, twins: bool) -> Cost:
    if data.pairs:
        texts: list[str] = pair_texts(data.pairs)
    elif twins:
        texts = [text for slot in twin_slots(data.prompts) for text in slot.values()]
    else:
        texts = []
    words, distinct = _words(texts)
    answers = len(data.prompts) * settings.draws
    read, _ = _words([prompt.text for prompt in data.prompts])
    return Cost(
        len(data.pairs) + len(data.prompts),
        len(texts),
        round(words * TOKENS_A_WORD),
        round(distinct * TOKENS_A_WORD),
        answers,
        round(read * settings.draws * TOKENS_A_WORD),
        answers * settings.max_new_tokens,
    )


def _words(texts: Iterable[str]) -> tuple[int, int]:
    """Return the number of words, and the number of distinct prefixes, counted word by word."""
    total = 0
    seen: set[int] = set()
    for text in texts:
        place = 0
        for word in text.split():
            total += 1
            place = hash((place, word))
            seen.add(place)
    return total, len(seen)
