"""The library that each quantization method needs, and whether it is installed. Imports none of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from rootfruit_checks.base.errors import EngineError

# Method (`quantization_config.quant_method`) -> (module, package) that transformers needs for it. For other methods
# transformers raises its own error.
_NEEDED: dict[str, tuple[tuple[str, str], ...]] = {
    "bitsandbytes": (("bitsandbytes", "bitsandbytes"), ("accelerate", "accelerate")),
    "gptq": (("optimum", "optimum"), ("gptqmodel", "gptqmodel")),
    "awq": (("gptqmodel", "gptqmodel"), ("accelerate", "accelerate")),
    "compressed-tensors": (("compressed_tensors", "compressed-tensors"),),
    "torchao": (("torchao", "torchao"),),
    "hqq": (("hqq", "hqq"),),
    "aqlm": (("aqlm", "aqlm"),),
    "auto-round": (("auto_round", "auto-round"),),
}


def method(config: Mapping[str, Any]) -> str:
    """Return how a model of this configuration (config.json) is quantized, or "" where it is not."""
    told = config.get("quantization_config") or config.get("text_config", {}).get("quantization_config")
    if not isinstance(told, Mapping):
        return ""
    named = str(told.get("quant_method") or "")
    # Older bitsandbytes configurations do not name a method.
    if named.startswith("bitsandbytes") or told.get("load_in_4bit") or told.get("load_in_8bit"):
        return "bitsandbytes"
    return named or "an unnamed method"


def check_installed(where: object, config: Mapping[str, Any]) -> None:
    """Raise an EngineError that names the missing library, if the model is quantized and one is missing."""
    how = method(config)
    missing = [package for module, package in _NEEDED.get(how, ()) if importlib.util.find_spec(module) is None]
    if missing:
        raise EngineError(
            f"{where}: the weights are quantized with {how}, which needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}"
        )
