"""Pairs, scored: from the log-probs of tokens to the differences that the measures use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.types import Pair, TokenScores
from rootfruit_checks.engines.base import Scorer, score
from rootfruit_checks.engines.work_units import FORGET, Units

Number = TypeVar("Number", float, "NDArray[np.float64]")


@dataclass(frozen=True, slots=True)
class PairScores:
    """Differences of a pair's sentence log-probs, queer minus counterfactual, in nats.

    `d_shared` sums tokens common to both sentences, `d_full` all tokens, `d_upstream` is `d_shared` with each sum
    rounded to 3 decimals first, as upstream's `metric_autoregressive.py` compares them.
    """

    d_shared: float
    d_full: float
    d_upstream: float


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPair:
    """A pair with the log-probs of its two sentences under one model."""

    pair: Pair
    queer: TokenScores
    counterfactual: TokenScores

    def shared(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which tokens of each sentence are common to both: see `shared_mask`."""
        return shared_mask(self.queer.ids, self.counterfactual.ids)

    def differences(self) -> PairScores:
        """Return the differences of the two sentences: see `pair_scores`."""
        return pair_scores(self.queer, self.counterfactual)


def pair_texts(pairs: Iterable[Pair]) -> list[str]:
    """Return the sentences that are scored: both of each pair, one after the other."""
    return [text for pair in pairs for text in (pair.queer, pair.counterfactual)]


def score_pairs(engine: Scorer, pairs: Sequence[Pair], units: Units = FORGET, before: str = "") -> list[ScoredPair]:
    """Score both sentences of each pair, after whatever stands before each; raises as `engines.base.score`."""
    scores = iter(score(engine, pair_texts(pairs), units, before))
    return [ScoredPair(pair, next(scores), next(scores)) for pair in pairs]


@lru_cache(maxsize=65536)
def _shared_spans(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    # Strings, and x before y, as upstream calls it: difflib's answer can depend on both.
    matcher = SequenceMatcher(None, [str(i) for i in x], [str(i) for i in y])
    return tuple((i1, j1, i2 - i1) for tag, i1, i2, j1, _ in matcher.get_opcodes() if tag == "equal")


def shared_mask(ids_x: NDArray[np.int32], ids_y: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tokens of x and of y are common to both: the `equal` blocks of difflib (Felkner et al. 2023).

    Args:
        ids_x: token ids of the queer sentence, shape (n,), without BOS.
        ids_y: token ids of the counterfactual sentence, shape (m,), without BOS.

    Returns:
        Masks of shape (n,) and (m,) with equally many true entries.

    """
    mask_x, mask_y = np.zeros(len(ids_x), dtype=bool), np.zeros(len(ids_y), dtype=bool)
    for start_x, start_y, size in _shared_spans(tuple(ids_x.tolist()), tuple(ids_y.tolist())):
        mask_x[start_x : start_x + size] = True
        mask_y[start_y : start_y + size] = True
    return mask_x, mask_y


def pair_scores(x: TokenScores, y: TokenScores) -> PairScores:
    """Compare the two sentences of a pair; `x` is the queer sentence."""
    mask_x, mask_y = shared_mask(x.ids, y.ids)
    shared_x = float(x.logprobs[mask_x].sum(dtype=np.float64))
    shared_y = float(y.logprobs[mask_y].sum(dtype=np.float64))
    rounded = round(round(shared_x, 3) - round(shared_y, 3), 3)
    return PairScores(shared_x - shared_y, x.total - y.total, rounded)
