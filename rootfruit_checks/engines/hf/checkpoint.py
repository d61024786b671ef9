"""Check that a loaded model uses all the tensors in its weight files.

transformers silently drops tensors that the architecture has no place for. The model's numbers then differ from those
of the trained model, so such a checkpoint is rejected. Tensors that cannot change an answer may stay unused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError

# Towers for images and sound, which text never reaches. They stay unused when a wrapper's text side runs alone.
_TOWERS = ("vision", "visual", "image", "audio", "speech", "multi_modal", "mm_projector")


def check_complete(path: Path, model: Any, info: Mapping[str, Any]) -> None:
    """Raise an EngineError, naming a tensor, where the files and the architecture do not hold the same tensors.

    Args:
        path: the model directory.
        model: the loaded model.
        info: the second value of `from_pretrained(output_loading_info=True)`.

    """
    missing = sorted(info.get("missing_keys", ()))
    if missing:
        # transformers would fill them with random numbers and continue.
        raise EngineError(f"{path}: {_tensors(missing)} missing from the weights")
    mismatched = sorted(info.get("mismatched_keys", ()), key=str)
    if mismatched:
        name, stored, wanted = mismatched[0]
        raise EngineError(
            f"{path}: tensor {name} has shape {list(stored)} in the weights and {list(wanted)} in the architecture"
        )
    stored = _Tensors(path)
    _check_unused(path, model, sorted(info.get("unexpected_keys", ())), stored)
    _check_tied(path, model, stored)


def _check_unused(path: Path, model: Any, names: list[str], stored: _Tensors) -> None:
    drafting = {name.rpartition(".eh_proj.")[0] for name in names if ".eh_proj." in name}
    # A layer that the model runs is not a drafting layer, whatever else the file contains for it.
    run = [name for name, _ in model.named_parameters()]
    drafting = {layer for layer in drafting if not any(name.startswith(f"{layer}.") for name in run)}
    unused = [name for name in names if not _is_beside_the_text(name, drafting)]
    unused = [name for name in unused if not _changes_nothing(name, model, stored)]
    if unused:
        raise EngineError(
            f"{path}: {_tensors(unused)} in the weights and not used by the architecture in config.json, so the scores "
            "would not be those of the trained model; correct config.json, or remove tensors that belong to another"
        )


def _tensors(names: list[str]) -> str:
    return f"tensor {names[0]} is" if len(names) == 1 else f"{len(names)} tensors, such as {names[0]}, are"


def _is_beside_the_text(name: str, drafting: set[str]) -> bool:
    """Whether a tensor belongs to a tower for images or sound, or to layers (`drafting`) that only draft tokens."""
    top = name.split(".")[:2]
    # The tower is at the top level or right below the wrapper; layers of a text model never have such names.
    if any(tower in part for part in top for tower in _TOWERS) or "mtp" in top:
        return True
    return any(name.startswith(f"{layer}.") for layer in drafting)


def _changes_nothing(name: str, model: Any, stored: _Tensors) -> bool:
    """Whether a tensor without a place in the model is a constant, a copy, or adds nothing."""
    import torch

    if name.endswith(("inv_freq", "position_ids", "masked_bias", "num_batches_tracked")):
        return True
    tensor = stored.read(name)
    if tensor is None:
        return False
    if name.endswith("bias") and not bool(tensor.any()):
        return True
    # Older checkpoints store the causal mask itself.
    if tensor.dim() == 4 and tensor.shape[-1] == tensor.shape[-2] and name.endswith("bias"):
        return bool(torch.equal(tensor[0, 0].bool(), torch.ones_like(tensor[0, 0]).tril().bool()))
    if not name.endswith("weight"):
        return False
    twins = {
        id(getattr(module, "weight", None)) for module in (model.get_input_embeddings(), model.get_output_embeddings())
    }
    values = [stored.value(key, one) for key, one in model.named_parameters() if id(one) in twins]
    return any(
        one is not None and one.shape == tensor.shape and torch.equal(one.to(tensor.dtype), tensor) for one in values
    )


def _check_tied(path: Path, model: Any, stored: _Tensors) -> None:
    """Raise an error if config.json ties two tensors and the file contains different values for them."""
    import torch

    expand = getattr(model, "get_expanded_tied_weights_keys", None)
    if expand is None:
        return
    wanted = dict(expand(all_submodels=True))
    # If the file contains both and they differ, transformers keeps both and no longer lists the pair as tied.
    apart = sorted(set(wanted) - set(getattr(model, "all_tied_weights_keys", wanted)))
    for target, source in wanted.items():
        pair = [stored.read(target, exactly=True), stored.read(source, exactly=True)]
        if all(one is not None for one in pair) and not (pair[0].shape == pair[1].shape and torch.equal(*pair)):
            apart.append(target)
    if apart:
        raise EngineError(
            f"{path}: config.json ties {apart[0]} to another tensor (tie_word_embeddings), but the weights contain a "
            "different one of that name; set tie_word_embeddings as in training"
        )


class _Tensors:
    """The tensors of a directory's files, read one at a time. Only safetensors are supported."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._files = {}
        for file in sorted(path.glob("*.safetensors")):
            with safe_open(file, framework="pt") as handle:
                self._files.update(dict.fromkeys(handle.keys(), file))

    def read(self, name: str, *, exactly: bool = False) -> Any:
        """Return a tensor by the name that transformers gives it, or None if there is none.

        Unless `exactly` is set, its name in the file may have an extra prefix or lack one.
        """
        from safetensors import safe_open

        stored = [name] if name in self._files else []
        if not stored and not exactly:
            stored = [key for key in self._files if name.endswith(f".{key}") or key.endswith(f".{name}")]
        if len(stored) != 1:
            return None
        with safe_open(self._files[stored[0]], framework="pt") as handle:
            return handle.get_tensor(stored[0])

    def value(self, name: str, parameter: Any) -> Any:
        """Return a parameter's value; read it from the file if the model was created without weights."""
        return self.read(name) if parameter.is_meta else parameter.detach().cpu()
