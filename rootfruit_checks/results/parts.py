"""What the types of the result are made of: figures, shares, hashes, and objects whose keys are all listed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
From1 = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = float | None
Texts = dict[str, str]
# JSON of any kind.
Anything = Annotated[object, Meta(extra_json_schema={"description": "Depends on the measure."})]


class Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """An object whose keys are all listed."""


class Open(Struct, frozen=True):
    """An object that may have more keys."""


def told(description: str, **more: Any) -> Meta:
    """Return what the JSON Schema says of a field: its description, and keywords that msgspec has no name for."""
    return Meta(description=description, extra_json_schema=more or None)


def never_gated(gated: object) -> None:
    """Refuse a view that says that it gates."""
    if gated is not False:
        raise ValueError("'gated' is not false")
