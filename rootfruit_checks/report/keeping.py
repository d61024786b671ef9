"""Where a result goes at the end of a run: store, audit page, JSON file; and the page made again from a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import RootfruitError, StoreError
from rootfruit_checks.report.summary import write
from rootfruit_checks.settings import Settings

# The latest result, beside what it was made from.
RESULT = "result.json"


def deliver(settings: Settings, value: dict[str, Any]) -> tuple[str, list[str]]:
    """Write a result wherever the settings want it; returns the page's digest, or "", and what could not be written.

    The digest goes into the JSON file, as the outside word that the page is held against. The store's copy is the
    result alone, so that a page made from it is the same.
    """
    lost: list[str] = []
    found = ""
    if not settings.shard and value["run"]["settings"] and Path(settings.store).is_dir():
        _try(lost, settings.store, lambda: write(Path(settings.store) / RESULT, value))
    if settings.report and not settings.shard:
        target = settings.report
        pages: list[str] = []
        _try(lost, target, lambda: pages.append(write_page(target, value, settings.redact)))
        found = pages[0] if pages else ""
    if settings.json:
        name = settings.json
        told = value | {"report": {"sha256": found}} if found else value
        _try(lost, name, lambda: write(name, told))
    return found, lost


def _try(lost: list[str], target: str, act: Callable[[], None]) -> None:
    try:
        act()
    except (OSError, RootfruitError) as error:
        lost.append(f"{target}: cannot be written ({error})")


def write_page(path: str | Path, value: Mapping[str, Any], redact: str = "none") -> str:
    """Write the audit page atomically, with the present time stamp, and return its digest."""
    from rootfruit_checks.report.audit import digest, page

    html = page(value, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), redact)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.write_text(html, encoding="utf-8")
    partial.replace(target)
    return digest(html)


def read(path: Path) -> dict[str, Any]:
    """Return the result in a JSON file, or the latest one of a store.

    Raises:
        StoreError: there is none, or it is damaged.

    """
    file = path / RESULT if path.is_dir() else path
    try:
        value = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        if not path.exists():
            raise StoreError(f"{path}: does not exist; name a result (JSON) or a store directory") from error
        raise StoreError(f"{path}: holds no {file.name}; run a gate with --rootfruit-store={path} first") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{file}: is no readable result ({error})") from error
    if not isinstance(value, dict) or "checks" not in value:
        raise StoreError(f"{file}: is no result of rootfruit")
    value.pop("report", None)
    return value
