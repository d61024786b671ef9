"""What engines know of a model directory before loading weights: identity, tokenizer, BOS, maximum length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Prompt, Sampling
from rootfruit_checks.engines import tokenizing
from rootfruit_checks.engines.chat.turns import Turn, turn_end, turn_of
from rootfruit_checks.engines.hf.causal_lm import load_tokenizer
from rootfruit_checks.engines.hf.opening import check_files
from rootfruit_checks.engines.input_checks import check_prompts, check_texts
from rootfruit_checks.engines.model_files import GENERATION, read_generation
from rootfruit_checks.engines.weights import (
    check_directory,
    config_digest,
    read_config,
    tokenizer_digest,
    weights_digest,
)


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
        self._turns: dict[Chat, Turn | None] = {}

    @property
    def digests(self) -> tuple[str, str, str]:
        """Digests of weights, configuration and tokenizer."""
        return weights_digest(self.path), config_digest(self.path), tokenizer_digest(self.path)

    def check(self) -> None:
        """Raise an EngineError if the files already show that the model cannot be run. Reads no weights."""
        check_files(self.path, self._allow_pickle, self._trust)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return load_tokenizer(self.path, self._trust)

    def pieces(self, text: str, ids: NDArray[np.int32]) -> list[str]:
        """Return the text of each token. They may not join up to `text`, because a letter can be split into bytes."""
        return [self._piece(token) for token in ids.tolist()]

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            raw = self.tokenizer.convert_ids_to_tokens(token)
            # SentencePiece marks the beginning of a word, and its decoder drops the mark from a single piece.
            marked = isinstance(raw, str) and "\u2581" in raw
            self._pieces[token] = raw.replace("\u2581", " ") if marked else str(self.tokenizer.decode([token]))
        return self._pieces[token]

    def _turn(self, chat: Chat) -> Turn | None:
        if chat not in self._turns:
            self._turns[chat] = turn_of(self.tokenizer, self.path, chat)
        return self._turns[chat]

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt rendered by the model's chat template, or None if there is none."""
        turn = self._turn(chat)
        return None if turn is None else turn.put(text, str(self.path))

    def chat_notes(self, chat: Chat) -> Sequence[str]:
        """Return how rendering differs from the template's defaults, for the report: a fixed date, thinking off."""
        turn = self._turn(chat)
        ending = (
            f"an answer ends with {self._turn_end}" if self._turn_end else "no special token ends an answer but EOS"
        )
        return () if turn is None else (*turn.notes, ending)

    @cached_property
    def bos(self) -> tuple[int, str]:
        """The token before every scored text, and its name."""
        tokenizer = self.tokenizer
        for name in ("bos", "eos", "cls", "pad"):
            token = getattr(tokenizer, f"{name}_token_id")
            if token is not None:
                return int(token), "BOS" if name == "bos" else f"{name.upper()} in place of a missing BOS"
        raise EngineError(f"{self.path}: the tokenizer has no BOS, EOS, CLS or PAD token to start a text with")

    @cached_property
    def _turn_end(self) -> str:
        return turn_end(self.tokenizer, self.path)

    @cached_property
    def stops(self) -> list[int]:
        """Tokens that end a text, for every engine.

        These are the EOS tokens of the model's generation settings (or else of its config) and of the tokenizer, and
        the token that its chat template writes after an answer, since some settings do not name the end of a turn.
        """
        text = self._config.get("text_config")
        told = {**(text if isinstance(text, dict) else {}), **self._config}
        where = self.path / "config.json"
        given = read_generation(self.path)
        if given is not None and "eos_token_id" in given:
            told, where = given, self.path / GENERATION
        configured = told.get("eos_token_id")
        several = configured if isinstance(configured, list) else [configured]
        for token in several:
            if token is not None and (not isinstance(token, int) or isinstance(token, bool) or token < 0):
                raise EngineError(f"{where}: eos_token_id is {token!r}, which is not a token id")
        ends = (*several, self.tokenizer.eos_token_id, self.token_of(self._turn_end) if self._turn_end else None)
        return sorted({token for token in ends if token is not None})

    def token_of(self, text: str) -> int | None:
        """Return the token with this text, including added tokens; None if there is none."""
        token = self.tokenizer.get_vocab().get(text)
        return None if token is None else int(token)

    def ends(self, sampling: Sampling) -> list[int]:
        """Return the tokens that end a continuation: `stops`, plus the `--rootfruit-stop` tokens that the model has."""
        more = (self.token_of(text) for text in sampling.stop)
        return sorted({*self.stops, *(token for token in more if token is not None)})

    @property
    def ends_in_words(self) -> str:
        """The tokens that end a text, as text for the record."""
        return ", ".join(str(self.tokenizer.convert_ids_to_tokens(token)) for token in self.stops) or "none"

    @property
    def _rows(self) -> int | None:
        """Size of the model's vocabulary; None if its configuration does not say."""
        text = self._config.get("text_config")
        rows = (text if isinstance(text, dict) else self._config).get("vocab_size", self._config.get("vocab_size"))
        return rows if isinstance(rows, int) else None

    @property
    def _longest(self) -> int | None:
        text = self._config.get("text_config", self._config)
        for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
            if isinstance(text.get(name), int):
                return int(text[name])
        return None

    def context(self, before: str) -> list[int]:
        """Return the tokens before every scored text, at least one: BOS, or those of a rendered turn.

        A template writes its own special tokens, so no BOS is added to a turn.
        """
        if not before:
            return [self.bos[0]]
        ids: list[int] = self.tokenizer(before, add_special_tokens=False)["input_ids"]
        if not ids:
            raise EngineError(f"{self.path}: the text before the scored texts has no token")
        return list(ids)

    def encode(self, texts: Sequence[str], context: Sequence[int] | None = None) -> list[list[int]]:
        """Return token ids without special tokens. An over-long text is an EngineError; nothing is truncated.

        `context` is the tokens before each text, by default BOS alone. It is tokenized separately, so the tokens of a
        text do not depend on it.
        """
        check_texts(texts)
        if not texts:
            return []
        longest = self._longest
        context = [self.bos[0]] if context is None else context
        tokenizing.check_rows(context, self._rows, self.path)
        called = [f"text {number}" for number in range(len(texts))]
        encoded = tokenizing.plain(self.tokenizer, self.path, texts, called, self._rows)
        for label, ids in zip(called, encoded, strict=True):
            if longest is not None and len(ids) + len(context) > longest:
                raise EngineError(
                    f"{self.path}: {label} has {len(ids)} tokens and the model takes {longest - len(context)}; "
                    "it is not truncated, since that would score a different text"
                )
        return encoded

    def encode_prompts(self, prompts: Sequence[Prompt], room: int | None, chat: Chat | None = None) -> list[list[int]]:
        """Return the token ids of each prompt, after the model's own BOS if its tokenizer puts one before a text.

        With `chat` each prompt is rendered as a user turn, and the template adds the special tokens. An empty prompt
        is BOS alone.

        Raises:
            EngineError: a prompt has more than `room` tokens (it is never truncated), is not valid text, shares its id
                        with another, or is not fully encoded by the tokenizer or the chat template.

        """
        check_prompts(prompts)
        if not prompts:
            return []
        called = [f"prompt {prompt.id}" for prompt in prompts]
        texts, lead = [prompt.text for prompt in prompts], tokenizing.leading(self.tokenizer, self.bos[0])
        if chat is not None:
            turn = self._turn(chat)
            if turn is None:
                raise EngineError(f"{self.path}: the model has no chat template; use --rootfruit-chat=never")
            texts, lead = [turn.put(text, where) for text, where in zip(texts, called, strict=True)], []
        encoded = tokenizing.plain(self.tokenizer, self.path, texts, called, self._rows)
        rows = [[*lead, *ids] or [self.bos[0]] for ids in encoded]
        for label, ids in zip(called, rows, strict=True):
            tokenizing.check_rows(ids, self._rows, self.path)
            if room is not None and len(ids) > room:
                raise EngineError(
                    f"{label} has {len(ids)} tokens and the model leaves room for {room}; "
                    "lower --rootfruit-max-new-tokens"
                )
        return rows
