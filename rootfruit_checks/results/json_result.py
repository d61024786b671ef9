"""The JSON that we write: plain values, which cross process borders, and files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.types import RunInfo, Verdict

SCHEMA = "rootfruit-result/1"
Row = Mapping[str, Any]


def as_json(value: Verdict | RunInfo) -> dict[str, Any]:
    """Return a verdict or run as plain JSON values; NaN and infinities become null."""
    return as_plain(asdict(value))


def as_plain(value: Mapping[str, object]) -> dict[str, Any]:
    """Return a mapping of anything as plain JSON values; NaN and infinities become null."""
    return {str(key): _clean(item) for key, item in value.items()}


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int)) or value is None:
        return value
    if hasattr(value, "item"):
        return _clean(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def result(rows: Iterable[Row], run: Row | None, *, declared: Sequence[str], blocked: bool) -> dict[str, Any]:
    """Return the JSON result: `rootfruit-result/1`, documented in docs/reference/json.md.

    Args:
        rows: verdicts as mappings, in any order.
        run: the RunInfo as a mapping; None where nothing was run.
        declared: ids of the gated checks that the settings declare; all must be there for `complete`.
        blocked: whether any gated check blocks the release.

    """
    checks = sorted(rows, key=lambda row: (not row["gated"], row["id"]))
    there = {row["id"] for row in checks if row["gated"] and row["verdict"] != "error"}
    missing = [check for check in declared if check not in there]
    return {
        "schema": SCHEMA,
        "run": run,
        "checks": [dict(row) for row in checks],
        "complete": not missing,
        "missing": missing,
        "released": bool(declared) and not missing and not blocked,
    }


def as_text(value: object) -> str:
    """Return plain values as JSON text, keys in the order they have, ASCII."""
    return json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def write(path: str | Path, value: object) -> None:
    """Write plain values as a JSON file, whole or not at all."""
    write_text(path, as_text(value))


def write_text(path: str | Path, text: str) -> None:
    """Write JSON text, whole or not at all, and make its directory."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
