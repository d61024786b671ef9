"""Combines data, engines and store into measurements, which `gating/decider.py` turns into verdicts.

`Run` measures once for all checks of a session. The store keeps the frame of each benchmark, so that one process
computes it under the store's lock, and the other workers of a parallel test run and later runs read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Self

import pandas as pd

from rootfruit_checks.base.environment import versions
from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Role, RunInfo, Sampling, Verdict
from rootfruit_checks.catalog.registry import BENCHMARKS, benchmarks, classifier_of, kind_of
from rootfruit_checks.config.build import with_base
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.base import Engine, check
from rootfruit_checks.engines.chat.template import check_stops, settle, settle_scores
from rootfruit_checks.engines.stored_units import Progress, Silent
from rootfruit_checks.gating.checks import Check, require_model
from rootfruit_checks.gating.decider import Decider
from rootfruit_checks.gating.instrument_bias import Auditing, audit_run
from rootfruit_checks.judges.audit import pronoun_bias
from rootfruit_checks.judges.regard.protocol import RegardClassifier
from rootfruit_checks.judges.themes.tagged import Tagged, tag_frame
from rootfruit_checks.judges.themes.tagger import Tagger
from rootfruit_checks.observations import fingerprints, sanity_checks
from rootfruit_checks.observations.cached_tables import Tables
from rootfruit_checks.observations.token_scores import TokenBook
from rootfruit_checks.results.views import Views
from rootfruit_checks.runs import baseline
from rootfruit_checks.runs.baseline_types import ToKeep
from rootfruit_checks.runs.descriptions import views
from rootfruit_checks.runs.factory import Factory, Models
from rootfruit_checks.store.lock import locked
from rootfruit_checks.store.store import Store, address

NOISE_FLOOR = sanity_checks.NOISE_FLOOR


class Run:
    """Everything measured for one Settings, for the benchmarks in `needed`.

    Args:
        settings: what to run.
        needed: benchmarks whose checks were selected, by default all in the settings; others are not computed.
        progress: receives the progress of long work.
        factory: opens models and judges.

    """

    def __init__(
        self,
        settings: Settings,
        needed: Iterable[str] | None = None,
        progress: Progress | None = None,
        factory: Factory | None = None,
    ) -> None:
        self.settings = with_base(settings)
        self._progress = progress or Silent()
        self._factory = factory or Models()
        wanted = set(settings.benchmarks if needed is None else needed) & set(settings.benchmarks)
        self._needed = [name for name in benchmarks() if name in wanted]
        self.data: dict[str, DataSet] = {}
        self._regard: RegardClassifier | None = None
        self._tagger: Tagger | None = None
        self._tagged: dict[str, Tagged] = {}
        self._auditing = Auditing(alpha=settings.alpha, seed=settings.seed)
        self._records: dict[Role, dict[str, str]] = {"policy": {}, "reference": {}}
        self._frames: dict[str, pd.DataFrame] = {}
        self._prompts = self._scores = ""
        self._tables: dict[str, str] = {}
        self._told: dict[str, dict[str, object]] = {}
        self._books: dict[str, TokenBook] = {}
        self.computed = 0
        self.reused = 0
        self.baseline: baseline.Baseline | None = None

    def measured(self) -> Self:
        """Measure, and return the run: see `runs/measure.py`."""
        settings = self.settings
        require_model(settings)
        self.data = {
            name: load(name, settings.data, settings.scale, settings.seed, settings.names) for name in self._needed
        }
        if not settings.shard:  # continuations are labelled after the merge
            if "regard" in map(classifier_of, self._needed):
                self._regard = self._factory.regard(settings)
            if any(BENCHMARKS[name].themes for name in self._needed):
                self._tagger = self._factory.tagger(settings, self._regard)
        if settings.baseline:
            self.baseline = baseline.read(settings.baseline)
            baseline.agree(self.baseline, self._facts())
        with Store(settings.store) as store, locked(store.lock_path):
            self._measure(store)
        return self

    # -- measuring -----------------------------------------------------------------------------------------------------

    def _opened(self, store: Store) -> dict[Role, Engine]:
        engines = self._engines()
        prints = {role: engine.fingerprint for role, engine in engines.items()}
        if len(set(prints.values())) < len(prints) and not self.settings.allow_same:
            raise EngineError(
                f"--model {self.settings.model} and --reference {self.settings.reference} are the same weights "
                f"({prints['policy'][:12]}): an unmerged adapter or a wrong path? --rootfruit-allow-same accepts it"
            )
        self._notes = self._attempts(store, prints)
        if not self.settings.stored_only:
            for engine in engines.values():
                check(engine)
        return engines

    def _measure(self, store: Store) -> None:
        engines = self._opened(store)
        tables = self._new_tables(store, engines)
        probe = sanity_checks.sentences(self.data)
        noise: dict[Role, sanity_checks.Noise] = {}
        try:
            for role, engine in engines.items():
                for benchmark in self._needed:
                    self._add(benchmark, tables.measure(role, engine, benchmark, self.data[benchmark]))
                    if role == "policy":
                        self._tables[benchmark] = tables.name(engine, benchmark, self.data[benchmark])
                if probe:
                    noise[role] = tables.noise(role, engine, probe)
                self._records[role] = tables.records.get(role, {})
                engine.close()
            if self._regard is not None:
                self._look_at(self._regard, store)
        finally:
            self._take(tables)
            for engine in engines.values():
                engine.close()
        self._doubt(noise)

    def _take(self, tables: Tables) -> None:
        self.computed, self.reused, self._told = tables.computed, tables.reused, tables.told
        self._books = tables.books

    def _new_tables(self, store: Store, engines: Mapping[Role, Engine]) -> Tables:
        return Tables(
            store,
            self._sampling(engines),
            self._regard,
            self._progress,
            stored_only=self.settings.stored_only,
            before=self._before(engines),
        )

    def _look_at(self, classifier: RegardClassifier, store: Store) -> None:
        """Audit the regard classifier, and tag the continuations; results are cached by fingerprint."""
        self._auditing, notes = audit_run(
            classifier, store, self._frames, alpha=self.settings.alpha, seed=self.settings.seed
        )
        if self._tagger is not None:
            self._tagged = {
                name: tag_frame(self._tagger, store, frame)
                for name, frame in self._frames.items()
                if BENCHMARKS[name].themes
            }
        self._notes += notes

    def _doubt(self, noise: Mapping[Role, sanity_checks.Noise]) -> None:
        """Look for signs of a broken instrument before anything is decided."""
        self._floor, warnings = sanity_checks.noise_floor(noise, self.settings.dtype)
        if self.settings.reference and not self.settings.allow_same:
            sanity_checks.refuse_same(self._frames.values(), self._floor)
        self._notes += [
            *sanity_checks.tokenizers(self._records),
            *warnings,
            *sanity_checks.ending_pairs(self.data),
            *sanity_checks.degenerate(self._frames),
        ]

    def _sampling(self, engines: Mapping[Role, Engine]) -> Sampling:
        """How continuations are drawn and how prompts are formatted, if there are any."""
        settings = self.settings
        if all(kind_of(name) == "pairs" for name in self._needed):
            return settings.sampling
        check_stops(settings.stop, engines)
        chat, self._prompts = settle(settings.chat, settings.chat_format, engines)
        return replace(settings.sampling, chat=chat)

    def _before(self, engines: Mapping[Role, Engine]) -> str:
        """The turn that scored pairs are the answer to; "" for plain text."""
        if not self.settings.chat_scores or "pairs" not in map(kind_of, self._needed):
            return ""
        before, self._scores = settle_scores(self.settings.chat_system or "", engines)
        return before

    def _add(self, benchmark: str, frame: pd.DataFrame) -> None:
        before = self._frames.get(benchmark)
        self._frames[benchmark] = frame if before is None else pd.concat([before, frame], ignore_index=True)

    def _engines(self) -> dict[Role, Engine]:
        engines: dict[Role, Engine] = {"policy": self._factory.engine(str(self.settings.model), self.settings)}
        if self.settings.own_base:
            engines["reference"] = self._factory.base(engines["policy"], self.settings)
        elif self.settings.reference:
            engines["reference"] = self._factory.engine(self.settings.reference, self.settings, option="--reference")
        return engines

    def _attempts(self, store: Store, prints: dict[Role, str]) -> list[str]:
        # Which engine ran is in the fingerprints; engines that share one are the same run.
        plan = {key: value for key, value in self.settings.explain().items() if key not in {"seed", "engine"}}
        weights = {str(role): value for role, value in prints.items()}
        seeds = store.attempt(address({**plan, **weights}), self.settings.seed)
        if len(seeds) < 2:
            return []
        listed = ", ".join(map(str, seeds))
        return [f"this store holds the same run with {len(seeds)} seeds ({listed}): do not choose a verdict among them"]

    # -- deciding ------------------------------------------------------------------------------------------------------

    @cached_property
    def decider(self) -> Decider:
        """The decider for everything that was measured.

        Raises:
            BaselineError: the baseline was measured with another engine or prompt format.

        """
        if self.baseline is not None:
            baseline.agree(self.baseline, self._facts())
        return Decider(
            self.settings, self.data, self._frames, self._floor, self.baseline, self._auditing, books=self._books
        )

    def frame(self, benchmark: str) -> pd.DataFrame:
        """The tidy frame of one benchmark (see `observations/frame.py`), policy and reference."""
        return self.decider.frame(benchmark)

    def verdict(self, check: Check) -> Verdict:
        """Decide one check."""
        return self.decider.verdict(check)

    def explore(self, benchmark: str) -> list[Verdict]:
        """Describe every identity of a benchmark that is not gated: estimates and bounds, no verdict."""
        return self.decider.explore(benchmark)

    def _facts(self) -> baseline.Facts:
        """What must agree with a baseline, as far as it is known yet."""
        engine = self._records["policy"].get("engine", "")
        regard = self._regard.fingerprint if self._regard is not None else ""
        return baseline.facts(self.settings, self.data, regard, engine, self._put())

    def _put(self) -> dict[str, str]:
        """How prompts and scored sentences were formatted, if known."""
        told = {"prompts": self._prompts, "scores": self._scores}
        return {key: text for key, text in told.items() if text}

    @cached_property
    def to_keep(self) -> ToKeep:
        """The data from which any process can save a baseline of this run: see `runs/baseline_file.py`."""
        return ToKeep(self._tables, self._facts(), self._floor)

    @cached_property
    def views(self) -> Views:
        """The descriptions besides the checks: see `runs/descriptions.py`."""
        settings = self.settings
        return views(self._frames, alpha=settings.alpha, seed=settings.seed, noise=self._floor, tagged=self._tagged)

    @cached_property
    def info(self) -> RunInfo:
        """What was run, for the header of every result."""
        data: dict[str, str] = {"scale": self.settings.scale}
        data |= self._put()
        if self.baseline is not None:
            data["baseline"] = self.baseline.told
        notes = [*self._notes, *fingerprints.cautions(self.data)]
        for name, held in self.data.items():
            data[name] = f"{held.name}: {held.statement} ({held.licence}; sha256 {held.sha256})"
            notes += [f"{name}: {note}" for note in held.notes]
            if self.baseline is not None:
                notes += fingerprints.uncompared(name)
        used = fingerprints.registered(self.data)
        if self._regard is not None:
            used["regard"] = f"{self._regard.name}; measured accuracy: {self._regard.accuracy}"
            used["regard_audit"] = self._auditing.words()
        if self._tagger is not None:
            used["themes"] = self._tagger.told
        if "pronoun" in map(classifier_of, self.data):
            used["pronouns"] = fingerprints.pronoun_judge()
            used["pronouns_audit"] = pronoun_bias.words()
        policy, reference = self._records["policy"], self._records["reference"]
        notes += [f"{role}: {record['caution']}" for role, record in self._records.items() if "caution" in record]
        return RunInfo(
            policy={"path": str(self.settings.model), **policy},
            reference={"path": self.settings.reference_name, **reference} if self.settings.reference else None,
            data=data,
            settings=self.settings.explain(),
            instruments=used,
            notes=tuple(notes),
            tables=dict(sorted(self._told.items())),
            versions=versions(),
        )
