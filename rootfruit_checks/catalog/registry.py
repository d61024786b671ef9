"""The registry: every benchmark, measure, classifier and metric, by name.

Check ids, limits, reports and docs all come from these tables. The benchmarks that come with the package are loaded
when a table is first read; others are loaded by `catalog/entry_points.py`, or register themselves. Only
`catalog/extend.py` and `catalog/removal.py` write.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TypeVar

from rootfruit_checks.catalog.measures import LABELS, NO_ANSWER, Benchmark, Classifier, Kind, Measure, Metric

V = TypeVar("V")


class Table(MutableMapping[str, V]):
    """Names to what is registered, in the order of registration."""

    def __init__(self) -> None:
        self._held: dict[str, V] = {}

    def __getitem__(self, name: str) -> V:
        _load_built_in()
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        _load_built_in()
        return iter(self._held)

    def __len__(self) -> int:
        _load_built_in()
        return len(self._held)

    def __setitem__(self, name: str, value: V) -> None:
        self._held[name] = value
        _changed()

    def __delitem__(self, name: str) -> None:
        del self._held[name]
        _changed()


BENCHMARKS: Table[Benchmark] = Table()
MEASURES: Table[Measure] = Table()
CLASSIFIERS: Table[Classifier] = Table()
METRICS: Table[Metric] = Table()
TABLES = (BENCHMARKS, MEASURES, CLASSIFIERS, METRICS)

# How many sessions in this process have read their settings; one may run inside another.
_readers = 0
_version = 0
_loaded = False


def _load_built_in() -> None:
    global _loaded
    if _loaded:
        return
    _loaded = True  # before, since registering reads the tables
    from rootfruit_checks.catalog import entry_points

    try:
        with unsealed():
            entry_points.load_built_in()
    except BaseException:
        _loaded = False
        raise


def _changed() -> None:
    global _version
    _version += 1


def version() -> int:
    """A number that changes with every registration, for caches of values derived from the tables."""
    _load_built_in()
    return _version


def seal() -> None:
    """Close registration: the settings were read, and a later check would silently not be gated."""
    global _readers
    _readers += 1


def unseal() -> None:
    """Undo one `seal`."""
    global _readers
    _readers = max(0, _readers - 1)


def sealed() -> bool:
    """Whether it is too late to register."""
    return _readers > 0


@contextmanager
def unsealed() -> Iterator[None]:
    """Allow registration temporarily, even after settings were read."""
    global _readers
    kept, _readers = _readers, 0
    try:
        yield
    finally:
        _readers = kept


def measures() -> tuple[Measure, ...]:
    """Every measure, in the order of registration."""
    return tuple(MEASURES.values())


def benchmarks() -> tuple[str, ...]:
    """Every benchmark, those that come with the package first."""
    return tuple(BENCHMARKS)


def defaults() -> tuple[str, ...]:
    """The benchmarks that run if none are named."""
    return tuple(name for name, held in BENCHMARKS.items() if held.default)


def gated_groups(benchmark: str) -> tuple[str, ...]:
    """Return the groups on which a benchmark decides, in the order of its registration."""
    return next((row.groups for row in MEASURES.values() if row.benchmark == benchmark), ())


def kind_of(benchmark: str) -> Kind:
    """Whether a benchmark is of sentence pairs or of prompts."""
    return BENCHMARKS[benchmark].kind


def classifier_of(benchmark: str) -> str:
    """Return what labels the continuations of a benchmark: `regard`, `pronoun`, or a registered classifier's name."""
    return BENCHMARKS[benchmark].classifier


def labels_of(classifier: str) -> tuple[str, ...]:
    """Return the labels of a judge or registered classifier, those for no answer among them."""
    if classifier in CLASSIFIERS:
        return (*CLASSIFIERS[classifier].labels, *NO_ANSWER)
    return LABELS[classifier]


def is_foreign(metric: str) -> bool:
    """Whether a registered metric and its benchmark come from different packages.

    Such a metric decides only where `--rootfruit-gate` names it.
    """
    benchmark = BENCHMARKS.get(metric.partition("/")[0])
    held = METRICS.get(metric)
    return held is not None and benchmark is not None and held.origin.package != benchmark.origin.package
