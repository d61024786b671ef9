"""A sequential run: each benchmark grows look by look until all of its gated checks are settled.

Each check's bounds hold at all of its looks at once, so its p-value is valid at its last look, however that was chosen.
Holm's correction over the family needs only valid p-values (Holm 1979; Howard et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from rootfruit_checks.base.errors import RootfruitError
from rootfruit_checks.base.types import Role
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.engines.stored_units import Progress
from rootfruit_checks.gating.checks import Check, family, require_model, require_reference
from rootfruit_checks.gating.decider import Decider
from rootfruit_checks.observations import sanity_checks
from rootfruit_checks.observations.cached_tables import Tables
from rootfruit_checks.runs.factory import Factory
from rootfruit_checks.runs.look_schedule import joined, planned, share_of, size
from rootfruit_checks.runs.run import Run
from rootfruit_checks.store.store import Store


class SequentialRun(Run):
    """Measures look by look, for the whole declared family, until every gated check of a benchmark is settled.

    All declared benchmarks are measured, whichever tests were selected, so that the looks are the same for every
    selection. Bounds hold at all looks at once, so the last look gives the verdict.

    Args:
        settings: what to run.
        progress: receives the progress of long work.
        factory: opens models and judges.

    """

    def __init__(self, settings: Settings, *, progress: Progress | None = None, factory: Factory | None = None) -> None:
        super().__init__(settings, settings.benchmarks, progress, factory)
        self._seen: dict[str, DataSet] = {}

    def measured(self) -> Self:
        """Measure look by look, and return the run."""
        require_model(self.settings)
        for check in family(self.settings):
            if check.gated:
                require_reference(self.settings, check.measure)
        return super().measured()

    def _measure(self, store: Store) -> None:
        ahead = {name: self._looks(name) for name in self._needed}
        planned_looks = {name: len(looks) for name, looks in ahead.items()}
        self._seen = {name: replace(data, pairs=(), prompts=()) for name, data in self.data.items()}
        noise: dict[Role, sanity_checks.Noise] = {}
        tables: Tables | None = None
        unsettled: list[str] = []
        while added := {
            name: looks.pop(0) for name, looks in ahead.items() if looks and self._is_open(name, unsettled)
        }:
            tables = self._look(store, added, tables, noise)
            self._doubt(noise)
            self.decider = Decider(
                self.settings,
                self.data,
                self._frames,
                self._floor,
                auditing=self._auditing,
                share=self._share,
                books=self._books,
            )
            unsettled = self._unsettled()
        for name, count in planned_looks.items():
            left = sum(check.startswith(f"{name}/") for check in unsettled)
            why = f"{left} gated checks are not settled and no look is left" if left else "every gated check is settled"
            taken, seen = count - len(ahead[name]), size(self._seen[name])
            self._notes.append(
                f"{name}: sequential, {taken} of {count} looks taken ({seen} of {size(self.data[name])} samples): {why}"
            )

    def _looks(self, name: str) -> list[DataSet]:
        return [look for look in planned(name, self.data[name], self.settings.seed) if size(look)]

    def _is_open(self, name: str, unsettled: Sequence[str]) -> bool:
        """Whether a benchmark needs another look: it had none yet, or one of its gated checks is not settled."""
        return not size(self._seen[name]) or any(check.startswith(f"{name}/") for check in unsettled)

    def _look(
        self, store: Store, added: Mapping[str, DataSet], tables: Tables | None, noise: dict[Role, sanity_checks.Noise]
    ) -> Tables:
        """Measure what one look adds, on both models."""
        engines = self._opened(store)
        try:
            tables = tables or self._new_tables(store, engines)
            probe = sanity_checks.sentences(self.data)
            for role, engine in engines.items():
                for benchmark, data in added.items():
                    self._add(benchmark, tables.measure(role, engine, benchmark, data))
                if probe and role not in noise:
                    noise[role] = tables.noise(role, engine, probe)
                self._records[role] = tables.records.get(role, {})
                engine.close()
            if self._regard is not None:
                self._look_at(self._regard, store)
        finally:
            if tables is not None:
                self._take(tables)
            for engine in engines.values():
                engine.close()
        self._seen |= {benchmark: joined(self._seen[benchmark], data) for benchmark, data in added.items()}
        return tables

    def _share(self, check: Check) -> float:
        name = check.measure.benchmark
        return share_of(check, self._seen[name], self.data[name])

    def _unsettled(self) -> list[str]:
        """Return the gated checks of the family that neither pass nor fail yet."""
        found = []
        for check in family(self.settings):
            if not check.gated:
                continue
            try:
                settled = self.decider.verdict(check).verdict in {"pass", "fail"}
            except RootfruitError:  # its own test will report it; it is not settled
                settled = False
            if not settled:
                found.append(check.id)
        return found
