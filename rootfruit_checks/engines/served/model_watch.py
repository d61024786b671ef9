"""Noticing that another model took the place of a served one, in the middle of a run or at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from rootfruit_checks.engines.served import protocol
from rootfruit_checks.engines.served.caller import Caller, RefusedError
from rootfruit_checks.engines.work_units import ChangedModelError

_STARTS = ("The sky is", "People like", "In winter it")
_TOKENS = 8
# Batching may turn a near tie, so one text that differs proves nothing; another model differs in most.
_DIFFERENT = 2
# So many answers come between two looks.
_BETWEEN_LOOKS = 256


def watched(
    address: str, answers: Iterable[tuple[str, bytes]], total: int, look: Callable[[], str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the answers as they come; now and then, and after the last one, see that the same model still answers.

    Args:
        address: the server's.
        answers: (key, value) of units.
        total: how many there are.
        look: asks the model again, and returns what differs or "".

    Raises:
        ChangedModelError: it answers otherwise than before.

    """
    for number, answer in enumerate(answers, start=1):
        yield answer
        if number == total or number % _BETWEEN_LOOKS == 0:
            moved = look()
            if moved:
                raise ChangedModelError(
                    f"{address}: another model answers now than at the start ({moved}); which of them gave which "
                    "answer cannot be told, so name another --rootfruit-store"
                )


class Habit:
    """Greedy continuations of a few beginnings.

    Args:
        caller: the server.
        body: the request for so many greedy tokens after a text.

    """

    def __init__(self, caller: Caller, body: Callable[[str, int], Mapping[str, object]]) -> None:
        self._caller, self._body = caller, body
        self._before: list[str] | None = None
        self.told = ""

    def learn(self) -> None:
        """Ask, if it was not asked yet: twice, for a server whose greedy answers vary tells nothing by them."""
        if self.told:
            return
        first = self._ask()
        steady = first is not None and _differ(first, self._ask() or []) < _DIFFERENT
        self._before = first if steady else None
        self.told = "noticed by greedy answers" if steady else "not noticed: greedy answers vary from call to call"

    def differs(self) -> bool:
        """Whether the model answers otherwise now."""
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
