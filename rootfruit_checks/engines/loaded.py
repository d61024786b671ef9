"""Weights in memory: loading with every doubt turned into an error, and the two halves of a causal model."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rootfruit_checks.engines import quantized
from rootfruit_checks.engines.checkpoint import check_complete
from rootfruit_checks.engines.hf_probe import Way, check_causal, text_config, way_to_continue
from rootfruit_checks.engines.weights import read_config
from rootfruit_checks.errors import EngineError


@dataclass(eq=False)
class Loaded:
    """A causal model, its backbone (ids -> hidden states) and its head's weight in float32."""

    model: Any
    backbone: Any
    head_weight: Any
    head_bias: Any
    softcap: float | None
    device: Any

    @cached_property
    def way(self) -> Way:
        """How prompts are continued: see `hf_probe`."""
        return way_to_continue(self.model)

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
        raise EngineError(f"{path}: the tokenizer cannot be read ({line(error)})") from error


def load_model(path: Path, dtype: str, device: str, allow_pickle: bool, trust_remote_code: bool) -> Loaded:
    """Load a model for inference.

    Raises:
        EngineError: the weights are damaged, incomplete, not finite or more than the architecture uses; the model is
            not causal; or the device is not there.

    """
    import torch
    import transformers

    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"--rootfruit-device={device}: no CUDA device is there")
    # Untyped upstream.
    log: Any = transformers.logging
    model: Any
    told: Any
    # A quantized model is put on its device as it is loaded: moving it afterwards is refused by most methods.
    packed = bool(quantized.method(read_config(path)))
    placed = {"device_map": {"": where}} if packed else {}
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        model, told = _auto_class(path, trust_remote_code).from_pretrained(
            path,
            dtype=getattr(torch, dtype),
            use_safetensors=None if allow_pickle else True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            # Refused below, where the tensor can be named.
            ignore_mismatched_sizes=True,
            **placed,
        )
        model = (model if packed else model.to(where)).eval()
    except EngineError:
        raise
    except Exception as error:
        # transformers, safetensors and torch raise many types here; to the user all mean: this cannot be loaded.
        raise EngineError(f"{path}: the weights cannot be loaded ({line(error)})") from error
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
    check_complete(path, model, told)
    check_finite(path, model.named_parameters())
    check_causal(path, model)
    weight, bias = head_of(model, path)
    return Loaded(
        model=model,
        backbone=_backbone(model),
        head_weight=weight,
        head_bias=bias,
        softcap=getattr(text_config(model), "final_logit_softcapping", None),
        device=torch.device(where),
    )


def _auto_class(path: Path, trust_remote_code: bool) -> Any:
    """Return the transformers class that loads what config.json names: a causal model, or one that also sees images.

    Raises:
        EngineError: it is an encoder with a decoder.

    """
    import transformers

    config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    if getattr(config, "is_encoder_decoder", False):
        raise EngineError(f"{path}: {config.model_type} has an encoder of its own, so it is no causal language model")
    from transformers.models.auto import modeling_auto

    named = set(getattr(config, "architectures", None) or ())
    wrapper = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.model_type)
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    # Some wrappers have a causal class too, which runs their text side alone.
    if wrapper is not None and (causal is None or wrapper in named):
        return transformers.AutoModelForImageTextToText
    return transformers.AutoModelForCausalLM


def _backbone(model: Any) -> Any:
    """Return what makes hidden states of token ids: of a wrapper, its text side."""
    text = text_config(model) is not model.config
    return model.get_decoder() if text and hasattr(model, "get_decoder") else model.base_model


def check_finite(path: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Raise an EngineError, naming the tensor, where a value is NaN or infinite. Integers (quantized) are finite."""
    import torch

    for name, tensor in tensors:
        # One byte a value (float8) is a quantized tensor, on which few operations are defined.
        if tensor.is_floating_point() and tensor.element_size() > 1 and not torch.isfinite(tensor).all():
            raise EngineError(f"{path}: tensor {name} holds values that are not finite")


def head_of(model: Any, path: Path) -> tuple[Any, Any]:
    """Return the weight (v, h) and the bias (v,) or None of the model's head, as it is now, in float32.

    Where the head is no plain matrix (quantized, or with an adapter on it) it is read off from its answers to the unit
    vectors: at inference every such head is a linear map.
    """
    import torch

    head = model.get_output_embeddings()
    if head is None:
        raise EngineError(f"{path}: the model has no language-model head")
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    wrapped = hasattr(head, "base_layer") or hasattr(head, "original_module")
    if isinstance(weight, torch.Tensor) and weight.is_floating_point() and weight.element_size() > 1 and not wrapped:
        return weight.detach().float(), None if bias is None else bias.detach().float()
    size = text_config(model).hidden_size
    units = torch.eye(size, dtype=model.dtype, device=model.device)
    with torch.inference_mode():
        offset = head(torch.zeros_like(units[:1]))[0].float()
        columns = head(units).float() - offset
    return columns.T.contiguous(), offset if bool(offset.any()) else None


def line(error: BaseException) -> str:
    """Return an error's text in one line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"
