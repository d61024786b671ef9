"""The variances that a plan assumes: the built-in ones, or those of an earlier result."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.text import plain
from rootfruit_checks.base.untrusted import converted
from rootfruit_checks.catalog.measures import REGRESSION
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.reading import read_result
from rootfruit_checks.stats.variance_components import Components

_NAMES = tuple(item.name for item in fields(Components))


@dataclass(frozen=True, slots=True)
class Variances:
    """Components by check id, and the source of each in words."""

    parts: Mapping[str, Components]
    sources: Mapping[str, str]

    def knows(self, check_id: str) -> bool:
        """Whether variances are known for a check, or for another group of its measure."""
        measure = check_id.rpartition("/")[0]
        return any(key.rpartition("/")[0] in (measure, _change(measure)) for key in self.parts)

    def of(self, check_id: str) -> tuple[Components, str]:
        """Return what is assumed for a check: its own variances, else those of the worst group of the same measure.

        A regression without variances is assumed to vary like the amplification, with two policies instead of policy
        and reference.
        """
        if check_id in self.parts:
            return self.parts[check_id], self.sources[check_id]
        measure, _, group = check_id.rpartition("/")
        if _change(measure) != measure and not any(key.rpartition("/")[0] == measure for key in self.parts):
            return self.of(f"{_change(measure)}/{group}")
        others = [key for key in self.parts if key.rpartition("/")[0] == measure]
        if not others:
            raise ConfigError(f"{check_id}: its variances are unknown; plan with --rootfruit-plan-from=RESULT")
        worst = max(others, key=lambda key: (self.parts[key].rows + self.parts[key].columns, key))
        return self.parts[worst], f"{self.sources[worst]} (of {worst}; none was measured for this group)"


def _change(measure: str) -> str:
    benchmark, _, metric = measure.partition("/")
    return f"{benchmark}/amplification" if metric == REGRESSION else measure


def default() -> Variances:
    """Return the variances that come with the benchmarks, each with its source.

    A benchmark's file has two tables: `[default]` maps "metric/group" to the fields of `Components` and the key of a
    source, which `[sources]` has in words.
    """
    parts, sources = {}, {}
    for benchmark, held in BENCHMARKS.items():
        if held.variances is None:
            continue
        value = tomllib.loads(held.variances.read_text(encoding="utf-8"))
        for name, row in value["default"].items():
            sources[f"{benchmark}/{name}"] = value["sources"][row.pop("source")]
            parts[f"{benchmark}/{name}"] = Components(**row)
    return Variances(parts, sources)


def from_result(path: str) -> Variances:
    """Return the variances of an earlier JSON result, and the built-in ones for checks that it lacks.

    One result does not show how much of the variance is due to sampling continuations; that share stays built-in.

    Raises:
        ConfigError: no such file, not a result, or a result without variances.

    """
    where = f"option --rootfruit-plan-from: {plain(path, 300)}"
    value = read_result(Path(path), ConfigError, where)
    usual = default()
    parts, sources = dict(usual.parts), dict(usual.sources)
    told = f"the result {Path(path).name}"
    found = 0
    for row in value.checks:
        held = _components(row, where)
        if held is None:
            continue
        check_id = row.id
        known = parts.get(check_id)
        parts[check_id] = replace(held, draws=known.draws) if known else held
        sources[check_id] = told
        found += 1
    if not found:
        raise ConfigError(
            f"{where}: holds no variances (details.components); it is from an older version, run it again"
        )
    return Variances(parts, sources)


def _components(row: Check, where: str) -> Components | None:
    held = row.details.get("components")
    if held is None or not row.n:
        return None
    place = f"{where}: {plain(row.id, 120)}: details.components"
    made = converted(held, Components, place, ConfigError)
    if any(getattr(made, name) < 0 for name in _NAMES) or made.continuations < 1:
        raise ConfigError(f"{place}: variances are numbers of at least 0, and continuations at least 1")
    return made
