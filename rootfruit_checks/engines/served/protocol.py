"""Requests to `/completions` and the parsing of replies. Replies are untrusted until they are parsed here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rootfruit_checks.engines.served.client import MalformedError
from rootfruit_checks.engines.served.token_names import spells

Reply = Mapping[str, Any]
# Sent with every draw: servers apply a model's own defaults (top-k 40, a repetition penalty) where a request has none.
NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
# vLLM writes this for minus infinity.
_STAND_IN = -9999.0
# Allowed rounding error above a log-probability of 0.
_ZERO = 1e-5


@dataclass(frozen=True, slots=True)
class Scored:
    """The tokens of one text as the server split it, special tokens included, and their log-probs; the first has none.

    `names` are the tokens' texts as the server reports them, without the first; None if the server omits any other.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float | None, ...]
    names: tuple[str, ...] | None = None

    def check(self, text: str) -> None:
        """Check that these are log-probs of this text, as far as the reply shows.

        Raises:
            MalformedError: the tokens spell another text or are too many for it, or no model gives such values.

        """
        values = self.logprobs[1:]
        if self.names is not None and not spells(self.names, text):
            raise MalformedError("its tokens spell a different text than the one sent")
        if len(values) > len(text.encode("utf-8", "replace")) + 2:
            raise MalformedError(f"it has {len(values)} tokens, more than the text has bytes")
        if len(values) > 1 and all(value is not None and value > -_ZERO for value in values):
            raise MalformedError("all its log-probabilities are 0")
        if len(values) > 2 and len(set(values)) == 1:
            raise MalformedError("all its log-probabilities are the same")


@dataclass(frozen=True, slots=True)
class Way:
    """A way to request the log-probs of a given text."""

    name: str
    body: Mapping[str, object]
    read: Callable[[Reply], Scored]
    real_ids: bool


def generation(model: str, prompt: str | list[int], temperature: float, top_p: float, tokens: int) -> dict[str, object]:
    """Return the body of a request for one continuation."""
    body: dict[str, object] = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": temperature}
    return body | {"top_p": top_p, "n": 1, "stream": False, "presence_penalty": 0.0, "frequency_penalty": 0.0}


def scoring(model: str, text: str, way: Way) -> dict[str, object]:
    """Return the body of a request for a text's log-probs. It draws one token, because servers refuse to draw none."""
    return {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0.0, "stream": False, **way.body}


def read_completion(reply: Reply, tokens: int) -> tuple[str, int, Literal["eos", "length"]]:
    """Return (text, number of tokens, finish reason) of a continuation of at most `tokens` tokens.

    Raises:
        MalformedError: the reply contains no such text.
        OverlongError: the server shortened the continuation, because it exceeds the maximum together with the prompt.

    """
    choice = _choice(reply)
    text, finish, usage = choice.get("text"), choice.get("finish_reason"), reply.get("usage")
    if not isinstance(text, str):
        raise MalformedError("a choice has no text")
    if finish not in {"stop", "length"}:
        raise MalformedError(f"finish_reason is {finish!r}")
    counted = _count(usage, "completion_tokens") or 0
    if counted > tokens + 1:  # some servers count the end token
        raise MalformedError(f"it counts more than the {tokens} tokens that were requested")
    if finish == "length" and 0 < counted < tokens:
        raise OverlongError(counted)
    # A lone surrogate is valid in JSON but cannot be written to a file.
    return text.encode("utf-8", "replace").decode(), counted, "eos" if finish == "stop" else "length"


class OverlongError(Exception):
    """Prompt and continuation do not fit; the server cut the continuation to this many tokens."""


def _choice(reply: Reply) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedError("no choices")
    if len(choices) > 1:
        raise MalformedError(f"{len(choices)} choices where one was requested")
    if reply.get("truncated") or choices[0].get("truncated"):
        raise MalformedError("the server truncated the prompt")
    choice: Mapping[str, Any] = choices[0]
    return choice


