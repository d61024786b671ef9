"""What the metadata of a baseline hold, beside its rows."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """What must agree before another run is compared with it, its result, and the digest of all that."""

    schema: str
    date: str
    facts: dict[str, dict[str, str]]
    noise: Annotated[float, Meta(ge=0)]
    result: dict[str, Any]
    digest: str


class ToKeep(Struct, frozen=True, forbid_unknown_fields=True):
    """What any process makes a baseline of a run from: see `baseline_file.py`."""

    tables: dict[str, str]
    facts: dict[str, dict[str, str]]
    noise: float
