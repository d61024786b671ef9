"""Token by token: what each token of a pair's sentences is worth to a model, so that a difference can be followed.

Made where pairs are scored and kept as a Parquet table beside theirs; read for the pairs that are shown.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rootfruit_checks.engines.base import Scorer, pieces_of
from rootfruit_checks.observations.pair_scores import ScoredPair

SIDES = ("queer", "counterfactual")


def token_table(engine: Scorer, scored: Iterable[ScoredPair]) -> pd.DataFrame:
    """Return one row a sentence, both of each pair: its tokens, their log-probs, and which both sentences share.

    Args:
        engine: gives the text of tokens through `pieces(text, ids)`, where it has that; else a token is its number.
        scored: the pairs.

    Returns:
        Columns `sample`, `side` (queer or counterfactual), and lists of one length: `pieces` (text), `logprobs`
        (nats, float32), `shared` (bool).

    """
    rows: list[tuple[str, str, list[str], Any, Any]] = []
    for one in scored:
        pair, both = one.pair, (one.queer, one.counterfactual)
        texts = (pair.queer, pair.counterfactual)
        for side, text, answer, mask in zip(SIDES, texts, both, one.shared(), strict=True):
            rows.append((pair.id, side, pieces_of(engine, text, answer.ids), answer.logprobs.astype(np.float32), mask))
    return pd.DataFrame(rows, columns=["sample", "side", "pieces", "logprobs", "shared"])


class TokenBook:
    """Token tables of one benchmark by role, several where a run grew look after look."""

    def __init__(self) -> None:
        self._tables: dict[str, list[pa.Table]] = {}

    def add(self, role: str, parquet: bytes) -> None:
        """Add the content of one table's file."""
        self._tables.setdefault(role, []).append(pq.read_table(io.BytesIO(parquet)))

    @cached_property
    def _places(self) -> dict[tuple[str, str, str], tuple[pa.Table, int]]:
        return {
            (role, sample, side): (table, at)
            for role, tables in self._tables.items()
            for table in tables
            for at, (sample, side) in enumerate(
                zip(table["sample"].to_pylist(), table["side"].to_pylist(), strict=True)
            )
        }

    def of(self, sample: str, roles: Iterable[str]) -> dict[str, dict[str, list[list[Any]]]]:
        """Return by role and side the tokens of a pair: [text, log-prob in nats, whether both sentences share it]."""
        found: dict[str, dict[str, list[list[Any]]]] = {}
        for role in roles:
            for side in SIDES:
                place = self._places.get((role, sample, side))
                if place is None:
                    continue
                table, at = place
                columns = [table[name][at].as_py() for name in ("pieces", "logprobs", "shared")]
                found.setdefault(role, {})[side] = [
                    [piece, round(float(value), 4), bool(mask)] for piece, value, mask in zip(*columns, strict=True)
                ]
        return found


Books = Mapping[str, TokenBook]
