"""The manifest of a shard run in a store: the run, its progress, and what must agree before shards are merged.

A store has one manifest, next to its units. Several shards of one run can share a store; a shard of another run starts
a new manifest there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.version import __version__
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.store.store import Store

_SCHEMA = 1
_PLACE = ("shards", "manifest")


@dataclass(slots=True)
class Share:
    """One share: is all of it stored? Per stage: units of the share, units of the stage, units of the share done."""

    complete: bool = False
    stages: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Manifest:
    """A shard run.

    Attributes:
        count: how many shares there are.
        facts: what must agree for shards to belong together, in the order in which differences are reported.
        prints: role -> the engine's fingerprint, which names the units of that model.
        engines: role -> the engine's name and version.
        options: settings as JSON values, for the gate on the merged store.
        shares: index -> share; a store may hold several.

    """

    count: int
    facts: dict[str, str]
    prints: dict[str, str]
    engines: dict[str, str]
    options: dict[str, Any]
    shares: dict[int, Share] = field(default_factory=dict)

    def note(self, store: Store) -> None:
        """Store the manifest; shards of the same run that it already lists are kept."""
        before = read(store)
        if before is not None and before.facts == self.facts:
            self.shares = before.shares | self.shares
        value = asdict(self) | {"schema": _SCHEMA}
        store.put(*_PLACE, json.dumps(value).encode())


def facts(
    settings: Settings, count: int, data: Mapping[str, tuple[str, str]], prints: Mapping[str, str]
) -> dict[str, str]:
    """Return what must agree.

    Args:
        settings: of the run.
        count: how many shares there are.
        data: benchmark -> name with digest of the file, address of the samples.
        prints: role -> fingerprint.

    """
    found = {"version of rootfruit-checks": __version__, "number of shards": str(count)}
    found |= {f"setting {key}": value for key, value in settings.explain().items()}
    for benchmark, (source, samples) in data.items():
        found |= {f"data of {benchmark}": source, f"samples of {benchmark}": samples}
    return found | {f"{role}'s fingerprint": prints.get(role, "none") for role in ("policy", "reference")}


def options(settings: Settings) -> dict[str, Any]:
    """Return the settings of a run as JSON values: everything it depends on, without output options."""
    wanted = {"model", "reference", "baseline", *settings.explain()}
    value = {item.name: getattr(settings, item.name) for item in fields(settings) if item.name in wanted}
    return {key: dict(item) if isinstance(item, Mapping) else item for key, item in value.items()}


def arguments(options: Mapping[str, Any]) -> list[str]:
    """Return those settings as command-line options."""
    found = []
    for key, value in options.items():
        flag = "--rootfruit-" + key.replace("_", "-")
        if value is True:
            found.append(flag)
        elif isinstance(value, Mapping):
            found += [f"{flag}={name}={number!r}" for name, number in value.items()]
        elif isinstance(value, (list, tuple)):
            found += [f"{flag}={','.join(map(str, value))}"] if value else []
        elif value is not None and value is not False:
            found.append(f"{flag}={value}")
    return found


def read(store: Store) -> Manifest | None:
    """Return a store's manifest; None if it has no shard run.

    Raises:
        StoreError: it has another version, or is damaged.

    """
    raw = store.get(*_PLACE)
    if raw is None:
        return None
    from rootfruit_checks.runs.shard_manifest_types import Noted

    where = f"{store.directory}: the note of its shard run"
    value = untrusted.parse_json(raw, where, StoreError)
    if isinstance(value, dict) and value.get("schema", _SCHEMA) != _SCHEMA:
        raise StoreError(f"{store.directory}: its shard was written by another version; run the shard again")
    untrusted.check(value, Noted, where, StoreError)
    del value["schema"]
    shares = {int(index): Share(**share) for index, share in value.pop("shares").items()}
    return Manifest(**value, shares=shares)
