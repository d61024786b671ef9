"""Load a model directory with transformers, with its weights or, to see tensor names and shapes, without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines import quantized
from rootfruit_checks.engines.hf.checkpoint import check_complete
from rootfruit_checks.engines.weights import read_config


def read_model(path: Path, allow_pickle: bool, trust_remote_code: bool, **options: Any) -> tuple[Any, Any]:
    """Return the model and the loading info from transformers. Errors from transformers are not caught.

    Raises:
        EngineError: it is an encoder-decoder model.

    """
    with _quiet():
        found: tuple[Any, Any] = _auto_class(path, trust_remote_code).from_pretrained(
            path,
            use_safetensors=None if allow_pickle else True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            # `check_complete` rejects them and can name the tensor.
            ignore_mismatched_sizes=True,
            **options,
        )
    return found


def check_files(path: Path, allow_pickle: bool, trust_remote_code: bool) -> None:
    """Raise an EngineError if the files' tensors do not match the architecture. Reads no weights.

    Faults that show only in the weights themselves are found on loading.
    """
    if quantized.method(read_config(path)):
        return
    try:
        model, info = read_model(path, allow_pickle, trust_remote_code, device_map={"": "meta"})
    except EngineError:
        raise
    except Exception:
        # Some models cannot be created without weights; loading gives a more reliable reason.
        return
    check_complete(path, model, info)


@contextmanager
def _quiet() -> Iterator[None]:
    import transformers

    # Untyped upstream.
    log: Any = transformers.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _auto_class(path: Path, trust_remote_code: bool) -> Any:
    """Return the transformers class that loads what config.json names: a causal model, or one that also sees images."""
    import transformers
    from transformers.models.auto import modeling_auto

    config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    if getattr(config, "is_encoder_decoder", False):
        raise EngineError(f"{path}: {config.model_type} has its own encoder, so it is not a causal language model")
    named = set(getattr(config, "architectures", None) or ())
    kind = config.model_type
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    if causal is None and not (trust_remote_code and getattr(config, "auto_map", None)):
        wrappers = {
            transformers.AutoModelForImageTextToText: modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
            transformers.AutoModelForMultimodalLM: modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
        }
        auto = next((auto for auto, kinds in wrappers.items() if kind in kinds), None)
        if auto is None:
            raise EngineError(
                f"{path}: transformers {transformers.__version__} has no causal language model of type {kind}"
            )
        return auto
    # Some wrappers also have a causal class, which runs only their text side.
    if modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(kind) in named:
        return transformers.AutoModelForImageTextToText
    return transformers.AutoModelForCausalLM
