"""Run one block of the prefix tree through a transformers model, and exclude models that do not support it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.engines.hf.causal_lm import Loaded
from rootfruit_checks.engines.hf.prefix_tree import Block
from rootfruit_checks.engines.hf.probes import smallest_window, text_config

# Rows of logits at a time: 64 rows of a 50,000-word vocabulary roughly fit the last-level cache.
_HEAD_ROWS = 64


def refusal(loaded: Loaded, deepest: int) -> str:
    """Return why a model cannot be scored on a tree of this depth, or "" if it can."""
    config, backbone = text_config(loaded.model), loaded.backbone
    built = any(hasattr(backbone, name) for name in ("build_alibi_tensor", "build_mpt_alibi_tensor"))
    if getattr(backbone, "use_alibi", built):
        return f"{config.model_type} uses ALiBi, which does not take positions from depths"
    if getattr(loaded.model, "_is_stateful", False):
        return f"{config.model_type} is recurrent"
    window = smallest_window(config)
    if window is not None and window <= deepest + 1:
        return f"the attention window of {window} is shorter than the tree is deep ({deepest + 1})"
    return ""


def run_block(loaded: Loaded, block: Block) -> NDArray[np.float32]:
    """Return the log-probs of the block's targets, shape (k,), float32, in nats."""
    import torch

    with torch.inference_mode():
        device = loaded.device
        visible = torch.from_numpy(block.visible()).to(device)
        dtype = loaded.model.dtype
        mask = torch.zeros(visible.shape, dtype=dtype, device=device).masked_fill_(~visible, torch.finfo(dtype).min)
        hidden = loaded.backbone(
            input_ids=torch.from_numpy(block.tokens).to(device)[None],
            position_ids=torch.from_numpy(block.depths).to(device)[None],
            attention_mask=mask[None, None],
            use_cache=False,
        )[0][0]
        rows, where = np.unique(block.sources, return_inverse=True)
        return read_off(loaded, hidden[torch.from_numpy(rows).to(device)], where, block.targets)


def read_off(
    loaded: Loaded, hidden: Any, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Apply the float32 head to `hidden` (r, h) in chunks; return log p(targets[i] | row sources[i]), shape (k,).

    `sources` ascends. A gather minus a logsumexp, never a whole log-softmax.
    """
    import torch

    out = np.empty(len(targets), dtype=np.float32)
    for start in range(0, len(hidden), _HEAD_ROWS):
        chunk = hidden[start : start + _HEAD_ROWS].float()
        logits = torch.nn.functional.linear(chunk, loaded.head_weight, loaded.head_bias)
        if loaded.scale != 1:
            logits = logits * loaded.scale
        if loaded.softcap:
            logits = torch.tanh(logits / loaded.softcap) * loaded.softcap
        low, high = np.searchsorted(sources, [start, start + len(chunk)])
        rows = torch.from_numpy(sources[low:high] - start).to(logits.device)
        tokens = torch.from_numpy(np.ascontiguousarray(targets[low:high])).to(logits.device)
        total = torch.logsumexp(logits, dim=-1)
        out[low:high] = (logits[rows, tokens] - total[rows]).cpu().numpy()
    return out
