"""The flat scorer: every sentence by itself, in right-padded batches. The tree's twin, and its fallback.

Right padding with no attention mask and no cache is exact for causal models: what comes later is never seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.engines.base import Units
from rootfruit_checks.engines.loaded import Loaded


def score(
    loaded: Callable[[], Loaded], sequences: Sequence[Sequence[int]], bos: int, batch_size: int, units: Units
) -> list[NDArray[np.float32]]:
    """Return the log-probs of each sequence's tokens (ids without BOS), batches sorted by length."""
    order = sorted(range(len(sequences)), key=lambda i: (len(sequences[i]), tuple(sequences[i])))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    answers: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(sequences)
    units.begin("score (flat)", len(batches))
    for batch in batches:
        rows = [list(sequences[i]) for i in batch]
        key = hashlib.sha256(repr(("flat/1", bos, rows)).encode()).hexdigest()
        held = units.get(key)
        if held is None:
            held = _run(loaded(), rows, bos).astype("<f4").tobytes()
            units.put(key, held)
        values = np.frombuffer(held, dtype="<f4")
        ends = np.cumsum([len(row) for row in rows])
        for i, piece in zip(batch, np.split(values, ends[:-1]), strict=True):
            answers[i] = piece
    return answers


def _run(loaded: Loaded, rows: Sequence[Sequence[int]], bos: int) -> NDArray[np.float32]:
    """Return the rows' log-probs one after the other, by the model's own forward pass, head and all."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width + 1), bos, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, 1 : len(row) + 1] = torch.tensor(row)
    out = []
    with torch.inference_mode():
        logits = loaded.model(input_ids=ids.to(loaded.device), use_cache=False).logits
        for number, row in enumerate(rows):
            mine = logits[number, : len(row)].float()
            picked = mine.gather(1, torch.tensor(row, device=mine.device)[:, None])[:, 0]
            out.append((picked - torch.logsumexp(mine, dim=-1)).cpu().numpy())
    return np.concatenate(out)
