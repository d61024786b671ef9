"""Embeddings and head of a base whose adapter brings its own: added for new tokens, or trained in full.

PEFT writes such tensors into the base's own layers, where no switch turns them off again. So we keep the base's layers
and put them back while the adapter is off.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines.hf.causal_lm import line

_PREFIX = "base_model.model."
# Where PEFT's wrappers store the wrapped layer and its replacement.
_WRAPPED = re.compile(r"\.((token_adapter\.)?base_layer|original_module|modules_to_save)\.")


class Embeddings:
    """The base's layers, and the adapter's layers that replace them.

    Args:
        model: the base, before the adapter is added.
        adapter: the adapter's directory, for messages.
        stored: the tensors of its file.
        tokens: the number of tokens of the adapter's tokenizer.

    Raises:
        EngineError: the adapter lacks embeddings for tokens of its tokenizer.

    """

    def __init__(self, model: Any, adapter: Path, stored: Mapping[str, Any], tokens: int) -> None:
        self._model, self._adapter = model, adapter
        layers = (model.get_input_embeddings(), model.get_output_embeddings())
        names = {f"{_PREFIX}{name}" for name, layer in model.named_modules() if any(layer is one for one in layers)}
        self.stored = {name for name in stored if any(name.startswith(f"{layer}.") for layer in names)}
        self._whole = {name for name in self.stored if _WRAPPED.sub(".", name).rpartition(".")[0] in names}
        rows = self._size(stored, tokens)
        self._config = model.config.get_text_config()
        self._base = (*layers, self._config.vocab_size) if self._whole or rows else None
        if self._base is not None:
            # PEFT writes into copies. They are copied together, so that a tied pair stays tied.
            embeddings, head = copy.deepcopy(layers)
            model.set_input_embeddings(embeddings)
            model.set_output_embeddings(head)
        self._own: tuple[Any, Any, int] | None = None
        if rows:
            self._resize(rows)

    def _size(self, stored: Mapping[str, Any], tokens: int) -> int:
        """Return the number of rows that the embeddings need; 0 if they need not change."""
        now = int(self._model.get_input_embeddings().weight.shape[0])
        sizes = {int(stored[name].shape[0]) for name in self._whole if name.endswith(".weight")} or {max(tokens, now)}
        rows = min(sizes)
        if len(sizes) > 1 or (rows < tokens and tokens > now):
            raise EngineError(
                f"{self._adapter}: its tokenizer has {tokens} tokens and its weights contain embeddings of "
                f"{' and '.join(map(str, sorted(sizes)))}; save both from one training run"
            )
        return rows if rows != now else 0

    def _resize(self, rows: int) -> None:
        import torch

        before = int(self._model.get_input_embeddings().weight.shape[0])
        try:
            self._model.resize_token_embeddings(rows, mean_resizing=False)
        except Exception as error:
            raise EngineError(f"{self._adapter}: the base's embeddings cannot be resized ({line(error)})") from error
        # Rows that the file does not fill stay NaN and are noticed: random rows would be scored as if trained.
        for layer in (self._model.get_input_embeddings(), self._model.get_output_embeddings()):
            for tensor in (layer.weight, getattr(layer, "bias", None)):
                if tensor is not None:
                    tensor.data[before:] = torch.nan

    def check(self, switched: Any, stored: Mapping[str, Any], held: Iterable[str]) -> None:
        """Check, after the adapter was added, that all its embeddings were loaded.

        Raises:
            EngineError: a token has no embedding, or a tensor of the file was not used.

        """
        import torch

        if self._base is None and self.stored <= set(held):
            return
        now = switched.state_dict()
        for name in sorted(self.stored - set(held)):
            # PEFT stores a replaced layer under two names, and reads one of them.
            twin = stored.get(name.replace(".modules_to_save.", "."))
            taken = now.get(name, now.get(f"{name}.default", twin))
            if taken is None or not torch.equal(taken.cpu(), stored[name].to(taken.dtype)):
                raise EngineError(f"{self._adapter}: tensor {name} of its weights does not fit into the base")
        rows = int(self._model.get_input_embeddings().weight.shape[0])
        with torch.inference_mode():
            vectors = self._model.get_input_embeddings()(torch.arange(rows, device=self._model.device))
            scores = self._model.get_output_embeddings()(torch.zeros_like(vectors[:1]))
        if not (torch.isfinite(vectors).all() and torch.isfinite(scores).all()):
            raise EngineError(
                f"{self._adapter}: its tokenizer has more tokens than the base, and its weights lack embeddings for "
                "them; save it with save_embedding_layers=True"
            )

    def turn(self, on: bool) -> None:
        """Install the adapter's layers, or the base's."""
        if self._base is None:
            return
        if self._own is None:
            self._own = (
                self._model.get_input_embeddings(),
                self._model.get_output_embeddings(),
                self._config.vocab_size,
            )
        embeddings, head, rows = self._own if on else self._base
        self._model.set_input_embeddings(embeddings)
        self._model.set_output_embeddings(head)
        self._config.vocab_size = rows
