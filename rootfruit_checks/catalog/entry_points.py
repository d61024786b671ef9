"""Loads what other packages register: modules named in the entry-point group `rootfruit_checks`, once a process."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.provenance import DISTRIBUTIONS

GROUP = "rootfruit_checks"
_loaded: set[tuple[str, str]] = set()


def load() -> None:
    """Import every module of the group; importing registers.

    Raises:
        ConfigError: a module cannot be imported or registers something wrong; the message names its distribution.

    """
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        if (entry.name, entry.value) in _loaded:
            continue
        distribution = _distribution(entry)
        DISTRIBUTIONS[entry.value.partition(":")[0].partition(".")[0]] = distribution
        try:
            entry.load()
        except Exception as error:  # whatever somebody else's module raises
            kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
            raise ConfigError(
                f"package {distribution}: its entry point {entry.name} = {entry.value} cannot be loaded: "
                f"{kind}{error}; mend or uninstall it, or run without such packages: --rootfruit-extensions=off"
            ) from error
        _loaded.add((entry.name, entry.value))


def _distribution(entry: EntryPoint) -> str:
    found = entry.dist
    return f"{found.name} {found.version}" if found is not None else entry.value