# -- log-probs of a given text -----------------------------------------------------------------------------------------


class LackingError(Exception):
    """The server answered, without the requested log-probs."""


def _prompt_logprobs(reply: Reply) -> Scored:
    """vLLM's own field: for each token of the prompt, a mapping from its id to its log-prob."""
    choice = _choice(reply)
    given, ids = choice.get("prompt_logprobs"), choice.get("prompt_token_ids")
    if given is None or ids is None:
        raise LackingError
    if not isinstance(given, list) or not isinstance(ids, list) or len(given) != len(ids) or not ids:
        raise MalformedError("prompt_logprobs and prompt_token_ids do not match")
    if not all(isinstance(token, int) and 0 <= token < 2**31 for token in ids):
        raise MalformedError("prompt_token_ids are not token ids")
    counted = _count(reply.get("usage"), "prompt_tokens")
    if counted is not None and counted != len(ids):
        raise MalformedError(f"it lists {len(ids)} tokens of the prompt but counts {counted}")
    names, found, told_names = [], [], []
    for token, entry in zip(ids, given, strict=True):
        told = entry.get(str(token)) if isinstance(entry, dict) else None
        if entry is not None and not isinstance(told, dict):
            raise MalformedError(f"prompt_logprobs lacks token {token}")
        names.append(f"{token}")
        told_names.append(told.get("decoded_token") if told else None)
        found.append(None if told is None else _number(told.get("logprob")))
    return Scored(tuple(names), tuple(ids), _after_nothing(found), _all_names(told_names[1:]))


def _echo(reply: Reply) -> Scored:
    """The legacy API: the prompt is echoed in the answer, with log-probs; the drawn token is removed."""
    choice = _choice(reply)
    told, usage = choice.get("logprobs"), reply.get("usage")
    if not isinstance(told, dict):
        raise LackingError
    tokens, values = told.get("tokens"), told.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise MalformedError("tokens and token_logprobs do not match")
    count = _count(usage, "prompt_tokens")
    if count is None:
        raise LackingError  # where the prompt ends would be a guess
    drawn = len(tokens) - count
    if drawn < 0:
        raise LackingError  # it has only the drawn token, or lacks part of the prompt
    if drawn > 1 or count < 1 or not all(isinstance(token, str) for token in tokens):
        raise MalformedError("tokens are not those of the prompt plus one more")
    kept = [token.encode("utf-8", "replace").decode() for token in tokens[:count]]
    found = [None if value is None else _number(value) for value in values[:count]]
    return Scored(tuple(kept), tuple(map(stable_id, kept)), _after_nothing(found), tuple(kept[1:]))


def _count(usage: object, name: str) -> int | None:
    """A number of tokens, if the reply has it."""
    told = usage.get(name) if isinstance(usage, dict) else None
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**31 else None


def _all_names(told: Sequence[object]) -> tuple[str, ...] | None:
    names = tuple(name for name in told if isinstance(name, str))
    return names if names and len(names) == len(told) else None


def _after_nothing(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the log-probs, of which the first must be missing, since no token comes before it."""
    if values[0] is not None:
        raise MalformedError("the first token has a log-probability, although no token comes before it")
    return tuple(values)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e30 < value < 1e30:
        raise MalformedError("a log-probability is not a finite number")
    if value <= _STAND_IN or value > _ZERO:
        raise MalformedError(f"{value:g} is not a log-probability")
    return float(value)


def stable_id(token: str) -> int:
    """Return a number for a token's text: equal for equal texts; different texts collide once in 2**31.

    A server that gives no ids may show the parts of a non-ASCII character as equal; they then count as one token.
    """
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "big") >> 1


# In order of preference: the first gives real ids and computes nothing extra.
WAYS: Sequence[Way] = (
    Way("prompt_logprobs", {"prompt_logprobs": 0, "return_token_ids": True}, _prompt_logprobs, True),
    Way("echo", {"echo": True, "logprobs": 1}, _echo, False),
)
