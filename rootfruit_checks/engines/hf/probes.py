"""Probes of a transformers model before its numbers are used: is it causal, and how can prompts be continued?

Each probe runs the model and compares it with the plain forward pass over one text, without padding, mask or cache. A
list of architecture names would be out of date with the next release of transformers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rootfruit_checks.base.errors import EngineError

# padded: one cache for prompts of any length, padded on the left. cached: one cache for prompts of one length.
# recomputed: prompts of one length, and the whole text again for each token. alone: the same, one prompt at a time.
Way = Literal["padded", "cached", "recomputed", "alone"]

# Allowed difference of the same text's log-probs in float32, in nats; in half precision, of the vocabulary's mean.
TOLERANCE = 1e-3
TOLERANCE_HALF = 0.1
_TEXT = 24
_STEPS = 4
# All errors that a forward pass may raise for inputs that the architecture does not support.
REFUSALS = (
    TypeError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
)


def takes(model: Any, name: str) -> bool:
    """Whether the model's forward pass has a parameter of this name."""
    return name in inspect.signature(model.forward).parameters


def text_config(model: Any) -> Any:
    """Return the configuration of the model's text side."""
    config = model.config
    return config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config


def plain(model: Any, rows: Any) -> Any:
    """Return the model's own logits (b, n, v) of token ids (b, n), without mask, padding or cache."""
    options = {"use_cache": False} if takes(model, "use_cache") else {}
    return model(input_ids=rows, **options).logits


def differ(found: Any, wanted: Any, *, same_shape: bool = False) -> float:
    """Return how far log-probs differ, relative to what is allowed: more than 1 is too far.

    In half precision single values are noise: the mean over the vocabulary counts. Inputs of another shape use other
    kernels, and an expert router may flip: then the median over the positions counts.
    """
    import torch

    gap = (found.float().log_softmax(-1) - wanted.float().log_softmax(-1)).abs()
    if wanted.dtype == torch.float32:
        moved = float(gap.max()) / TOLERANCE
    else:
        places = gap.mean(-1).flatten()
        moved = float(places.max() if same_shape else places.median()) / TOLERANCE_HALF
    return moved if moved == moved else float("inf")


def check_causal(path: Path, model: Any) -> None:
    """Raise an EngineError if a text's scores depend on what follows it, or differ when it is scored again."""
    import torch

    length = min(_TEXT, longest_text(model) or _TEXT)
    tokens = probe_tokens(model, 2 * length)
    ids, others = torch.tensor([tokens[:length], tokens[length:]], device=model.device)[:, None]
    cuts = (length // 3, 2 * length // 3)
    with torch.inference_mode():
        try:
            whole = plain(model, ids)
            again = plain(model, ids)
            # Inputs of one shape use the same kernels, so a causal model does not move at all, even in half precision.
            # Any difference is therefore a real one.
            swapped = {cut: plain(model, torch.cat([ids[:, :cut], others[:, cut:]], dim=1)) for cut in cuts}
            alone = {cut: plain(model, ids[:, :cut]) for cut in cuts if model.dtype == torch.float32}
        except Exception as error:
            # This may run any architecture's code, even the model's own; all errors mean that the model does not run.
            text = " ".join(str(error).split())[:300] or "no reason given"
            raise EngineError(f"{path}: the model cannot score a text ({type(error).__name__}: {text})") from error
        if whole.dim() != 3 or whole.shape[:2] != ids.shape:
            raise EngineError(f"{path}: the model gives no logits for each token, so it is not a causal language model")
        if not bool(torch.isfinite(whole).any()):
            raise EngineError(
                f"{path}: all of the model's log-probabilities are not finite; check that the weights are undamaged, "
                "or use a larger dtype"
            )
        if differ(again, whole, same_shape=True) > 1:
            raise EngineError(
                f"{path}: the model is not deterministic: scoring the same text again gives different scores"
            )
        for cut, found in (*swapped.items(), *alone.items()):
            if differ(found[:, :cut], whole[:, :cut], same_shape=True) > 1:
                raise EngineError(
                    f"{path}: the model is not causal: the scores of a text's first {cut} tokens change with what "
                    "follows, so they are not log-probabilities of the text"
                )


def longest_text(model: Any) -> int | None:
    """Return the model's maximum number of positions, or None if its configuration does not say."""
    config = text_config(model)
    told = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"))
    return next((size for size in told if isinstance(size, int) and size > 0), None)


def probe_tokens(model: Any, count: int) -> list[int]:
    """Return token ids from all over the vocabulary, without those that the configuration uses as special tokens."""
    embedding = model.get_input_embeddings()
    rows = int(getattr(embedding, "num_embeddings", 0) or embedding.weight.shape[0])
    special = set(_special(model.config.to_dict()))
    usable = [token for token in range(rows) if token not in special] or list(range(rows))
    # Steps by the golden ratio spread them: neighbours in the text are far apart in the vocabulary, with no repeats.
    return [usable[int((0.1 + 0.618034 * place) % 1 * len(usable))] for place in range(count)]


def _special(config: Mapping[str, Any]) -> Iterator[int]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _special(value)
        elif str(key).endswith(("token_id", "token_index", "padding_idx")):
            yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int))


