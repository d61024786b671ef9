"""The types of a baseline's metadata."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """The facts that another run must share, the result, and a digest over both and the rows."""

    schema: str
    date: str
    facts: dict[str, dict[str, str]]
    noise: Annotated[float, Meta(ge=0)]
    result: dict[str, Any]
    digest: str


class ToKeep(Struct, frozen=True, forbid_unknown_fields=True):
    """The data from which any process can save a baseline of a run: see `baseline_file.py`."""

    tables: dict[str, str]
    facts: dict[str, dict[str, str]]
    noise: float
