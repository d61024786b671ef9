"""Times about ten seconds of the named model, to estimate how long a run would take on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.catalog.registry import kind_of
from rootfruit_checks.config import endpoints
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.engines.base import Engine
from rootfruit_checks.engines.chat.template import settle
from rootfruit_checks.engines.work_units import FORGET, Unit, Work
from rootfruit_checks.runs.factory import Factory, Models
from rootfruit_checks.runs.shard import stages

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the policy's work: its size in the engine's own tokens, what was timed of it, and for how long."""

    name: str
    tokens: int
    timed: int
    took: float

    @property
    def seconds(self) -> float:
        """How long the whole stage would take."""
        return self.tokens * self.took / self.timed


def wanted(settings: Settings) -> bool:
    """Whether to time the model. A served model may cost money, so it is timed only on request."""
    if not settings.model or settings.plan_probe == "never":
        return False
    return settings.plan_probe == "always" or not endpoints.is_served(settings.model)


def probe(
    settings: Settings,
    data: Mapping[str, DataSet],
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
    factory: Factory | None = None,
) -> list[Stage]:
    """Load the policy and time a part of each stage; nothing is stored.

    The first unit of a stage, which loads weights and compiles kernels, is not timed unless it is the only one.

    Raises:
        EngineError: the model cannot be loaded or does not work.

    """
    engine = (factory or Models()).engine(str(settings.model), settings)
    try:
        planned = _planned(engine, settings, data)
        share = seconds / max(len(planned), 1)
        return [_timed(name, work, share, clock) for name, work in planned if work.units]
    finally:
        engine.close()


def _planned(engine: Engine, settings: Settings, data: Mapping[str, DataSet]) -> list[tuple[str, Work[object]]]:
    sampling = settings.sampling
    if "prompts" in map(kind_of, data):
        chat, _ = settle(settings.chat, settings.chat_format, {"policy": engine})
        sampling = replace(sampling, chat=chat)
    return [
        (f"{name} {what}", plan(FORGET))
        for name, held in data.items()
        for what, plan in stages(engine, name, held, sampling)
    ]


def _timed(name: str, work: Work[object], seconds: float, clock: Callable[[], float]) -> Stage:
    total = sum(unit.cost for unit in work.units)
    # Spread over the stage: its first units may be cheap.
    step = max(1, len(work.units) // 64)
    order = [*work.units[::step], *(unit for at, unit in enumerate(work.units) if at % step)]
    _run(work, order[:1], clock)
    if len(order) == 1:
        return Stage(name, total, total, _run(work, order, clock))
    done, took, at, size = 0, 0.0, 1, 1
    while at < len(order) and took < seconds:
        part = order[at : at + size]
        took += _run(work, part, clock)
        done += sum(unit.cost for unit in part)
        at += len(part)
        # As many at once as fit into the remaining time, at most twice as many as before.
        size = max(1, min(2 * size, int(size * (seconds - took) / max(took, 1e-9))))
    return Stage(name, total, max(done, 1), took)


def _run(work: Work[object], units: Sequence[Unit], clock: Callable[[], float]) -> float:
    began = clock()
    answered = sum(1 for _ in work.compute(units))
    if answered < len(units):
        raise EngineError(
            f"the engine left {len(units) - answered} of {len(units)} units unfinished; please report this"
        )
    return clock() - began
