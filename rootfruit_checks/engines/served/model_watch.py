"""Detect that a served model was replaced by another, during a run or at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from rootfruit_checks.engines.served import protocol
from rootfruit_checks.engines.served.caller import Caller, RefusedError
from rootfruit_checks.engines.work_units import ChangedModelError

_STARTS = ("The sky is", "People like", "In winter it")
_TOKENS = 8
# Batching may flip a near tie, so one different text proves nothing; another model differs in most.
_DIFFERENT = 2
# Number of answers between two checks.
_BETWEEN_LOOKS = 256


def watched(
    address: str, answers: Iterable[tuple[str, bytes]], total: int, look: Callable[[], str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the answers as they arrive; regularly, and after the last one, check that the same model still answers.

    Args:
        address: the server's.
        answers: (key, value) of units.
        total: number of answers.
        look: queries the model again, and returns what differs or "".

    Raises:
        ChangedModelError: the answers differ from the earlier ones.

    """
    for number, answer in enumerate(answers, start=1):
        yield answer
        if number == total or number % _BETWEEN_LOOKS == 0:
            moved = look()
            if moved:
                raise ChangedModelError(
                    f"{address}: the model behind the address has changed since the start ({moved}); which one gave "
                    "which answer is unknown; use another --rootfruit-store"
                )


class Habit:
    """Greedy continuations of a few text beginnings.

    Args:
        caller: the server.
        body: the request for a number of greedy tokens after a text.

    """

    def __init__(self, caller: Caller, body: Callable[[str, int], Mapping[str, object]]) -> None:
        self._caller, self._body = caller, body
        self._before: list[str] | None = None
        self.told = ""

    def learn(self) -> None:
        """Query the model twice, on the first call only: a server whose greedy answers vary cannot be checked."""
        if self.told:
            return
        first = self._ask()
        steady = first is not None and _differ(first, self._ask() or []) < _DIFFERENT
        self._before = first if steady else None
        self.told = "noticed by greedy answers" if steady else "not noticed: greedy answers vary from call to call"

    def differs(self) -> bool:
        """Whether the model's answers differ now."""
        return self._before is not None and _differ(self._before, self._ask() or []) >= _DIFFERENT

    def _ask(self) -> list[str] | None:
        try:
            return [
                self._caller.complete(
                    self._body(start, _TOKENS), lambda reply: protocol.read_completion(reply, _TOKENS)[0]
                )
                for start in _STARTS
            ]
        except (RefusedError, protocol.OverlongError):
            return None


def _differ(before: list[str], now: list[str]) -> int:
    return len(before) - sum(a == b for a, b in zip(before, now, strict=False))
