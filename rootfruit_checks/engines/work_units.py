"""Work cut into units: what is computed, stored, resumed, shared out and given to workers.

A unit (a block of the prefix tree, a batch of prompts, one request) is fixed by data and settings alone. So who
computes it, when, and beside what changes no answer.
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
    """Return the address of what `parts` (JSON values) name."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def seed_of(*name: object, bits: int = 63) -> int:
    """Return a seed of at most `bits` bits (to 63): a function of its name (JSON values) and of nothing else."""
    return int.from_bytes(hashlib.sha256(json.dumps(name).encode()).digest()[:8], "big") >> (64 - bits)


class Units(Protocol):
    """Where finished units are kept. The implementation knows the engine's fingerprint; a key names only the work."""

    def begin(self, what: str, total: int) -> None:
        """Say that `total` units of `what` ("score", "generate") follow: each is got, or computed and put."""

    def get(self, key: str) -> bytes | None:
        """Return the stored result of a unit, or None where it must be computed."""

    def put(self, key: str, value: bytes) -> None:
        """Keep the result of a unit. When this returns, it survives a kill."""


class Forget:
    """Units that keeps nothing."""

    def begin(self, what: str, total: int) -> None:
        """Do nothing."""

    def get(self, key: str) -> bytes | None:
        """Return None: nothing is kept."""
        return None

    def put(self, key: str, value: bytes) -> None:
        """Drop the value."""


FORGET = Forget()
# The key under which a store says why what it holds must not be used.
SPOILED = key_of("spoiled/1")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its content address, its cost in tokens (to share work out evenly), and what the engine computes.

    `task` can be pickled: it may be computed in another process.
    """

    key: str
    cost: int
    task: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """A stage of work.

    Attributes:
        what: its name in progress and logs.
        units: all of it, in an order that the plan fixes; keys are distinct.
        compute: yields (key, value) of the units it is given, as they finish, in any order.
        answers: makes the answers, in request order, from the values of all units.

    """

    what: str
    units: Sequence[Unit]
    compute: Callable[[Sequence[Unit]], Iterable[tuple[str, bytes]]]
    answers: Callable[[Mapping[str, bytes]], Sequence[T]]


def fulfil(work: Work[T], units: Units) -> Sequence[T]:
    """Return the answers; compute and keep what is not kept yet.

    Raises:
        EngineError: the engine left units undone.

    """
    return work.answers(_held(work, work.units, units))


def compute(work: Work[T], share: Sequence[Unit], units: Units) -> None:
    """Compute and keep a share of the units, and answer nothing."""
    _held(work, share, units)


class ChangedModelError(EngineError):
    """Another model answers now than at the start: nobody knows which of the answers since then are whose."""


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
    """Return the units of share `index` (1 to `count`), balanced by cost and the same whenever it is asked.

    The largest first, each to the share that has least so far (Graham's LPT rule): where all begin with nothing, no
    share costs more than a third above the best possible; in any case no two differ by more than the dearest unit,
    unless they did before.

    Args:
        units: all units of a stage, in the order of the plan.
        index: which share.
        count: how many shares there are.
        loads: what each share has from earlier stages, so that a remainder does not always fall to the first ones;
            this stage's costs are added to it.

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
