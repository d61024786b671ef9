"""The head of a transformers model, from hidden states to logits, in float32 whatever the model's dtype."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rootfruit_checks.engines.hf.probes import REFUSALS, plain, probe_tokens

_TOKENS = 6
# Relative to the size of the logits: above float32 rounding of a linear map, far below any nonlinear head.
_LINEAR = 1e-4


@contextmanager
def float_head(model: Any, weight: Any, bias: Any) -> Iterator[None]:
    """Make the model's head compute in float32; the model still applies any scale or cap after it."""
    import torch

    head = model.get_output_embeddings()
    if head is None or model.dtype == torch.float32:
        yield
        return

    def answer(_: Any, inputs: tuple[Any, ...], __: Any) -> Any:
        return torch.nn.functional.linear(inputs[0].float(), weight, bias)

    handle = head.register_forward_hook(answer)
    try:
        yield
    finally:
        handle.remove()


def scale_of(model: Any, backbone: Any, weight: Any, bias: Any) -> float:
    """Return the factor that the model applies to its head's output (Cohere, Granite); 1.0 if there is none.

    It is measured from the model's own logits, since configurations use many names for it. If more than a factor lies
    between hidden states and logits, it is 1.0 too, and the probe of the tree detects that.
    """
    import torch

    ids = torch.tensor([probe_tokens(model, _TOKENS)], device=model.device)
    with torch.inference_mode():
        try:
            with float_head(model, weight, bias):
                own = plain(model, ids).float()
            mine = torch.nn.functional.linear(backbone(input_ids=ids)[0].float(), weight, bias)
            scale = float((own * mine).sum() / (mine * mine).sum())
            apart = float((own - scale * mine).abs().max() / own.abs().max())
        except REFUSALS:
            return 1.0
    return scale if apart <= _LINEAR and abs(scale - 1) > _LINEAR else 1.0
