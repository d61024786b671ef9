"""For tests of a benchmark, metric or classifier of one's own: models that answer by rule, and the gate on them.

No model, store or pytest session is needed: `gate` measures and decides as a run does.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory

import pandas as pd

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.types import Prompt, Role, Verdict
from rootfruit_checks.catalog.registry import classifier_of
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.base import Engine
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.engines.stored_units import Silent
from rootfruit_checks.gating.checks import family
from rootfruit_checks.gating.decider import Decider
from rootfruit_checks.gating.instrument_bias import Auditing
from rootfruit_checks.judges.audit.reference_labels import answers_of
from rootfruit_checks.judges.regard.protocol import RegardClassifier, open_regard
from rootfruit_checks.judges.themes.tagger import Tagger
from rootfruit_checks.observations import sanity_checks
from rootfruit_checks.observations.cached_tables import Tables
from rootfruit_checks.runs.factory import Models
from rootfruit_checks.store.store import Store

__all__ = ["Doubles", "double", "gate", "samples"]


class Doubles(Models):
    """A factory for the hook `pytest_rootfruit_factory`: a gate on models that are not there.

    Args:
        engine: a model's name, as `--model` or `--reference` gives it -> its engine.
        regard: stands in for the regard classifier; the real one, if not given.
        tagger: stands in for the tagger of themes; the real one, if not given.

    """

    named = False

    def __init__(
        self,
        engine: Callable[[str], Engine],
        regard: RegardClassifier | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        self._engine, self._regard, self._tagger = engine, regard, tagger

    def engine(self, name: str, settings: Settings, option: str = "--model") -> Engine:
        """Return the double of a model."""
        return self._engine(name)

    def regard(self, settings: Settings) -> RegardClassifier:
        """Return the double of the classifier, or the real one."""
        return self._regard or super().regard(settings)

    def tagger(self, settings: Settings, regard: RegardClassifier | None) -> Tagger | None:
        """Return the double of the tagger, or the real one."""
        return self._tagger or super().tagger(settings, regard)


def double(
    name: str,
    *,
    lift: float = 0.0,
    after: Collection[str] = (),
    words: Collection[str] = (),
    answer: Callable[[Prompt, int], str] = lambda prompt, draw: "and that was all.",
) -> ScriptedEngine:
    """Return a model that answers by rule.

    The log-prob of a word depends on the words before it in a way that favours nobody; `name` moves it a little. A
    model with a planted bias finds each of `words` likelier by `lift` nats where one of `after` stands before it.

    Args:
        name: what the model is called; give policy and reference different names.
        lift: of the planted bias; 0 plants none.
        after: words after which it shows, without punctuation.
        words: words that become likelier; every word, if none is named.
        answer: (prompt, draw) -> continuation.

    """
    named, favoured = set(after), set(words)

    def word_logprob(word: str, place: int, text: Sequence[str]) -> float:
        before = [part.strip(string.punctuation) for part in text[:place]]
        value = -4.0 + 2.0 * _between(*text[: place + 1]) + 0.01 * _between(name, *text[: place + 1])
        plants = named & set(before) and (not favoured or word.strip(string.punctuation) in favoured)
        return value + (lift if plants else 0.0)

    return ScriptedEngine(f"{name}:{lift}", word_logprob, answer)


def samples(benchmark: str, *, data: str = "starter", scale: str = "ci", seed: int = 0) -> DataSet:
    """Return the samples of a registered benchmark, checked as a run checks them."""
    return load(benchmark, data, scale, seed)


def gate(
    benchmark: str, policy: Engine, reference: Engine | None = None, settings: Settings | None = None
) -> dict[str, Verdict]:
    """Measure and decide the declared checks of a registered benchmark; returns check id -> verdict.

    Args:
        benchmark: its name.
        policy: the model to gate.
        reference: what it was aligned from; without one, ceilings alone are decided.
        settings: scale, seed, limits and the like; the defaults, if not given.

    """
    chosen = replace(
        settings or Settings(),
        model="policy",
        reference="reference" if reference is not None else None,
        absolute_only=reference is None,
        benchmarks=(benchmark,),
    )
    if reference is not None and reference.fingerprint == policy.fingerprint:
        raise ConfigError("policy and reference have one fingerprint; give the doubles different names")
    data = samples(benchmark, data=chosen.data, scale=chosen.scale, seed=chosen.seed)
    regard = open_regard(chosen.regard) if classifier_of(benchmark) == "regard" else None
    roles: dict[Role, Engine] = {"policy": policy}
    if reference is not None:
        roles["reference"] = reference
    with TemporaryDirectory() as folder, Store(folder) as store:
        tables = Tables(store, chosen.sampling, regard, Silent())
        frames = [tables.measure(role, engine, benchmark, data) for role, engine in roles.items()]
        auditing = Auditing(answers_of(regard, store) if regard else None, alpha=chosen.alpha, seed=chosen.seed)
    frame = pd.concat(frames, ignore_index=True)
    decisions = Decider(
        chosen, {benchmark: data}, {benchmark: frame}, sanity_checks.NOISE_FLOOR[chosen.dtype], auditing=auditing
    )
    return {check.id: decisions.verdict(check) for check in family(chosen)}


def _between(*parts: str) -> float:
    """A number in [-1, 1) that the words alone decide."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:6], "big") / 2**47 - 1.0
