"""Weights in memory: loading with every doubt turned into an error, and the two halves of a causal model."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import EngineError


@dataclass(slots=True, eq=False)
class Loaded:
    """A causal model, its backbone (ids -> hidden states) and its head's weight in float32."""

    model: Any
    backbone: Any
    head_weight: Any
    head_bias: Any
    softcap: float | None
    device: Any

    def free(self) -> None:
        """Drop the weights, and what the accelerator's allocator keeps of them."""
        import torch

        self.model = self.backbone = self.head_weight = self.head_bias = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load_tokenizer(path: Path, trust_remote_code: bool) -> Any:
    """Return the tokenizer, or an EngineError in one line."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise EngineError(f"{path}: the tokenizer cannot be read ({_line(error)})") from error


def load_model(path: Path, dtype: str, device: str, allow_pickle: bool, trust_remote_code: bool) -> Loaded:
    """Load a model for inference.

    Raises:
        EngineError: the weights are damaged, incomplete or not finite, or the device is not there.

    """
    import torch
    import transformers

    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"--rootfruit-device={device}: no CUDA device is there")
    # Untyped upstream.
    log: Any = transformers.logging
    auto: Any = transformers.AutoModelForCausalLM
    model: Any
    told: Any
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        model, told = auto.from_pretrained(
            path,
            dtype=getattr(torch, dtype),
            use_safetensors=None if allow_pickle else True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
        model = model.to(where).eval()
    except Exception as error:
        # transformers, safetensors and torch raise many types here; to the user all mean: this cannot be loaded.
        raise EngineError(f"{path}: the weights cannot be loaded ({_line(error)})") from error
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
    missing = sorted(told.get("missing_keys", ()))
    if missing:
        # transformers would fill them with random numbers and go on.
        raise EngineError(f"{path}: {len(missing)} tensors are missing from the weights, such as {missing[0]}")
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise EngineError(f"{path}: tensor {name} holds values that are not finite")
    head = model.get_output_embeddings()
    if head is None or not hasattr(head, "weight"):
        raise EngineError(f"{path}: the model has no language-model head")
    bias = getattr(head, "bias", None)
    text = getattr(model.config, "text_config", model.config)
    return Loaded(
        model=model,
        backbone=model.base_model,
        head_weight=head.weight.detach().float(),
        head_bias=None if bias is None else bias.detach().float(),
        softcap=getattr(text, "final_logit_softcapping", None),
        device=torch.device(where),
    )


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"
