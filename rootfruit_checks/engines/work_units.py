"""Work split into units, which are computed, stored, resumed, shared out and sent to workers.

Data and settings alone determine a unit (a block of the prefix tree, a batch of prompts, one request). So answers do
not depend on who computes it, when, or together with what.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from rootfruit_checks.base.errors import EngineError

T = TypeVar("T")


def key_of(*parts: object) -> str:
    """Return a content address of `parts` (JSON values)."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def seed_of(*name: object, bits: int = 63) -> int:
    """Return a seed of at most `bits` bits (up to 63), which depends only on its name (JSON values)."""
    return int.from_bytes(hashlib.sha256(json.dumps(name).encode()).digest()[:8], "big") >> (64 - bits)


class Units(Protocol):
    """Storage of finished units. The implementation knows the engine's fingerprint; a key identifies only the work."""

    def begin(self, what: str, total: int) -> None:
        """Announce `total` units of `what` ("score", "generate"). Each is then read, or computed and stored."""

    def get(self, key: str) -> bytes | None:
        """Return the stored result of a unit, or None if it must be computed."""

    def put(self, key: str, value: bytes) -> None:
        """Store the result of a unit. When this returns, the result survives a kill."""


class Forget:
    """Units that stores nothing."""

    def begin(self, what: str, total: int) -> None:
        """Do nothing."""

    def get(self, key: str) -> bytes | None:
        """Return None: nothing is stored."""
        return None

    def put(self, key: str, value: bytes) -> None:
        """Drop the value."""


FORGET = Forget()
# The key under which a store records why its contents must not be used.
SPOILED = key_of("spoiled/1")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its content address, its cost in tokens (for sharing out work evenly), and the engine's task.

    `task` can be pickled, because another process may compute it.
    """

    key: str
    cost: int
    task: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """A stage of work.

    Attributes:
        what: its name in progress and logs.
        units: all units, in an order fixed by the plan; keys are distinct.
        compute: yields (key, value) of the given units as they finish, in any order.
        answers: builds the answers, in request order, from the values of all units.

    """

    what: str
    units: Sequence[Unit]
    compute: Callable[[Sequence[Unit]], Iterable[tuple[str, bytes]]]
    answers: Callable[[Mapping[str, bytes]], Sequence[T]]


def fulfil(work: Work[T], units: Units) -> Sequence[T]:
    """Return the answers; compute and store missing units.

    Raises:
        EngineError: the engine left units undone.

    """
    return work.answers(_held(work, work.units, units))


def compute(work: Work[T], share: Sequence[Unit], units: Units) -> None:
    """Compute and store a share of the units, without reading answers."""
    _held(work, share, units)


class ChangedModelError(EngineError):
    """The model has changed since the start, and it is unknown which answers came from which model."""


def _held(work: Work[T], wanted: Sequence[Unit], units: Units) -> dict[str, bytes]:
    units.begin(work.what, len(wanted))
    held: dict[str, bytes] = {}
    missing = []
    for unit in wanted:
        value = units.get(unit.key)
        if value is None:
            missing.append(unit)
        else:
            held[unit.key] = value
    if missing:
        try:
            for key, value in work.compute(missing):
                units.put(key, value)
                held[key] = value
        except ChangedModelError as error:
            units.put(SPOILED, str(error).encode())
            raise
    if len(held) < len(wanted):
        raise EngineError(
            f"the engine left {len(wanted) - len(held)} of {len(wanted)} units of {work.what} undone; report this"
        )
    return held


def share_out(units: Sequence[Unit], index: int, count: int, loads: list[int] | None = None) -> list[Unit]:
    """Return the units of share `index` (1 to `count`), balanced by cost. Deterministic.

    Largest unit first, each goes to the share with the lowest cost so far (Graham's LPT rule). If all shares start
    empty, none costs more than a third above the best possible. In any case no two differ by more than the most
    expensive unit, unless they did before.

    Args:
        units: all units of a stage, in the order of the plan.
        index: number of the share.
        count: number of shares.
        loads: cost of each share from earlier stages, so that a remainder does not always go to the first ones; the
            costs of this stage are added to it.

    """
    loads = [0] * count if loads is None else loads
    lightest = [(load, place) for place, load in enumerate(loads)]
    heapq.heapify(lightest)
    mine = set()
    for unit in sorted(units, key=lambda unit: (-unit.cost, unit.key)):
        place = lightest[0][1]
        loads[place] += unit.cost
        heapq.heapreplace(lightest, (loads[place], place))
        if place == index - 1:
            mine.add(unit.key)
    return [unit for unit in units if unit.key in mine]
