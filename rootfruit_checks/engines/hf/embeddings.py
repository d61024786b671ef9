"""Embeddings and head of a base whose adapter brings its own: for tokens added in training, or trained whole.

PEFT writes such tensors into the base's own layers, where no switch turns them off again. So the base's layers are
kept aside, and put back while the adapter is off.
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
# Where PEFT's wrappers keep the layer that they wrap, and the one in its place.
_WRAPPED = re.compile(r"\.((token_adapter\.)?base_layer|original_module|modules_to_save)\.")


class Embeddings:
    """The base's layers, kept, and the adapter's, which replace them.

    Args:
        model: the base, before the adapter is laid into it.
        adapter: the adapter's directory, for messages.
        stored: the tensors of its file.
        tokens: how many tokens the adapter's tokenizer has.

    Raises:
        EngineError: the adapter lacks embeddings of its tokenizer's tokens.

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
            # PEFT writes into copies: made together, so that a tied pair stays tied.
            embeddings, head = copy.deepcopy(layers)
            model.set_input_embeddings(embeddings)
            model.set_output_embeddings(head)
        self._own: tuple[Any, Any, int] | None = None
        if rows:
            self._resize(rows)

    def _size(self, stored: Mapping[str, Any], tokens: int) -> int:
        """Return how many rows the embeddings need; 0 where they have them."""
        now = int(self._model.get_input_embeddings().weight.shape[0])
        sizes = {int(stored[name].shape[0]) for name in self._whole if name.endswith(".weight")} or {max(tokens, now)}
        rows = min(sizes)
        if len(sizes) > 1 or (rows < tokens and tokens > now):
            raise EngineError(
                f"{self._adapter}: its tokenizer has {tokens} tokens and its weights hold embeddings of "
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
        # What the file does not fill shows itself: rows that were made up would be scored as if they were trained.
        for layer in (self._model.get_input_embeddings(), self._model.get_output_embeddings()):
            for tensor in (layer.weight, getattr(layer, "bias", None)):
                if tensor is not None:
                    tensor.data[before:] = torch.nan

    def check(self, switched: Any, stored: Mapping[str, Any], held: Iterable[str]) -> None:
        """Check, once the adapter is laid in, that its embeddings are all there.

        Raises:
            EngineError: a token has none, or a tensor of the file was not taken.

        """
        import torch

        if self._base is None and self.stored <= set(held):
            return
        now = switched.state_dict()
        for name in sorted(self.stored - set(held)):
            # PEFT writes the layer in place of another twice, and reads it once.
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
                f"{self._adapter}: its tokenizer has more tokens than the base, and its weights hold no embeddings of "
                "them; save it with save_embedding_layers=True"
            )

    def turn(self, on: bool) -> None:
        """Put the adapter's layers there, or the base's."""
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
