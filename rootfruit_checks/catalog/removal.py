"""Takes registrations back: one benchmark, those of a test, or those of a conftest.py when its session ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.measures import Benchmark, Classifier, Metric
from rootfruit_checks.catalog.registry import BENCHMARKS, CLASSIFIERS, MEASURES, METRICS, TABLES


def reopen() -> None:
    """End a session: the next one in this process may register again, and its conftest.py is another."""
    registry.unseal()
    if registry.sealed():
        return
    for name in _of_conftest(BENCHMARKS):
        remove(name)
    for name in _of_conftest(METRICS):
        del METRICS[name], MEASURES[name]
    for name in _of_conftest(CLASSIFIERS):
        del CLASSIFIERS[name]


def _of_conftest(table: Mapping[str, Benchmark] | Mapping[str, Metric] | Mapping[str, Classifier]) -> list[str]:
    return [name for name, held in table.items() if held.origin.module.rpartition(".")[2] == "conftest"]


@contextmanager
def isolated() -> Iterator[None]:
    """Register or remove temporarily, for tests of a benchmark, metric or classifier."""
    kept: list[tuple[Any, dict[str, Any]]] = [(table, dict(table)) for table in TABLES]
    try:
        with registry.unsealed():
            yield
    finally:
        for table, before in kept:
            table.clear()
            table.update(before)


def remove(name: str) -> None:
    """Remove a benchmark with all of its measures and metrics.

    Raises:
        ConfigError: there is no such benchmark.

    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark {name!r}: is not registered; there are {', '.join(BENCHMARKS) or 'none'}")
    del BENCHMARKS[name]
    for row in registry.measures():
        if row.benchmark == name:
            del MEASURES[row.id]
            METRICS.pop(row.id, None)
