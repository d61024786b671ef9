"""A shard of a run: computes and stores its units, without measuring or gating.

It plans the same units as `observations/cached_tables.py` when that measures, so the run over the merged stores
computes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.catalog.registry import BENCHMARKS, kind_of
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.engines.base import Engine, plan_scores
from rootfruit_checks.engines.stored_units import Progress, StoredUnits
from rootfruit_checks.engines.work_units import Units, Work, compute, share_out
from rootfruit_checks.gating.checks import family, require_reference
from rootfruit_checks.observations import sanity_checks
from rootfruit_checks.observations.cached_tables import samples_address
from rootfruit_checks.observations.from_answers import twin_slots
from rootfruit_checks.observations.pair_scores import pair_texts
from rootfruit_checks.runs import shard_manifest
from rootfruit_checks.runs.factory import Factory
from rootfruit_checks.runs.run import Run
from rootfruit_checks.store.store import Store

Plan = Callable[[Units], Work[Any]]


def stages(
    engine: Engine, benchmark: str, data: DataSet, sampling: Sampling, before: str = ""
) -> Iterator[tuple[str, Plan]]:
    """Yield the name and the plan of each stage of one model on one benchmark."""
    if kind_of(benchmark) == "pairs":
        yield (
            "score",
            lambda units: plan_scores(engine, pair_texts(data.pairs), units, before),
        )
        return
    yield "answers", lambda units: engine.plan_generation(data.prompts, sampling)
    if BENCHMARKS[benchmark].twins:
        texts = [text for slot in twin_slots(data.prompts) for text in slot.values()]
        yield "twin", lambda units: engine.plan_scores(texts, units)


class Share(Run):
    """Computes share I of N of everything that the settings declare, whichever tests were selected.

    Args:
        settings: what to run; `shard` says which share.
        progress: receives the progress of long work.
        factory: opens models and judges.

    Raises:
        ConfigError: the settings name no shard.

    """

    def __init__(self, settings: Settings, *, progress: Progress | None = None, factory: Factory | None = None) -> None:
        if settings.shard is None:
            raise ConfigError("no shard is named; give --rootfruit-shard=I/N")
        super().__init__(settings, settings.benchmarks, progress, factory)
        self.index, self.count = settings.shard
        self.complete = False

    def measured(self) -> Self:
        """Compute the share, and return it. After an error, the store keeps the finished units, marked incomplete."""
        for check in family(self.settings):  # hours before the gate would report it
            require_reference(self.settings, check.measure)
        return super().measured()

    @property
    def title(self) -> str:
        """`shard I/N`."""
        return f"shard {self.index}/{self.count}"

    def told(self) -> dict[str, Any]:
        """Return plain values for the report of the session; each process reports its own."""
        return {
            "index": self.index,
            "count": self.count,
            "computed": self.computed,
            "found": self.reused,
            "complete": self.complete,
            "process": os.getpid(),
        }

    def _measure(self, store: Store) -> None:
        engines = self._opened(store)
        prints = {str(role): engine.fingerprint for role, engine in engines.items()}
        data = {name: (f"{held.name}, sha256 {held.sha256}", samples_address(held)) for name, held in self.data.items()}
        share = shard_manifest.Share()
        kept = shard_manifest.Manifest(
            count=self.count,
            facts=shard_manifest.facts(self.settings, self.count, data, prints),
            prints=prints,
            engines={str(role): str(engine.record.get("engine", "")) for role, engine in engines.items()},
            options=shard_manifest.options(self.settings),
            shares={self.index: share},
        )
        kept.note(store)
        sampling, before = self._sampling(engines), self._before(engines)
        probe = sanity_checks.sentences(self.data) if self.index == 1 else []
        loads = [0] * self.count
        try:
            for role, engine in engines.items():
                for benchmark in self._needed:
                    for what, plan in stages(engine, benchmark, self.data[benchmark], sampling, before):
                        name = f"{role} {benchmark} {what}"
                        with self._units(store, engine, name) as units:
                            work = plan(units)
                            mine = share_out(work.units, self.index, self.count, loads)
                            share.stages[name] = [len(mine), len(work.units), 0]
                            kept.note(store)
                            compute(work, mine, units)
                        share.stages[name][2] = len(mine)
                        kept.note(store)
                if probe:
                    # On one machine only: the noise floor depends on the machine, and two would not agree.
                    with self._units(store, engine, f"{role} noise floor") as units:
                        sanity_checks.measure_noise(engine, probe, units, before)
                engine.close()
            share.complete = self.complete = True
            kept.note(store)
        finally:
            for engine in engines.values():
                engine.close()

    @contextmanager
    def _units(self, store: Store, engine: Engine, what: str) -> Iterator[StoredUnits]:
        """The units of one stage, counted when it ends, even after an error."""
        units = StoredUnits(store, engine.fingerprint, f"{self.title}, {what}", self._progress)
        try:
            yield units
        finally:
            units.end()
            self.computed += units.computed
            self.reused += units.reused
