"""Calls to an OpenAI-compatible server with the official client: bounded, retried, with one-line errors."""

from __future__ import annotations

import json
import logging
import math
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.config.endpoints import root_of
from rootfruit_checks.engines.served.api_key import Secret
from rootfruit_checks.engines.served.client import Client, MalformedError

T = TypeVar("T")
Job = tuple[str, Callable[[threading.Event], bytes]]

_TRIES = 5
# A server that hangs or sends malformed replies gets few retries: each try may cost the whole timeout.
_FEW_TRIES = 2
_LONGEST_PAUSE_S = 30.0
_LONGEST_OBEYED_S = 300.0
# Status codes after which the same request may succeed.
_PASSING = {408, 409, 425, 429}
_NEVER = threading.Event()


class RefusedError(EngineError):
    """The server rejected the request, and retrying will not help."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PassingError(Exception):
    """A transient fault: another try may succeed."""

    def __init__(self, fault: str, tries: int, wait: float) -> None:
        super().__init__(fault)
        self.tries, self.wait = tries, wait


class Caller:
    """One server.

    Args:
        address: its base address, without user, password or query.
        concurrency: number of parallel requests.
        timeout: seconds for one answer.
        pause: seconds before the first retry; doubled for each further retry.

    """

    def __init__(self, address: str, *, concurrency: int = 32, timeout: float = 120.0, pause: float = 0.5) -> None:
        self.address = address.rstrip("/")
        self.secret = Secret(address)
        self._concurrency, self._timeout, self._pause = concurrency, timeout, pause
        self._made: Client | None = None
        self._mutex = threading.Lock()
        # Parsing a hostile reply makes objects of about 25 times its size, so replies are parsed one by one.
        self._reading = threading.Lock()
        self._named: dict[str, str] = {}

    def _client(self) -> Client:
        with self._mutex:
            if self._made is None:
                _hush()
                self._made = Client(self.address, self.secret, self._timeout)
            return self._made

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._mutex:
            if self._made is not None:
                self._made.close()
                self._made = None

    # -- one call ------------------------------------------------------------------------------------------------------

    def models(self) -> Any:
        """Return the reply of `/models`."""
        return self._insist(lambda: self._client().get("/models"), _json)

    def version(self) -> str:
        """Return the reply of `/version` next to the API, or "" if there is none."""
        try:
            told = self._insist(lambda: self._client().get(f"{root_of(self.address)}/version"), str)
            value = json.loads(told)["version"]
        except (RefusedError, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return self.secret.quote(str(value))

    def complete(
        self, body: Mapping[str, object], read: Callable[[Mapping[str, Any]], T], halt: threading.Event = _NEVER
    ) -> T:
        """Return the result of `read` for the reply to a completion request.

        Raises:
            RefusedError: the request is at fault (over-long, unknown model or option, key).
            EngineError: there is no valid reply after all retries, or `halt` was set before a retry.

        """
        return self._insist(
            lambda: self._client().post("/completions", dict(body)),
            lambda text: read(self._same_model(_object(text))),
            halt,
        )

    def _same_model(self, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the reply; raise if it names a different model or build than earlier replies."""
        for field in ("model", "system_fingerprint"):
            told = reply.get(field)
            if told is not None and self._named.setdefault(field, repr(told)) != repr(told):
                before, now = self.secret.quote(self._named[field]), self.secret.quote(repr(told))
                raise EngineError(
                    f"{self.address}: the model behind the address has changed since the start ({field} is {now}, was "
                    f"{before}); make sure that only one model answers there, and run again"
                )
        return reply

    def _insist(self, call: Callable[[], str], read: Callable[[str], T], halt: threading.Event = _NEVER) -> T:
        import tenacity

        backoff = tenacity.wait_exponential(multiplier=self._pause, max=_LONGEST_PAUSE_S)

        def ends(state: Any) -> bool:
            return bool(state.attempt_number >= state.outcome.exception().tries)

        def pause(state: Any) -> float:
            # With random jitter, so that requests which failed together are not retried together.
            return float(max(state.outcome.exception().wait, backoff(state) * random.uniform(0.75, 1.25)))

        answer: T = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            stop=ends,
            wait=pause,
            sleep=tenacity.sleep_using_event(halt),
            retry_error_callback=self._give_up,
        )(self._once, call, read, halt)
        return answer

    def _give_up(self, state: Any) -> NoReturn:
        raise EngineError(
            f"{self.address}: {state.outcome.exception()}, after {state.attempt_number} tries; earlier answers are "
            "stored: check that the server is up and run again to continue"
        )

    def _once(self, call: Callable[[], str], read: Callable[[str], T], halt: threading.Event) -> T:
        import openai

        if halt.is_set():
            raise EngineError(f"{self.address}: is not retried, because another request failed")
        tries, wait = _TRIES, 0.0
        try:
            told = call()
            with self._reading:
                return read(told)
        except (openai.APIConnectionError, TimeoutError, MalformedError) as error:
            # The client wraps the errors of its parts.
            cause = error.__cause__ or error
            if isinstance(cause, MalformedError):
                tries, fault = _FEW_TRIES, f"gave a malformed reply ({self.secret.quote(str(cause))})"
            elif isinstance(error, openai.APITimeoutError) or isinstance(cause, TimeoutError):
                tries, fault = _FEW_TRIES, f"gave no answer in {self._timeout:g} s (--rootfruit-timeout)"
            else:
                fault = f"cannot be reached or closed the connection ({type(cause).__name__})"
        except openai.APIStatusError as error:
            fault, wait = self._status(error), self._retry_after(error)
        except openai.OpenAIError as error:
            tries, fault = _FEW_TRIES, f"gave a reply that the client cannot read ({type(error).__name__})"
        # Outside the handlers, so that no traceback can reach the client's frames, which contain the key.
        if wait > _LONGEST_OBEYED_S:
            raise EngineError(f"{self.address}: {fault} and asks to wait {wait:.0f} s; run again later to continue")
        raise PassingError(fault, tries, wait)

    def _status(self, error: Any) -> str:
        """Describe a transient fault; raise RefusedError for a permanent one."""
        status = int(error.status_code)
        if status in {401, 403}:
            # The reply is not quoted: servers often repeat the key there.
            source = self.secret.source or "no key; set ROOTFRUIT_API_KEY"
            raise RefusedError(
                f"{self.address}: refuses access (HTTP {status}); it was sent {source}", status
            ) from None
        if 300 <= status < 400:
            raise RefusedError(
                f"{self.address}: redirects elsewhere (HTTP {status}); name the address it redirects to", status
            ) from None
        told = self.secret.quote(_message(error.response.text))
        if status in _PASSING or (status >= 500 and status != 501):
            return f"answers HTTP {status}" + (f" ({told})" if told else "")
        raise RefusedError(
            f"{self.address}: refuses the request (HTTP {status}): {told or 'no reason given'}", status
        ) from None

    @staticmethod
    def _retry_after(error: Any) -> float:
        """Seconds that the server asks to wait; 0 if it does not say so in a readable form."""
        raw = str(error.response.headers.get("retry-after", ""))
        try:
            seconds = float(raw)
        except ValueError:
            try:
                seconds = float(parsedate_to_datetime(raw).timestamp()) - time.time()
            except (TypeError, ValueError, OverflowError):
                return 0.0
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0

    # -- many calls ----------------------------------------------------------------------------------------------------

    def each(self, jobs: Sequence[Job]) -> Iterator[tuple[str, bytes]]:
        """Do the jobs, at most `concurrency` at once; yield (key, value) as they finish.

        When one fails for good no new one is started, those in progress are yielded if they finish, and then it raises.
        """
        waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[str, bytes | None, BaseException | None]] = queue.SimpleQueue()
        halt = threading.Event()
        crew = min(self._concurrency, len(jobs))
        for job in (*jobs, *[None] * crew):
            waiting.put(job)

        def work() -> None:
            while (job := waiting.get()) is not None:
                key, ask = job
                try:
                    done.put((key, None if halt.is_set() else ask(halt), None))
                except BaseException as error:  # raised again in the calling thread
                    done.put((key, None, error))

        for number in range(crew):
            # Daemon threads: Ctrl-C must not wait for requests in progress.
            threading.Thread(target=work, daemon=True, name=f"rootfruit-request-{number}").start()
        fault: BaseException | None = None
        try:
            for _ in jobs:
                key, value, error = done.get()
                if error is not None:
                    halt.set()
                    fault = fault or error
                elif value is not None:
                    yield key, value
        finally:
            halt.set()
        if fault is not None:
            raise fault


def _hush() -> None:
    """Keep the client's debug logs off unless they were enabled by name, because they contain a reply's headers."""
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedError("it is not JSON, or was truncated") from None


def _object(text: str) -> Mapping[str, Any]:
    value = _json(text)
    if not isinstance(value, dict):
        raise MalformedError("it is not a JSON object")
    if isinstance(value.get("error"), (dict, str)) and "choices" not in value:
        raise MalformedError(_message(text))
    return value


def _message(text: str) -> str:
    """The reason in an error's body: OpenAI's form, FastAPI's, or the bare text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict):
        error = value.get("error", value)
        if isinstance(error, dict):
            error = error.get("message") or error.get("detail") or error
        return error if isinstance(error, str) else json.dumps(error)
    return text
