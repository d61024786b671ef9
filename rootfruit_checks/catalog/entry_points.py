"""Loads what is registered by packages: modules named in the entry-point group `rootfruit_checks`, once a process.

The benchmarks that come with this package are registered in the same way as those of other packages.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError, distribution, entry_points

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.provenance import DISTRIBUTIONS

GROUP = "rootfruit_checks"
_DISTRIBUTION = "rootfruit-checks"
_OWN_PACKAGE = __name__.partition(".")[0]
_loaded: set[tuple[str, str]] = set()


def load_built_in() -> None:
    """Import the modules that this package itself names.

    Raises:
        ConfigError: its installation names none.

    """
    # Not by way of all distributions, whose metadata take milliseconds to read in projects that gate nothing.
    try:
        found = distribution(_DISTRIBUTION).entry_points.select(group=GROUP)
    except PackageNotFoundError:
        found = EntryPoints()
    if not found:
        raise ConfigError("the installation of rootfruit-checks lacks its own benchmarks; reinstall it")
    for entry in found:
        entry.load()


def load() -> None:
    """Import every module that other packages name; importing registers.

    Raises:
        ConfigError: a module cannot be imported or registers something wrong; the message names its distribution.

    """
    for entry in _entries():
        if _is_own(entry) or (entry.name, entry.value) in _loaded:
            continue
        named = _distribution(entry)
        DISTRIBUTIONS[entry.value.partition(":")[0].partition(".")[0]] = named
        try:
            entry.load()
        except Exception as error:  # whatever somebody else's module raises
            kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
            raise ConfigError(
                f"package {named}: its entry point {entry.name} = {entry.value} cannot be loaded: "
                f"{kind}{error}; fix or uninstall it, or run without such packages: --rootfruit-extensions=off"
            ) from error
        _loaded.add((entry.name, entry.value))


def other_packages() -> list[str]:
    """Return the installed distributions, other than this one, that would register something."""
    return sorted({entry.dist.name for entry in _entries() if entry.dist is not None and not _is_own(entry)})


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _is_own(entry: EntryPoint) -> bool:
    return entry.value.partition(":")[0].partition(".")[0] == _OWN_PACKAGE


def _distribution(entry: EntryPoint) -> str:
    found = entry.dist
    return f"{found.name} {found.version}" if found is not None else entry.value