def smallest_window(config: Any) -> int | None:
    """Return the smallest attention window in the model's configuration, or None."""
    told = [
        value
        for key in ("sliding_window", "attention_window_size", "window_size", "attention_chunk_size", "attention_chunk")
        if isinstance(value := getattr(config, key, None), int) and not isinstance(value, bool)
    ]
    kinds = getattr(config, "layer_types", None)
    near = ("sliding", "chunk", "local")
    if getattr(config, "use_sliding_window", True) is False or (
        kinds and not any(word in str(kind) for kind in kinds for word in near)
    ):
        return None
    return min(told, default=None)


def way_to_continue(model: Any) -> Way:
    """Return the fastest way to continue prompts that gives the logits of the plain forward pass."""
    import torch

    tokens = probe_tokens(model, 2 * (9 + _STEPS) + 5 + _STEPS)
    size = 9 + _STEPS
    long, other, short = tokens[:size], tokens[size : 2 * size], tokens[2 * size :]
    with torch.inference_mode():
        wanted = {
            len(row): plain(model, torch.tensor([row], device=model.device))[0, -_STEPS - 1 :] for row in (long, short)
        }
        for way, rows in (("padded", [long, short]), ("cached", [long, other]), ("recomputed", [long, other])):
            try:
                found = _teacher_forced(model, rows, way)
            except REFUSALS:
                continue
            checked = [0, 1] if way == "padded" else [0]
            if all(differ(found[row], wanted[len(rows[row])]) <= 1 for row in checked):
                return way  # type: ignore[return-value]
    return "alone"


def _teacher_forced(model: Any, rows: Sequence[Sequence[int]], way: str) -> Any:
    """Return logits (b, steps + 1, v) while each row is continued by its own last tokens (teacher forcing)."""
    import torch

    stepper = Stepper(model, [list(row[:-_STEPS]) for row in rows], recompute=way == "recomputed")
    out = [stepper.logits()]
    for step in range(_STEPS, 0, -1):
        stepper.append(torch.tensor([row[-step] for row in rows], device=model.device))
        out.append(stepper.logits())
    return torch.stack(out, dim=1)


class Stepper:
    """Prompts that grow by one token at a time.

    Args:
        model: a causal model.
        rows: the prompts; padded on the left where their lengths differ.
        recompute: run the whole text for each token, without a cache; all prompts must then have the same length.

    """

    def __init__(self, model: Any, rows: Sequence[Sequence[int]], *, recompute: bool) -> None:
        import torch

        width = max(map(len, rows))
        tokens = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for number, row in enumerate(rows):
            tokens[number, width - len(row) :] = torch.tensor(row)
            mask[number, width - len(row) :] = 1
        self._model, self._recompute = model, recompute
        self._tokens, self._mask = tokens.to(model.device), mask.to(model.device)
        self._cache: Any = None
        self._options: dict[str, Any] = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
        if takes(model, "use_cache"):
            self._options["use_cache"] = not recompute
        self._takes_positions = takes(model, "position_ids")
        # transformers 5.20 and later rename `past_key_values` to `cache`.
        self._cache_name = "cache" if takes(model, "cache") else "past_key_values"

    def logits(self) -> Any:
        """Return the logits of the next token, shape (b, v)."""
        answer: Any
        if self._recompute:
            answer = self._model(input_ids=self._tokens, **self._options)
            return answer.logits[:, -1]
        inputs = {"input_ids": self._tokens, "attention_mask": self._mask}
        if self._takes_positions:
            inputs["position_ids"] = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, -self._tokens.shape[1] :]
        if self._cache is not None:
            inputs[self._cache_name] = self._cache
        answer = self._model(**inputs, **self._options)
        # Absent if the model stores its state elsewhere, or not at all.
        self._cache = answer[self._cache_name]
        return answer.logits[:, -1]

    def append(self, chosen: Any) -> None:
        """Add a token to each row; `chosen` has shape (b,)."""
        import torch

        step = chosen[:, None]
        self._tokens = torch.cat([self._tokens, step], dim=1) if self._recompute else step
        self._mask = torch.cat([self._mask, torch.ones_like(step)], dim=1)
