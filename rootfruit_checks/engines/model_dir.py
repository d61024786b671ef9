"""What every engine of a model directory knows before it loads a weight: identity, tokenizer, BOS, longest text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.engines.chat import render
from rootfruit_checks.engines.hf_open import check_files
from rootfruit_checks.engines.loaded import load_tokenizer
from rootfruit_checks.engines.requests import check_texts
from rootfruit_checks.engines.weights import (
    check_directory,
    config_digest,
    read_config,
    tokenizer_digest,
    weights_digest,
)
from rootfruit_checks.errors import EngineError
from rootfruit_checks.types import Chat


class ModelDir:
    """A directory that holds a causal model.

    Args:
        path: a model directory.
        allow_pickle: accept weights that are not safetensors.
        trust_remote_code: let the model bring its own code.

    Raises:
        EngineError: the directory holds no causal model that may be loaded.

    """

    def __init__(self, path: str | Path, *, allow_pickle: bool = False, trust_remote_code: bool = False) -> None:
        self.path = Path(path)
        check_directory(self.path, allow_pickle=allow_pickle)
        self._allow_pickle, self._trust = allow_pickle, trust_remote_code
        self._config = read_config(self.path)
        self._pieces: dict[int, str] = {}

    @property
    def digests(self) -> tuple[str, str, str]:
        """Digests of weights, configuration and tokenizer."""
        return weights_digest(self.path), config_digest(self.path), tokenizer_digest(self.path)

    def check(self) -> None:
        """Raise an EngineError where the files show already that the model cannot be run. Reads no weights."""
        check_files(self.path, self._allow_pickle, self._trust)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return load_tokenizer(self.path, self._trust)

    def pieces(self, text: str, ids: NDArray[np.int32]) -> list[str]:
        """Return the text of each token; together they need not be `text`, where a letter is cut into bytes."""
        return [self._piece(token) for token in ids.tolist()]

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            raw = self.tokenizer.convert_ids_to_tokens(token)
            # SentencePiece marks a word's beginning, and its decoder drops it from a piece that stands alone.
            marked = isinstance(raw, str) and "\u2581" in raw
            self._pieces[token] = raw.replace("\u2581", " ") if marked else str(self.tokenizer.decode([token]))
        return self._pieces[token]

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt as the model's chat template puts it; None where there is none."""
        return render(self.tokenizer, self.path, chat, text)

    @cached_property
    def bos(self) -> tuple[int, str]:
        """The token that stands before every scored text, and what it is."""
        tokenizer = self.tokenizer
        for name in ("bos", "eos", "cls", "pad"):
            token = getattr(tokenizer, f"{name}_token_id")
            if token is not None:
                return int(token), "BOS" if name == "bos" else f"{name.upper()} in place of a missing BOS"
        raise EngineError(f"{self.path}: the tokenizer has no BOS, EOS, CLS or PAD token to begin a text with")

    @cached_property
    def stops(self) -> list[int]:
        """Tokens that end a text, for every engine: the model's generation settings, else its config, and EOS."""
        file = self.path / "generation_config.json"
        text = self._config.get("text_config")
        told = {**(text if isinstance(text, dict) else {}), **self._config}
        if file.is_file():
            try:
                told = dict(json.loads(file.read_text(encoding="utf-8")))
            except (ValueError, TypeError) as error:
                raise EngineError(f"{file}: is no JSON of settings ({error})") from error
        configured = told.get("eos_token_id")
        several = configured if isinstance(configured, list) else [configured]
        return sorted({int(token) for token in (*several, self.tokenizer.eos_token_id) if token is not None})

    @property
    def _longest(self) -> int | None:
        text = self._config.get("text_config", self._config)
        for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
            if isinstance(text.get(name), int):
                return int(text[name])
        return None

    def context(self, before: str) -> list[int]:
        """Return the tokens that stand before every scored text, at least one: BOS, or a rendered turn's own.

        A template says itself which special tokens there are, so a turn gets no BOS but the one that it has.
        """
        if not before:
            return [self.bos[0]]
        ids: list[int] = self.tokenizer(before, add_special_tokens=False)["input_ids"]
        if not ids:
            raise EngineError(f"{self.path}: what is put before the scored texts has no token")
        return list(ids)

    def encode(self, texts: Sequence[str], context: Sequence[int] | None = None) -> list[list[int]]:
        """Return token ids without special tokens; an over-long text is an EngineError, never cut.

        `context` is what stands before each text, BOS alone unless it is given. It is tokenized apart, so that a
        text has the same tokens whatever stands before it.
        """
        check_texts(texts)
        if not texts:
            return []
        longest = self._longest
        lead = len(context or [0])
        encoded: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        for number, ids in enumerate(encoded):
            if longest is not None and len(ids) + lead > longest:
                raise EngineError(
                    f"{self.path}: text {number} has {len(ids)} tokens and the model takes {longest - lead}; "
                    "it is not cut, for that would score another text"
                )
        rows = self._config.get("text_config", self._config).get("vocab_size")
        largest = max(max(ids) for ids in [*encoded, context or [self.bos[0]]] if ids)
        if isinstance(rows, int) and largest >= rows:
            raise EngineError(
                f"{self.path}: the tokenizer gives token {largest} and the model knows {rows}; "
                "they do not belong together"
            )
        return encoded
