"""Load weights with strict checks, and split a causal model into backbone and head."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines import quantized
from rootfruit_checks.engines.hf.checkpoint import check_complete
from rootfruit_checks.engines.hf.opening import read_model
from rootfruit_checks.engines.hf.output_head import scale_of
from rootfruit_checks.engines.hf.probes import Way, check_causal, text_config, way_to_continue
from rootfruit_checks.engines.weights import read_config


@dataclass(eq=False)
class Loaded:
    """A causal model, its backbone (ids -> hidden states) and its float32 head: weight, bias, scale and cap."""

    model: Any
    backbone: Any
    head_weight: Any
    head_bias: Any
    softcap: float | None
    device: Any
    scale: float = 1.0

    @cached_property
    def way(self) -> Way:
        """How prompts are continued: see `hf_probe`."""
        return way_to_continue(self.model)

    def free(self) -> None:
        """Drop the weights and empty the accelerator's cache."""
        import torch

        self.model = self.backbone = self.head_weight = self.head_bias = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load_tokenizer(path: Path, trust_remote_code: bool) -> Any:
    """Return the tokenizer, or raise a one-line EngineError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise EngineError(f"{path}: the tokenizer cannot be read ({line(error)})") from error


def load_model(path: Path, dtype: str, device: str, allow_pickle: bool, trust_remote_code: bool) -> Loaded:
    """Load a model for inference.

    Raises:
        EngineError: the weights are damaged, incomplete, not finite, or contain more than the architecture uses; the
                model is not causal; or the device does not exist.

    """
    import torch

    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"--rootfruit-device={device}: there is no CUDA device here")
    # A quantized model is put on its device while it loads, because most methods refuse to move it afterwards.
    packed = bool(quantized.method(read_config(path)))
    placed = {"device_map": {"": where}} if packed else {}
    try:
        model, info = read_model(path, allow_pickle, trust_remote_code, dtype=getattr(torch, dtype), **placed)
        model = (model if packed else model.to(where)).eval()
    except EngineError:
        raise
    except Exception as error:
        # transformers, safetensors and torch raise many types here; for the user they all mean "cannot be loaded".
        raise EngineError(f"{path}: the weights cannot be loaded ({line(error)})") from error
    check_complete(path, model, info)
    check_finite(path, model.named_parameters())
    check_causal(path, model)
    weight, bias = head_of(model, path)
    backbone = _backbone(model)
    return Loaded(
        model=model,
        backbone=backbone,
        head_weight=weight,
        head_bias=bias,
        softcap=getattr(text_config(model), "final_logit_softcapping", None),
        scale=scale_of(model, backbone, weight, bias),
        device=torch.device(where),
    )


def _backbone(model: Any) -> Any:
    """Return the part that turns token ids into hidden states; for a wrapper, that of its text side."""
    text = text_config(model) is not model.config
    return model.get_decoder() if text and hasattr(model, "get_decoder") else model.base_model


def check_finite(path: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Raise an EngineError, naming the tensor, where a value is NaN or infinite. Integers (quantized) are finite."""
    import torch

    for name, tensor in tensors:
        # Tensors with one byte per value (float8) are quantized, and few operations are defined on them.
        if tensor.is_floating_point() and tensor.element_size() > 1 and not torch.isfinite(tensor).all():
            raise EngineError(f"{path}: tensor {name} contains values that are not finite")


def head_of(model: Any, path: Path) -> tuple[Any, Any]:
    """Return the weight (v, h) and the bias (v,) or None of the model's head, as it is now, in float32.

    If the head is not a plain matrix (quantized, or with an adapter), it is measured by applying it to the unit
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
    """Return an error's text as one line of limited length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"
