"""Add a PEFT adapter to its base model, with strict checks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines.hf.causal_lm import Loaded, check_finite, line
from rootfruit_checks.engines.hf.embeddings import Embeddings

_PROBE = 64


def logits_of(loaded: Loaded) -> Any:
    """Return the model's own logits on a fixed probe: tokens from all over the vocabulary."""
    import torch

    rows = int(loaded.model.get_input_embeddings().weight.shape[0])
    ids = torch.linspace(0, rows - 1, min(_PROBE, rows)).long()[None]
    with torch.inference_mode():
        return loaded.model(input_ids=ids.to(loaded.device), use_cache=False).logits.float()


def lay(base: Loaded, adapter: Path, weights: Path, tokens: int) -> tuple[Any, Embeddings]:
    """Add the adapter to the base model in place; every tensor of its file must be there afterwards, unchanged.

    `tokens` is the size of its tokenizer: the base's embeddings grow to it, as in peft's AutoPeftModelForCausalLM.
    """
    import peft
    from peft.utils import get_peft_model_state_dict, load_peft_weights

    try:
        with warnings.catch_warnings():
            # PEFT warns about what is checked below, and about merging, which is not done here.
            warnings.simplefilter("ignore")
            stored = load_peft_weights(str(adapter), device="cpu")
            embeddings = Embeddings(base.model, adapter, stored, tokens)
            model = peft.PeftModel.from_pretrained(base.model, str(adapter), is_trainable=False).eval()
            held = get_peft_model_state_dict(model, save_embedding_layers=False)
    except EngineError:
        raise
    except Exception as error:
        # PEFT, safetensors and torch raise many types here; for the user they all mean "cannot be loaded".
        raise EngineError(f"{adapter}: the adapter cannot be added to its base ({line(error)})") from error
    # Embeddings and head in the file, beyond the adapter's own tensors, are checked separately.
    if lost := sorted((set(stored) - embeddings.stored - set(held)) | (set(held) - set(stored))):
        raise EngineError(
            f"{adapter}: {len(lost)} tensors differ between {weights.name} and what the configuration adds to the "
            f"base, such as {lost[0]}"
        )
    check_finite(adapter, held.items())
    embeddings.check(model, stored, held)
    return model, embeddings
