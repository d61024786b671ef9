"""A model behind an OpenAI-compatible server (vLLM serve, SGLang, llama.cpp): one request is one unit.

What a server does not tell is not assumed: a probe finds how it gives log-probs of a given text and what it puts before
one, and where it cannot be had right it is refused. Weights cannot be hashed through a server; the record says so, and
a store that was begun with a model that answers the probe otherwise is not continued.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from rootfruit_checks import __version__
from rootfruit_checks.engines import replies
from rootfruit_checks.engines.caller import Caller, MalformedError, RefusedError
from rootfruit_checks.engines.probe import Probe, probe
from rootfruit_checks.engines.work import FORGET, Unit, Units, Work
from rootfruit_checks.errors import EngineError
from rootfruit_checks.types import Completion, Prompt, Sampling, TokenScores

# What a server says of a model that tells which weights it is; times of start and random ids are left out.
_IDENTITY = ("root", "parent", "max_model_len", "owned_by", "meta")


@dataclass(frozen=True, slots=True)
class Draw:
    """One continuation to ask for."""

    prompt_id: str
    draw: int
    text: str
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, slots=True)
class Text:
    """One text to score, with what is put before it, and what a proper reply begins with."""

    text: str
    before: str
    way: str
    first: str


class ServedEngine:
    """One model of a server. Nothing is asked before it is needed; the key comes from the environment.

    Args:
        address: the interface, such as `http://127.0.0.1:8000/v1`.
        model: its name there; "" where the server has exactly one.
        concurrency: requests at once.
        timeout: seconds for one answer.
        server_seed: "auto" sends a seed with each drawn request, "never" sends none.
        server_bos: a BOS to put before each scored text, where the server puts none.
        pause: seconds before the first retry.

    Raises:
        EngineError: the client is not installed, or the key cannot be one.

    """

    def __init__(
        self,
        address: str,
        model: str = "",
        *,
        concurrency: int = 32,
        timeout: float = 120.0,
        server_seed: str = "auto",
        server_bos: str | None = None,
        pause: float = 0.5,
    ) -> None:
        self._wanted = model
        self._seeded = server_seed == "auto"
        self._bos = server_bos or ""
        self._caller = Caller(address, concurrency=concurrency, timeout=timeout, pause=pause)
        self.address = self._caller.address
        self._probe: Probe | None = None
        self._neutral: Mapping[str, object] | None = None
        self._drew: set[str] = set()

    # -- identity ------------------------------------------------------------------------------------------------------

    @cached_property
    def _entry(self) -> Mapping[str, Any]:
        """What the server tells of the model.

        Raises:
            EngineError: no such model there, or several and none was named.

        """
        try:
            told = self._caller.models()
        except RefusedError as error:
            if error.status == 404:
                told = None
            else:
                raise
        listed = told.get("data") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            raise EngineError(f"{self.address}: lists no models; is this the interface (does it end in /v1)?")
        entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        for entry in entries:
            if entry["id"] == self._wanted or (not self._wanted and len(entries) == 1):
                return entry
        names = ", ".join(self._caller.secret.quote(entry["id"]) for entry in entries[:5]) or "nothing"
        if self._wanted:
            raise EngineError(f"{self.address}: serves no model {self._wanted!r}; it serves {names}")
        raise EngineError(f"{self.address}: serves {names}; name one: {self.address}#NAME")

    @property
    def model(self) -> str:
        """The model's name at the server."""
        return str(self._entry["id"])

    @cached_property
    def _version(self) -> str:
        return self._caller.version()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the server tells of the model and of itself, its address, and what is sent that changes answers.

        Two names of one `root` are the same weights.
        """
        entry = {key: self._entry.get(key) for key in _IDENTITY}
        entry["root"] = entry["root"] or self.model
        parts = ["served/1", __version__, self.address, entry, self._version, self._seeded, self._bos]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """What ran: server, model as the server tells it, how log-probs were had, what stood before a text, seeds."""
        quote = self._caller.secret.quote
        told = {
            "engine": "a server, by the openai client",
            "endpoint": self.address,
            "served model": quote(self.model),
            "server version": self._version or "not told",
            "weights": "not hashed: a server does not show them",
            "dtype": "the server's, not told; --rootfruit-dtype sets the width of a tie alone",
        }
        for key in ("root", "parent", "max_model_len", "owned_by"):
            if self._entry.get(key) is not None:
                told[f"served {key}"] = quote(str(self._entry[key]))
        if self._probe is not None:
            told |= {
                "scoring": self._probe.way,
                "bos": self._probe.bos,
                "tokenizer": f"seen on a probe: {self._probe.cut}",
            }
            told["token ids"] = "the server's" if self._probe.real_ids else "hashes of the tokens' texts"
        if self._drew:
            told["seeds"] = "; ".join(sorted(self._drew))
        if self._neutral is not None:
            sent = ", ".join(f"{key}={value}" for key, value in self._neutral.items())
            told["sampling sent"] = (
                sent or "temperature and top-p alone: the server refuses more, its own defaults apply"
            )
        return told

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    # -- computing -----------------------------------------------------------------------------------------------------

    def run_task(self, task: Draw | Text, halt: threading.Event | None = None) -> bytes:
        """Ask for the task of one unit."""
        halt = halt or threading.Event()
        return self._score(task, halt) if isinstance(task, Text) else self._draw(task, halt)

    def _compute(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        yield from self._caller.each([(unit.key, partial(self.run_task, unit.task)) for unit in units])

    # -- scoring -------------------------------------------------------------------------------------------------------

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET) -> Work[TokenScores]:
        """Plan scores: one request for each distinct text. An empty text has no token and is not asked for.

        Raises:
            EngineError: the server gives no log-probs of a given text, or not those of its first token.

        """
        nothing = TokenScores(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
        distinct = sorted({text for text in texts if text})
        planned: dict[str, Unit] = {}
        if distinct:
            found = self._probe = self._probe or probe(self._caller, self.model, self._bos, units)
            for text in distinct:
                task = Text(text, self._bos, found.way, found.first)
                planned[text] = Unit(_key("served-score/1", found.way, self._bos, text), len(text) // 4 + 1, task)

        def answers(held: Mapping[str, bytes]) -> list[TokenScores]:
            made = {text: _unpack(held[unit.key]) for text, unit in planned.items()}
            return [made[text] if text else nothing for text in texts]

        return Work("score", list(planned.values()), self._compute, answers)

    def _score(self, task: Text, halt: threading.Event) -> bytes:
        way = next(way for way in replies.WAYS if way.name == task.way)

        def read(reply: replies.Reply) -> bytes:
            scored = way.read(reply)
            if scored.tokens[0] != task.first or len(scored.tokens) < 2:
                raise MalformedError("it does not begin with the token that the probe found")
            logprobs = scored.logprobs[1:]
            if None in logprobs:
                raise MalformedError("a token has no log-probability")
            return np.array(scored.ids[1:], "<i4").tobytes() + np.array(logprobs, "<f4").tobytes()

        body = replies.scoring(self.model, task.before + task.text, way)
        try:
            return self._caller.complete(body, read, halt)
        except replies.LackingError:
            raise EngineError(f"{self.address}: gave log-probs of the probe and none of a text; report this") from None
        except RefusedError as error:
            raise self._of(error, f"a text of {len(task.text)} characters to score") from None

    def _of(self, error: RefusedError, what: str) -> EngineError:
        return EngineError(f"{error} [{what}; where it is over-long, it is not cut: that would be another text]")

    # -- generation ----------------------------------------------------------------------------------------------------

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations: one request for each draw, with a seed of its own."""
        neutral = self._find_neutral() if prompts else {}
        how = [sampling.temperature, sampling.top_p, sampling.max_new_tokens, sampling.seed, self._seeded, neutral]
        self._drew.add(
            "none needed: greedy" if sampling.temperature == 0
            else "one a request, from seed, prompt and draw" if self._seeded
            else "none sent (--rootfruit-server-seed=never): another run draws other texts"
        )  # fmt: skip
        planned: dict[tuple[str, int], Unit] = {}
        for prompt in prompts:
            for draw in range(sampling.continuations):
                seed = _seed(sampling.seed, prompt.id, draw) if self._seeded and sampling.temperature else None
                text = prompt.text or self._bos
                task = Draw(prompt.id, draw, text, sampling, seed)
                cost = len(text) // 4 + 1 + sampling.max_new_tokens
                planned[prompt.id, draw] = Unit(_key("served-generate/1", how, prompt.id, draw, text), cost, task)

        def answers(held: Mapping[str, bytes]) -> list[Completion]:
            return [
                Completion(prompt.id, draw, *json.loads(held[planned[prompt.id, draw].key]))
                for prompt in prompts
                for draw in range(sampling.continuations)
            ]

        return Work("generate", list(planned.values()), self._compute, answers)

    def _draw(self, task: Draw, halt: threading.Event) -> bytes:
        sampling = task.sampling
        body = {**self._generation(task.text, sampling, task.seed), **self._find_neutral()}
        try:
            text, tokens, finish = self._caller.complete(
                body, lambda reply: replies.read_completion(reply, sampling.max_new_tokens), halt
            )
        except replies.OverlongError as error:
            raise EngineError(
                f"{self.address}: prompt {task.prompt_id} leaves room for {error} tokens of {sampling.max_new_tokens}; "
                "lower --rootfruit-max-new-tokens"
            ) from None
        except RefusedError as error:
            raise self._of(error, f"prompt {task.prompt_id}") from None
        return json.dumps([self._caller.secret.hide(text), tokens, finish]).encode()

    def _generation(self, text: str, sampling: Sampling, seed: int | None) -> dict[str, object]:
        return replies.generation(
            self.model, text, temperature=sampling.temperature, top_p=sampling.top_p,
            tokens=sampling.max_new_tokens, seed=seed,
        )  # fmt: skip

    def _find_neutral(self) -> Mapping[str, object]:
        """Return the settings that undo a server's defaults, where it takes them: asked once, of one greedy token."""
        if self._neutral is None:
            body = self._generation("The", Sampling(temperature=0.0, max_new_tokens=1), None)
            try:
                self._caller.complete({**body, **replies.NEUTRAL}, lambda reply: None)
                self._neutral = dict(replies.NEUTRAL)
            except RefusedError as error:
                if error.status not in {400, 422}:
                    raise
                self._caller.complete(body, lambda reply: None)
                self._neutral = {}
        return self._neutral


def _unpack(value: bytes) -> TokenScores:
    half = len(value) // 2
    return TokenScores(np.frombuffer(value[:half], "<i4"), np.frombuffer(value[half:], "<f4"))


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _seed(seed: int, prompt_id: str, draw: int) -> int:
    """Return the seed of one draw, in 31 bits, which every server takes."""
    return int.from_bytes(hashlib.sha256(json.dumps([seed, prompt_id, draw]).encode()).digest()[:4], "big") >> 1
