"""PEFT adapters: one set of base weights, with the adapter on for the policy and off for the reference.

The base is loaded as usual, then the adapter is added to it. Every task of an engine first switches the adapter to its
own side, so the two may even alternate. With the adapter off, the model must equal the base again. A probe checks
this, since some adapters (trained biases, replicated layers) also change weights that cannot be switched. Embeddings
that the adapter brings are switched by our own code (see `embeddings.py`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.paths import expanded
from rootfruit_checks.config.settings import ADAPTER_CONFIG, is_adapter
from rootfruit_checks.engines import model_files
from rootfruit_checks.engines.hf.causal_lm import Loaded, head_of, load_model, load_tokenizer
from rootfruit_checks.engines.hf.embeddings import Embeddings
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.hf.peft_model import lay, logits_of
from rootfruit_checks.engines.weights import file_digest, has_tokenizer, template_digest, tokenizer_digest

# Types that add to the base's layers and change nothing else. Others act on the prompt, or need more than text.
_KINDS = {"LORA", "ADALORA", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "VERA", "RANDLORA", "LN_TUNING", "MISS", "HRA"}
_SAFE, _PICKLED = "adapter_model.safetensors", "adapter_model.bin"
_WHOLE = ("model*.safetensors", "pytorch_model*.bin")
# With the adapter off, the same operations run on the same numbers, so any larger difference means another model.
_OFF = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.05}


def read_adapter(path: Path) -> dict[str, Any]:
    """Return adapter_config.json, or raise an EngineError if this adapter cannot be used."""
    from rootfruit_checks.engines.config_schema import AdapterConfig

    config = model_files.read(path, ADAPTER_CONFIG, AdapterConfig)
    kind = config.get("peft_type")
    if not kind:
        raise EngineError(f"{path / ADAPTER_CONFIG}: names no peft_type; is this a PEFT adapter?")
    task = config.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise EngineError(f"{path}: the adapter's task is {task}; only CAUSAL_LM is supported")
    if kind not in _KINDS:
        raise EngineError(
            f"{path}: adapters of type {kind} are not supported; merge it into its base and give that directory"
        )
    if config.get("alora_invocation_tokens"):
        raise EngineError(f"{path}: an activated LoRA works on some tokens only and is not supported")
    if any(found for pattern in _WHOLE for found in path.glob(pattern)):
        raise EngineError(f"{path}: contains both an adapter and a whole model; move one of them to another directory")
    return config


def weights_of(path: Path, *, allow_pickle: bool = False) -> Path:
    """Return the file of the adapter's weights, or raise an EngineError if there is none that may be loaded."""
    model_files.check_files(path)
    if (path / _SAFE).is_file():
        return path / _SAFE
    if not (path / _PICKLED).is_file():
        raise EngineError(f"{path}: contains no adapter weights ({_SAFE})")
    if not allow_pickle:
        raise EngineError(
            f"{path}: the adapter's weights are pickled ({_PICKLED}), which can run code when read; save it again as "
            "safetensors, or accept the risk with --rootfruit-allow-pickle"
        )
    return path / _PICKLED


def base_name(path: Path) -> str:
    """Return the base that the adapter names: a directory (next to the adapter, or the path as given) or a Hub id.

    Raises:
        EngineError: it names none, or one that is an adapter itself.

    """
    config = read_adapter(path)
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise EngineError(f"{path / ADAPTER_CONFIG}: base_model_name_or_path is missing or empty; name the base there")
    named = expanded(str(path / ADAPTER_CONFIG), named)
    # Joining an absolute path leaves it unchanged.
    base = next((str(place) for place in (path / named, Path(named)) if place.is_dir()), "")
    if base and is_adapter(base):
        raise EngineError(f"{path}: its base {base} is an adapter itself; merge that one into its own base first")
    revision = config.get("revision")
    return base or (f"{named}@{revision}" if revision else named)


class AdapterFiles:
    """The files that identify an adapter, whichever engine runs it.

    Args:
        path: the adapter's directory.
        allow_pickle: accept weights that are not safetensors.

    Raises:
        EngineError: this adapter cannot be used.

    """

    def __init__(self, path: Path, *, allow_pickle: bool = False) -> None:
        self.path = path
        self.config = read_adapter(path)
        self.weights = weights_of(path, allow_pickle=allow_pickle)

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of weights, configuration, tokenizer and chat template."""
        # The base's location does not matter; its own fingerprint identifies it.
        config = {key: value for key, value in self.config.items() if key != "base_model_name_or_path"}
        return (
            file_digest(self.weights),
            json.dumps(config, sort_keys=True),
            tokenizer_digest(self.path),
            template_digest(self.path),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors in its file."""
        from peft.utils import load_peft_weights

        if self.weights.name == _SAFE:
            from safetensors import safe_open

            with safe_open(self.weights, framework="pt") as tensors:
                return tuple(tensors.keys())
        return tuple(load_peft_weights(str(self.path), device="cpu"))

    def told(self, kind: str) -> dict[str, str]:
        """Return the adapter's entries of a record, to be merged over the base's."""
        told = {"adapter": kind, "adapter_weights": file_digest(self.weights)[:16]}
        if has_tokenizer(self.path):
            told["tokenizer"] = tokenizer_digest(self.path)[:16]
        return told

    def tokens(self, tokenizer: Any) -> int:
        """Return the number of tokens of the tokenizer next to the adapter; 0 if it has none of its own."""
        return len(tokenizer) if has_tokenizer(self.path) else 0

    def tokenizer(self, base: Path, trust_remote_code: bool) -> Any:
        """Return the tokenizer next to the adapter, or the base's."""
        return load_tokenizer(self.path if has_tokenizer(self.path) else base, trust_remote_code)


