"""What every engine of a model directory knows before it loads a weight: identity, tokenizer, BOS, longest text."""

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

    def _turn(self, chat: Chat) -> Turn | None:
        if chat not in self._turns:
            self._turns[chat] = turn_of(self.tokenizer, self.path, chat)
        return self._turns[chat]

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt as the model's chat template puts it; None where there is none."""
        turn = self._turn(chat)
        return None if turn is None else turn.put(text, str(self.path))

    def chat_notes(self, chat: Chat) -> Sequence[str]:
        """Return what the chat template does beyond putting a turn, for the report: a pinned date, no thinking."""
        turn = self._turn(chat)
        ending = (
            f"an answer ends with {self._turn_end}" if self._turn_end else "no special token ends an answer but EOS"
        )
        return () if turn is None else (*turn.notes, ending)

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
    def _turn_end(self) -> str:
        return turn_end(self.tokenizer, self.path)

    @cached_property
    def stops(self) -> list[int]:
        """Tokens that end a text, for every engine.

        They are EOS of the model's generation settings, else of its config, and of the tokenizer, and what its chat
        template writes after an answer: some models end a turn with a token that none of their settings names.
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
        """Return the token that is written so, an added one among them; None where there is none."""
        token = self.tokenizer.get_vocab().get(text)
        return None if token is None else int(token)

    def ends(self, sampling: Sampling) -> list[int]:
        """Return the tokens that end a continuation: `stops`, and those of `--rootfruit-stop` that the model has."""
        more = (self.token_of(text) for text in sampling.stop)
        return sorted({*self.stops, *(token for token in more if token is not None)})

    @property
    def ends_in_words(self) -> str:
        """The tokens that end a text, for the record."""
        return ", ".join(str(self.tokenizer.convert_ids_to_tokens(token)) for token in self.stops) or "none"

    @property
    def _rows(self) -> int | None:
        """Tokens that the model knows; None where its configuration does not say."""
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
        context = [self.bos[0]] if context is None else context
        tokenizing.check_rows(context, self._rows, self.path)
        called = [f"text {number}" for number in range(len(texts))]
        encoded = tokenizing.plain(self.tokenizer, self.path, texts, called, self._rows)
        for label, ids in zip(called, encoded, strict=True):
            if longest is not None and len(ids) + len(context) > longest:
                raise EngineError(
                    f"{self.path}: {label} has {len(ids)} tokens and the model takes {longest - len(context)}; "
                    "it is not cut, for that would score another text"
                )
        return encoded

    def encode_prompts(self, prompts: Sequence[Prompt], room: int | None, chat: Chat | None = None) -> list[list[int]]:
        """Return the token ids of each prompt: after the model's own BOS where its tokenizer puts one before a text.

        With `chat` it is put as a user's turn, and the template says which special tokens there are. An empty prompt
        is BOS alone.

        Raises:
            EngineError: a prompt has more than `room` tokens; it is never cut. Or it is no text, two share an id, or
                the tokenizer or the chat template does not put all of it.

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
