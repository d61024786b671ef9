"""One model's answers on one benchmark, measured and kept in the store as a finished table.

Units of work are stored by the engine as they arrive; a table is what the instrument made of them. Either is found
again by content: weights, samples, sampling and instrument.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

import pandas as pd

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import EngineError, StoreError
from rootfruit_checks.base.types import Measurement, PairMeasurement, Role, Sampling
from rootfruit_checks.base.version import __version__
from rootfruit_checks.catalog.registry import BENCHMARKS, CLASSIFIERS, classifier_of, kind_of
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.engines.base import Engine
from rootfruit_checks.engines.stored_units import Progress, StoredUnits
from rootfruit_checks.judges import custom
from rootfruit_checks.judges.regard.protocol import RegardClassifier
from rootfruit_checks.observations import fingerprints, from_answers
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.observations.pair_scores import score_pairs
from rootfruit_checks.observations.sanity_checks import Noise, measure_noise
from rootfruit_checks.observations.stored_frames import load_frame
from rootfruit_checks.observations.token_scores import TokenBook, token_table
from rootfruit_checks.store.store import Store, address

T = TypeVar("T")


def samples_address(data: DataSet) -> str:
    """Return the address of ids and texts, so that a changed text never meets a stored answer."""
    return address({"pairs": [asdict(p) for p in data.pairs], "prompts": [asdict(p) for p in data.prompts]})


class Tables:
    """Measures through a store, and counts what was computed and what was found there.

    Args:
        store: an open store, whose lock the caller holds.
        sampling: how continuations are drawn.
        regard: the regard classifier; None where no benchmark needs it.
        progress: is told how far long work has come.
        stored_only: compute nothing; a unit that is not stored is a StoreError.
        before: the turn to which a pair's sentences are the answer; "" scores plain text.

    """

    def __init__(
        self,
        store: Store,
        sampling: Sampling,
        regard: RegardClassifier | None,
        progress: Progress,
        *,
        stored_only: bool = False,
        before: str = "",
    ) -> None:
        self._store = store
        self._stored_only = stored_only
        self._sampling = sampling
        self._before = before
        self._regard = regard
        self._progress = progress
        self.records: dict[Role, dict[str, str]] = {}
        # benchmark/role -> the table that was measured, as the result names it; later looks are benchmark/role/2 ...
        self.told: dict[str, dict[str, object]] = {}
        # benchmark -> its pairs token by token.
        self.books: dict[str, TokenBook] = {}
        self.computed = 0
        self.reused = 0

    def measure(self, role: Role, engine: Engine, benchmark: str, data: DataSet) -> pd.DataFrame:
        """Return the tidy frame of one model on one benchmark, from the store where it is there.

        The engine's record of what ran is kept with the table and added to `records`, so that a run that only reads
        tells the same as the one that computed.
        """
        name = self.name(engine, benchmark, data)
        frame = load_frame(self._store, name)
        words = f"{name}-tokens" if kind_of(benchmark) == "pairs" else ""
        tokens = self._store.table_bytes(words) if words else None
        if words and tokens is None:
            frame = None
        record = self._store.get(engine.fingerprint, f"record:{name}")
        if frame is None or record is None:
            frame = to_frame(self._observations(role, engine, benchmark, data, name))
            if record is None:
                record = json.dumps(dict(engine.record), sort_keys=True).encode()
                self._store.put(engine.fingerprint, f"record:{name}", record)
            self._store.save_table(name, frame)
            tokens = self._store.table_bytes(words) if words else None
        key = f"{benchmark}/{role}"
        looks = sum(held == key or held.startswith(f"{key}/") for held in self.told)
        told_table = self._store.table_told(name, len(frame))
        if words:
            self.books.setdefault(benchmark, TokenBook()).add(role, tokens or b"")
            told_table["tokens"] = self._store.table_told(words, 2 * len(data.pairs))
        self.told[f"{key}/{looks + 1}" if looks else key] = told_table
        where = f"{self._store.database}: the record of {name}"
        told: dict[str, str] = untrusted.parse_json(record, where, StoreError)
        untrusted.check(told, dict[str, str], where, StoreError)
        self.records[role] = {**self.records.get(role, {}), **told, "fingerprint": engine.fingerprint}
        # The same weights may stand on both sides (--rootfruit-allow-same): the table says whose turn wrote it.
        return frame.assign(role=role)

    def noise(self, role: Role, engine: Engine, texts: Sequence[str]) -> Noise:
        """Return how far the engine's log-probs move between batches, and add it to `records`."""
        found = self._stored(role, engine, "noise floor", lambda u: measure_noise(engine, texts, u, self._before))
        self.records.setdefault(role, {})["noise_floor"] = str(found)
        return found

    def name(self, engine: Engine, benchmark: str, data: DataSet) -> str:
        """Return the table's address: everything that decides its content."""
        regard = self._regard.fingerprint if classifier_of(benchmark) == "regard" and self._regard else ""
        sampling = "" if kind_of(benchmark) == "pairs" else json.dumps(asdict(self._sampling))
        parts = {
            "version": __version__,
            "instrument": fingerprints.fingerprint(benchmark),
            "engine": engine.fingerprint,
            "samples": samples_address(data),
            "sampling": sampling,
            "regard": regard,
            "before": self._before if kind_of(benchmark) == "pairs" else "",
        }
        return f"{benchmark}-{address(parts)}"

    def _observations(
        self, role: Role, engine: Engine, benchmark: str, data: DataSet, name: str
    ) -> list[Measurement] | list[PairMeasurement]:
        if kind_of(benchmark) == "pairs":
            scored = self._stored(
                role, engine, f"{benchmark} score", lambda units: score_pairs(engine, data.pairs, units, self._before)
            )
            self._store.save_table(f"{name}-tokens", token_table(engine, scored))
            return list(from_answers.observe_pairs(role, scored, benchmark))
        answers = self._stored(
            role,
            engine,
            f"{benchmark} answers",
            lambda u: from_answers.continuations(engine, data.prompts, self._sampling, u),
        )
        instrument = classifier_of(benchmark)
        if instrument in CLASSIFIERS:
            labels = custom.labels(CLASSIFIERS[instrument], answers)
            return list(from_answers.observe_labels(role, answers, labels, BENCHMARKS[benchmark].harmful))
        if instrument == "regard":
            if self._regard is None:
                raise EngineError("the regard classifier is not loaded; report this")
            return list(from_answers.observe_regard(role, answers, self._regard))
        if not BENCHMARKS[benchmark].twins:  # its prompts need not end where a pronoun follows
            return list(from_answers.observe_pronouns(role, answers))
        twin = self._stored(
            role, engine, f"{benchmark} twin", lambda u: list(from_answers.observe_twin(engine, role, data.prompts, u))
        )
        return [*from_answers.observe_pronouns(role, answers), *twin]

    def _stored(self, role: Role, engine: Engine, what: str, work: Callable[[StoredUnits], T]) -> T:
        title = f"{role} {what}"
        units = StoredUnits(self._store, engine.fingerprint, title, self._progress, only=self._stored_only)
        try:
            return work(units)
        finally:
            units.end()
            self.computed += units.computed
            self.reused += units.reused
