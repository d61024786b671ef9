"""The flat scorer: each sentence in its own row of a right-padded batch. Baseline and fallback for the tree.

Right padding without attention mask or cache is exact for causal models: a token never sees what comes after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.engines.hf.causal_lm import Loaded
from rootfruit_checks.engines.hf.output_head import float_head
from rootfruit_checks.engines.hf.probes import plain
from rootfruit_checks.engines.work_units import Unit


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (without BOS) of some sentences, and the BOS."""

    rows: list[list[int]]
    bos: int


def plan(sequences: Sequence[Sequence[int]], bos: int, batch_size: int) -> list[Unit]:
    """Cut the sequences, by length, into batches."""
    ordered = sorted(sequences, key=lambda ids: (len(ids), tuple(ids)))
    units = []
    for start in range(0, len(ordered), batch_size):
        rows = [list(ids) for ids in ordered[start : start + batch_size]]
        key = hashlib.sha256(repr(("flat/2", bos, rows)).encode()).hexdigest()
        units.append(Unit(key, len(rows) * len(rows[-1]), Batch(rows, bos)))
    return units


def read(units: Sequence[Unit], held: Mapping[str, bytes]) -> dict[tuple[int, ...], NDArray[np.float32]]:
    """Return the log-probs of each sequence."""
    found: dict[tuple[int, ...], NDArray[np.float32]] = {}
    for unit in units:
        rows = unit.task.rows
        pieces = np.split(np.frombuffer(held[unit.key], dtype="<f4"), np.cumsum([len(row) for row in rows])[:-1])
        found.update(zip(map(tuple, rows), pieces, strict=True))
    return found


def run(loaded: Loaded, batch: Batch) -> bytes:
    """Return the rows' log-probs one after the other (float32), by the model's own forward pass, head and all."""
    import torch

    rows, bos = batch.rows, batch.bos
    width = max(map(len, rows))
    ids = torch.full((len(rows), width + 1), bos, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, 1 : len(row) + 1] = torch.tensor(row)
    out = []
    with torch.inference_mode(), float_head(loaded.model, loaded.head_weight, loaded.head_bias):
        logits = plain(loaded.model, ids.to(loaded.device))
        for number, row in enumerate(rows):
            mine = logits[number, : len(row)].float()
            picked = mine.gather(1, torch.tensor(row, device=mine.device)[:, None])[:, 0]
            out.append((picked - torch.logsumexp(mine, dim=-1)).cpu().numpy())
    return np.concatenate(out).astype("<f4").tobytes()
