"""Reads the JSON result of a run, from a file of its own or out of a baseline: checked as a whole before it is used."""

from __future__ import annotations

from pathlib import Path

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.text import plain
from rootfruit_checks.results.json_result import SCHEMA
from rootfruit_checks.results.result import Result


def read_result(path: Path, error: untrusted.Error, name: str = "") -> Result:
    """Return the result in a JSON file.

    Args:
        path: the file.
        error: class of the error to raise where it holds no result of this version.
        name: how messages name the file; its path by default.

    """
    raw = untrusted.read_bytes(path, error, name=name)
    where = name or untrusted.shown(path)
    return typed_result(untrusted.parse_json(raw, where, error), where, error)


def typed_result(value: object, where: str, error: untrusted.Error) -> Result:
    """Return the result that plain values hold; raise `error` where they are not a result of this version."""
    found = value.get("schema") if isinstance(value, dict) else None
    if found is None:
        raise error(f"{where}: is not a result of a run; give the file that --rootfruit-json wrote")
    if found != SCHEMA:
        raise error(f"{where}: has version {plain(str(found), 40)}, but this package reads {SCHEMA}")
    return untrusted.converted(value, Result, where, error)
