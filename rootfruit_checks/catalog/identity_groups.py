"""Which identity belongs to which group, by benchmark, as each registered it.

A label that no group of a benchmark names is an error, so that a group never silently lacks some of its people.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.registry import BENCHMARKS


def key_of(label: str) -> str:
    """Return what all spellings of an identity share: files hold "gender fluid", "gender-fluid" and "Genderfluid"."""
    return re.sub(r"[\s\-'\u2019]", "", label.casefold())


def _group_name(label: str) -> str:
    return re.sub(r"\s+", "-", label.strip().casefold())


@dataclass(frozen=True, slots=True)
class Groups:
    """Benchmark -> group -> identities, as the registration spells them.

    Beside the named groups every identity is a group of its own, named by its label in lower case with hyphens for
    spaces, unless a named group holds it alone (WinoQueer's `nonbinary` is its label NB). Where a named group already
    has that name (disclosure `transgender`), the identity's own group ends in `-only`.
    """

    table: Mapping[str, Mapping[str, tuple[str, ...]]]
    keys: Mapping[str, Mapping[str, str]]

    def names(self, benchmark: str) -> tuple[str, ...]:
        """All group names of a benchmark, named groups first."""
        return tuple(self._benchmark(benchmark))

    def members(self, benchmark: str, group: str) -> tuple[str, ...]:
        """Identities of a group. Raises DataError where there is no such group."""
        table = self._benchmark(benchmark)
        found = table.get(_group_name(group))
        if found is None:
            raise DataError(f"benchmark {benchmark!r} has no group {group!r}; it has {', '.join(table)}")
        return found

    def known(self, benchmark: str) -> frozenset[str]:
        """Every identity label of a benchmark."""
        self._benchmark(benchmark)
        return frozenset(self.keys[benchmark].values())

    def check(self, benchmark: str, identity: str) -> str:
        """Return the label as the groups spell it (case, spaces and hyphens of the input do not matter).

        Raises DataError, naming the module to extend, where no group of the benchmark has it.
        """
        self._benchmark(benchmark)
        label = self.keys[benchmark].get(key_of(identity))
        if label is None:
            module = BENCHMARKS[benchmark].origin.module
            raise DataError(f"{benchmark}: unknown identity {identity!r}; add it to the groups or controls in {module}")
        return label

    def _benchmark(self, benchmark: str) -> Mapping[str, tuple[str, ...]]:
        if benchmark not in self.table:
            raise DataError(f"there is no benchmark {benchmark!r}; there are {', '.join(self.table)}")
        return self.table[benchmark]


def _include(label: str, group: str, named: Mapping[str, tuple[str, ...]], where: str) -> tuple[str, ...]:
    # "+name" stands for the members of a group above.
    if not label.startswith("+"):
        return (label,)
    if label[1:] not in named:
        raise DataError(f"{where} {group} includes {label[1:]!r}, which is not a group above it")
    return named[label[1:]]


def read_groups(path: Path) -> dict[str, list[str]]:
    """Return group -> identities from a TOML file, for `benchmark(groups=...)`.

    Raises:
        DataError: no such file, or one that is not TOML.

    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: cannot be read as TOML: {error}") from error


def section(raw: Mapping[str, Any], where: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Read the groups of one benchmark.

    Args:
        raw: group -> list of identities; "+name" stands for the members of a group above.
        where: for messages.

    Returns:
        Group -> identities, with each identity as a group of its own; and key -> identity, as labels are looked up.

    Raises:
        DataError: a wrong shape, or one identity spelled in two ways.

    """
    named: dict[str, tuple[str, ...]] = {}
    spelled: dict[str, str] = {}
    for group, labels in raw.items():
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise DataError(f"{where} {group} must be a list of identity labels, not empty")
        labels = [name for label in labels for name in _include(label, group, named, where)]
        if len({key_of(label) for label in labels}) != len(labels):
            raise DataError(f"{where} {group} names an identity twice")
        for label in labels:
            if spelled.setdefault(key_of(label), label) != label:
                raise DataError(f"{where} spells {spelled[key_of(label)]!r} also as {label!r}")
        if _group_name(group) != group:
            raise DataError(f"{where} group {group!r} must be lower case, without spaces")
        named[group] = tuple(labels)
    alone = {labels for labels in named.values() if len(labels) == 1}
    for label in spelled.values():
        own = _group_name(label)
        if (label,) in alone:
            continue  # a named group already is that identity; a second name would add another check
        if own not in named:
            named[own] = (label,)
        elif named[own] != (label,):
            named[f"{own}-only"] = (label,)
    return named, spelled


def groups() -> Groups:
    """The groups of every benchmark, those of its controls among them."""
    return _groups(registry.version())


@lru_cache(maxsize=1)
def _groups(version: int) -> Groups:
    table, keys = {}, {}
    for name, held in BENCHMARKS.items():
        raw = {group: list(labels) for group, labels in held.groups.items()}
        if held.controls:
            raw[held.control_group] = list(held.controls)
        table[name], keys[name] = section(raw, f"benchmark {name!r}:")
    return Groups(table, keys)


def controls(benchmark: str) -> tuple[str, ...]:
    """Identities that every group of a benchmark is compared with; none where sentence pairs are their own control."""
    return BENCHMARKS[benchmark].controls


def members(benchmark: str, group: str) -> tuple[str, ...]:
    """Identities of a group: see `Groups.members`."""
    return groups().members(benchmark, group)


def known(benchmark: str) -> frozenset[str]:
    """Every identity label of a benchmark: see `Groups.known`."""
    return groups().known(benchmark)


def check(benchmark: str, identity: str) -> str:
    """The label as the groups spell it, or DataError: see `Groups.check`."""
    return groups().check(benchmark, identity)
