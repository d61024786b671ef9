"""A model behind an OpenAI-compatible server (vLLM serve, SGLang, llama.cpp): one request is one unit.

Nothing about the server is assumed: a probe finds out how it returns log-probs of a given text and what it puts before
a text, and a server whose log-probs cannot be trusted is rejected. Weights cannot be hashed through a server. The
record says so, and a store is not continued with a model that answers the probe differently.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.base.version import __version__
from rootfruit_checks.engines.input_checks import check_prompts, check_texts
from rootfruit_checks.engines.served import protocol
from rootfruit_checks.engines.served.caller import Caller, RefusedError
from rootfruit_checks.engines.served.client import MalformedError
from rootfruit_checks.engines.served.model_info import Listing
from rootfruit_checks.engines.served.model_watch import Habit, watched
from rootfruit_checks.engines.served.probe import Probe, difference, probe
from rootfruit_checks.engines.served.tasks import Draw, Text, about_tokens, unpack
from rootfruit_checks.engines.served.token_names import squeezed
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work, key_of, seed_of


class ServedEngine:
    """One model of a server. Requests are sent only when needed; the key comes from the environment.

    Args:
        address: the API's base URL, such as `http://127.0.0.1:8000/v1`.
        model: its name there; "" if the server has exactly one.
        concurrency: number of parallel requests.
        timeout: seconds for one answer.
        server_seed: "auto" sends a seed with each sampling request, "never" sends none.
        server_bos: a BOS to put before each scored text, if the server adds none.
        pause: seconds before the first retry.

    Raises:
        EngineError: the key is invalid.

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
        self._caller = Caller(address, concurrency=concurrency, timeout=timeout, pause=pause)
        self.address = self._caller.address
        self._listing = Listing(self._caller, model)
        self._seeded = server_seed == "auto"
        self._bos = server_bos or ""
        self._probe: Probe | None = None
        self._neutral: Mapping[str, object] | None = None
        self._drew: set[str] = set()
        self._habit = Habit(self._caller, self._greedy)
        # The text for each token sequence, if the server does not report token names.
        self._unnamed: dict[tuple[int, ...], str] = {}

    # -- identity ------------------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the address, what the server reports about the model and itself, and what is sent to it."""
        parts = ("served/1", __version__, self._listing.identity, self._seeded, self._bos)
        return key_of(*parts)

    @property
    def record(self) -> Mapping[str, str]:
        """What ran: server, model as the server reports it, source of log-probs, text before each text, seeds."""
        told = self._listing.record
        if self._probe is not None:
            told["scoring"], told["bos"] = self._probe.way, self._probe.bos
            told["token ids"] = "the server's" if self._probe.real_ids else "hashes of the tokens' texts"
            told["tokenizer"] = f"seen on a probe: {self._probe.cut}"
        if self._drew:
            told["seeds"] = "; ".join(sorted(self._drew))
        if self._habit.told:
            told["another model while drawing"] = self._habit.told
        if self._neutral is not None:
            sent = ", ".join(f"{key}={value}" for key, value in self._neutral.items())
            told["sampling sent"] = (
                sent or "temperature and top-p alone, for the server refuses more: its defaults apply"
            )
        return told

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    # -- computing -----------------------------------------------------------------------------------------------------

    def run_task(self, task: Draw | Text, halt: threading.Event | None = None) -> bytes:
        """Send the request of one unit."""
        halt = halt or threading.Event()
        return self._score(task, halt) if isinstance(task, Text) else self._draw(task, halt)

    def _compute_scores(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        found = self._probed(FORGET)
        yield from self._watched(units, lambda: difference(self._caller, self._listing.model, self._bos, found))

    def _compute_draws(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        self._habit.learn()
        yield from self._watched(units, lambda: "greedy answers differ" if self._habit.differs() else "")

    def _watched(self, units: Sequence[Unit], look: Callable[[], str]) -> Iterator[tuple[str, bytes]]:
        answers = self._caller.each([(unit.key, partial(self.run_task, unit.task)) for unit in units])
        return watched(self.address, answers, len(units), look)

    def _refused(self, error: RefusedError, what: str) -> EngineError:
        return EngineError(f"{error} [{what}; an over-long one is never truncated, since that would change the text]")

    # -- scoring -------------------------------------------------------------------------------------------------------

    def render(self, chat: Chat, text: str) -> str | None:
        """Return None: servers do not expose their chat template."""
        return None

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan scores: one request for each distinct text. An empty text has no token and is not sent.

        Raises:
            EngineError: the server gives no log-probs of a given text or not those of its first token, or `before` is
                not empty (its tokens could not be told apart from the text's).

        """
        if before:
            raise EngineError(f"{self.address}: a served model scores plain text only")
        check_texts(texts)
        nothing = TokenScores(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
        planned: dict[str, Unit] = {}
        for text in sorted({text for text in texts if text}):
            found = self._probed(units)
            task = Text(text, self._bos, found.way, found.first)
            planned[text] = Unit(key_of("served-score/1", found.way, self._bos, text), about_tokens(text) + 1, task)

        def answers(held: Mapping[str, bytes]) -> list[TokenScores]:
            made = {text: unpack(held[unit.key]) for text, unit in planned.items()}
            return [made[text] if text else nothing for text in texts]

        return Work("score", list(planned.values()), self._compute_scores, answers)

    def _probed(self, units: Units) -> Probe:
        if self._probe is None:
            self._probe = probe(self._caller, self._listing.model, self._bos, units)
        return self._probe

    def _score(self, task: Text, halt: threading.Event) -> bytes:
        way = next(way for way in protocol.WAYS if way.name == task.way)
        longest = self._listing.longest

        def read(reply: protocol.Reply) -> bytes:
            scored = way.read(reply)
            if scored.tokens[0] != task.first or len(scored.tokens) < 2:
                raise MalformedError("it does not start with the token that the probe found")
            self._check_belonging(scored, task.text)
            logprobs = scored.logprobs[1:]
            if None in logprobs:
                raise MalformedError("a token has no log-probability")
            if longest is not None and len(scored.tokens) > longest:
                raise MalformedError(f"it has {len(scored.tokens)} tokens and the model takes {longest}")
            return np.array(scored.ids[1:], "<i4").tobytes() + np.array(logprobs, "<f4").tobytes()

        body = protocol.scoring(self._listing.model, task.before + task.text, way)
        try:
            return self._caller.complete(body, read, halt)
        except protocol.LackingError:
            raise EngineError(f"{self.address}: gave log-probs of the probe but not of a text; run again") from None
        except RefusedError as error:
            raise self._refused(error, f"a text of {len(task.text)} characters") from None

    def _check_belonging(self, scored: protocol.Scored, text: str) -> None:
        """Check that a reply belongs to the text; replies are read one at a time."""
        scored.check(text)
        if scored.names is None:
            other = self._unnamed.setdefault(scored.ids, text)
            if squeezed(other) != squeezed(text):
                raise MalformedError("it has the tokens of another text")

    # -- generation ----------------------------------------------------------------------------------------------------

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations: one request for each draw, each with its own seed.

        Raises:
            EngineError: a prompt is not valid text, or more tokens are requested than the model takes.

        """
        check_prompts(prompts)
        longest = self._listing.longest if prompts else None
        if longest is not None and sampling.max_new_tokens >= longest:
            raise EngineError(
                f"{self.address}: takes {longest} tokens, prompt and continuation; lower --rootfruit-max-new-tokens"
            )
        neutral = self._undo_defaults() if prompts else {}
        seeded = self._seeded and sampling.temperature > 0
        if prompts:
            self._drew.add(
                "none needed: greedy" if sampling.temperature == 0
                else "one a request, from seed, prompt and draw" if seeded
                else "none sent (--rootfruit-server-seed=never): another run draws other texts"
            )  # fmt: skip
        how = [sampling.temperature, sampling.top_p, sampling.max_new_tokens, sampling.seed, self._seeded, neutral]
        planned: dict[tuple[str, int], Unit] = {}
        for prompt in prompts:
            start = prompt.text or self._beginning()
            for draw in range(sampling.continuations):
                # All servers accept 31 bits.
                drawn = seed_of(sampling.seed, prompt.id, draw, bits=31) if seeded else None
                task = Draw(prompt.id, start, sampling, drawn)
                key = key_of("served-generate/1", how, prompt.id, draw, start)
                planned[prompt.id, draw] = Unit(key, about_tokens(prompt.text) + sampling.max_new_tokens, task)

        def answers(held: Mapping[str, bytes]) -> list[Completion]:
            return [
                Completion(prompt.id, draw, *json.loads(held[planned[prompt.id, draw].key]))
                for prompt in prompts
                for draw in range(sampling.continuations)
            ]

        return Work("generate", list(planned.values()), self._compute_draws, answers)

    def _beginning(self) -> str | list[int]:
        """Return the start of an empty prompt: BOS alone."""
        if self._bos:
            return self._bos
        found = self._probed(FORGET)
        if not found.real_ids:
            raise EngineError(
                f"{self.address}: an empty prompt cannot be sent, because the server does not expose its BOS token"
            )
        return [int(found.first)]

    def _draw(self, task: Draw, halt: threading.Event) -> bytes:
        sampling = task.sampling
        body = {**self._body(task.start, sampling), **self._undo_defaults()}
        if task.seed is not None:
            body["seed"] = task.seed
        try:
            text, tokens, finish = self._caller.complete(
                body, lambda reply: protocol.read_completion(reply, sampling.max_new_tokens), halt
            )
        except protocol.OverlongError as error:
            raise EngineError(
                f"{self.address}: prompt {task.prompt_id} leaves room for {error} tokens of {sampling.max_new_tokens}; "
                "lower --rootfruit-max-new-tokens"
            ) from None
        except RefusedError as error:
            raise self._refused(error, f"prompt {task.prompt_id}") from None
        return json.dumps([self._caller.secret.hide(text), tokens, finish]).encode()

    def _body(self, start: str | list[int], sampling: Sampling) -> dict[str, object]:
        return protocol.generation(
            self._listing.model, start, sampling.temperature, sampling.top_p, sampling.max_new_tokens
        )

    def _greedy(self, start: str, tokens: int) -> dict[str, object]:
        body = self._body(start, Sampling(temperature=0.0, max_new_tokens=tokens))
        return {**body, **self._undo_defaults()}

    def _undo_defaults(self) -> Mapping[str, object]:
        """Return the settings that undo a server's defaults, if it accepts them; tested once with one greedy token."""
        if self._neutral is None:
            body = self._body("The", Sampling(temperature=0.0, max_new_tokens=1))
            try:
                self._caller.complete({**body, **protocol.NEUTRAL}, lambda reply: None)
                self._neutral = dict(protocol.NEUTRAL)
            except RefusedError as error:
                if error.status not in {400, 422}:
                    raise
                self._caller.complete(body, lambda reply: None)
                self._neutral = {}
        return self._neutral
