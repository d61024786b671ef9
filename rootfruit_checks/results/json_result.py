"""The JSON that we write: plain values, which cross process borders, and files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.types import RunInfo, Verdict

SCHEMA = "rootfruit-result/1"


def as_json(value: Verdict | RunInfo) -> dict[str, object]:
    """Return a verdict or run as plain JSON values; NaN and infinities become null."""
    return as_plain(asdict(value))


def as_plain(value: Mapping[str, object]) -> dict[str, object]:
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