class _Pair:
    """The base with the adapter added, kept as long as an engine that uses it is open."""

    def __init__(self, adapter: Path, dtype: str, weights: Path, tokens: Callable[[], int]) -> None:
        self._adapter, self._dtype, self._weights, self._tokens = adapter, dtype, weights, tokens
        self._open: set[bool] = set()
        self._sides: dict[bool, Loaded] = {}
        self._switch: Any = None
        self._embeddings: Embeddings | None = None
        self._off = ExitStack()
        self._is_on = True
        self._moved = 0.0

    def join(self, on: bool) -> None:
        """Keep the weights until this side leaves."""
        self._open.add(on)

    def turn(self, on: bool, load: Callable[[], Loaded]) -> Loaded:
        """Return the model with the adapter switched on or off."""
        self.join(on)
        if not self._sides:
            self._lay(load())
        if not on and not self._moved <= _OFF[self._dtype]:
            raise EngineError(
                f"{self._adapter}: with the adapter off the model is not its base (logits differ by {self._moved:.2g}: "
                "trained biases, or weights that were changed in place?); name the base itself with --reference=PATH"
            )
        if on is not self._is_on:
            self._is_on = on
            if on:
                self._off.close()
            else:
                self._off.enter_context(self._switched_off())
        return self._sides[on]

    def leave(self, on: bool) -> None:
        """Free the weights when neither side uses them."""
        self._open.discard(on)
        if not self._open and self._sides:
            self._off.close()
            self._is_on, self._switch, self._embeddings = True, None, None
            sides, self._sides = list(self._sides.values()), {}
            for side in sides:
                side.free()

    @contextmanager
    def _switched_off(self) -> Iterator[None]:
        embeddings: Any = self._embeddings
        with self._switch.disable_adapter():
            embeddings.turn(False)
            try:
                yield
            finally:
                embeddings.turn(True)

    def _lay(self, base: Loaded) -> None:
        before = logits_of(base)
        self._switch, self._embeddings = lay(base, self._adapter, self._weights, self._tokens())
        with self._switched_off():
            self._moved = float((logits_of(base) - before).abs().max())
        weight, bias = head_of(base.model, self._adapter)
        self._sides = {False: base, True: replace(base, head_weight=weight, head_bias=bias)}
        self._is_on = True


class _Side(HFEngine):
    """A transformers engine on one side of a pair."""

    def __init__(self, pair: _Pair, on: bool, base: Path, **options: Any) -> None:
        super().__init__(base, **options)
        self._pair, self._on, self._options = pair, on, options
        pair.join(on)

    def loaded(self) -> Loaded:
        """The model, switched to this side."""
        return self._pair.turn(
            self._on, lambda: load_model(self.path, self._dtype, self._device, self._allow_pickle, self._trust)
        )

    def close(self) -> None:
        """Free the weights, once the other side has been closed too."""
        self._pair.leave(self._on)


class AdapterEngine(_Side):
    """A base with an adapter; `base()` gives the same weights without it.

    Args:
        path: the adapter's directory.
        base: its base's directory (see `base_name`).
        options: those of `HFEngine`.

    Raises:
        EngineError: the adapter or its base cannot be loaded, or PEFT is not installed.

    """

    def __init__(self, path: str | Path, base: str | Path, **options: Any) -> None:
        self._files = AdapterFiles(Path(path), allow_pickle=bool(options.get("allow_pickle")))
        if importlib.util.find_spec("peft") is None:
            raise EngineError(f'{path}: is a PEFT adapter: pip install "rootfruit-checks[adapter]"')
        pair = _Pair(self._files.path, str(options.get("dtype", "float32")), self._files.weights, self._tokens)
        super().__init__(pair, True, Path(base), **options)

    def _tokens(self) -> int:
        return self._files.tokens(self.tokenizer)

    @property
    def _rows(self) -> int | None:
        """The number of tokens of the tokenizer next to the adapter, if larger than the base's."""
        rows = super()._rows
        return None if rows is None else max(rows, self._tokens())

    def base(self) -> HFEngine:
        """Return the engine of the same weights with the adapter switched off."""
        return _Side(self._pair, False, self.path, **self._options)

    @cached_property
    def fingerprint(self) -> str:
        """The base's fingerprint, with the adapter's weights, configuration and tokenizer."""
        parts = ("adapter/1", super().fingerprint, importlib.metadata.version("peft"), *self._files.digests)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """The record of the base, with the adapter's entries."""
        kind = f"{self._files.config['peft_type']}, peft {importlib.metadata.version('peft')}"
        return {**super().record, **self._files.told(kind)}

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer next to the adapter, or the base's."""
        return self._files.tokenizer(self.path, self._trust)
