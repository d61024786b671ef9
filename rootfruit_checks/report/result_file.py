"""Writing a result at the end of a run (store, audit page, JSON file), and reading it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import RootfruitError, StoreError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.text import plain
from rootfruit_checks.catalog.entry_points import load
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.results.json_result import write_text
from rootfruit_checks.results.reading import read_result
from rootfruit_checks.results.result import Result, to_json, with_page, without_page

# The latest result, in the store that it was made from.
RESULT = "result.json"


def deliver(settings: Settings, value: Result) -> tuple[str, list[str]]:
    """Write a result wherever the settings want it; returns the page's digest, or "", and what could not be written.

    The JSON file records the digest, so that the page can be verified against it. The store's copy is the result
    alone, so that a page made from it is the same.
    """
    lost: list[str] = []
    found = ""
    if not settings.shard and value.run.settings and Path(settings.store).is_dir():
        _try(lost, settings.store, lambda: write(Path(settings.store) / RESULT, value))
    if settings.report and not settings.shard:
        target = settings.report
        pages: list[str] = []
        _try(lost, target, lambda: pages.append(write_page(target, value, settings.redact)))
        found = pages[0] if pages else ""
    if settings.json:
        name = settings.json
        told = with_page(value, found) if found else value
        _try(lost, name, lambda: write(name, told))
    return found, lost


def _try(lost: list[str], target: str, act: Callable[[], None]) -> None:
    try:
        act()
    except (OSError, RootfruitError) as error:
        lost.append(f"{target}: cannot be written ({error})")


def write(path: str | Path, value: Result) -> None:
    """Write a result as JSON, atomically."""
    write_text(path, to_json(value))


def write_page(path: str | Path, value: Result, redact: str = "none") -> str:
    """Write the audit page atomically, with the current time, and return its digest."""
    from rootfruit_checks.report.audit_page import digest, page

    html = page(value, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), redact)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, html)
    return digest(html)


def read(path: Path) -> Result:
    """Return the result in a JSON file, or the latest one of a store.

    Raises:
        StoreError: there is none, it is damaged, it is of a shard, or a measure in it is not installed here.

    """
    if not untrusted.is_there(path):
        raise StoreError(
            f"{untrusted.shown(path)}: no such file or directory; name a result (JSON) or a store directory"
        )
    stored = untrusted.is_directory(path)
    file = path / RESULT if stored else path
    if stored and not untrusted.is_there(file):
        where = untrusted.shown(path)
        raise StoreError(f"{where}: holds no {RESULT}; run a gate with --rootfruit-store={where} first")
    value = read_result(file, StoreError)
    where = untrusted.shown(file)
    if value.shard:
        raise StoreError(f"{where}: is the result of a shard, which has no verdicts; join the shards: rootfruit merge")
    _check_measures(value, where)
    return without_page(value)


def _check_measures(value: Result, where: str) -> None:
    """Raise if a measure of the result is not registered here: its title and unit are unknown."""

    def unknown() -> list[str]:
        return [row.measure for row in value.checks if row.measure not in MEASURES]

    if unknown():
        load()
    if lacking := unknown():
        raise StoreError(
            f"{where}: the measure {plain(lacking[0], 80)} is not known here; install the package that registers it"
        )
