"""The types of a shard run's manifest in a store."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
From1 = Annotated[int, Meta(ge=1)]
Value = str | int | float | bool | None


class NotedShare(Struct, frozen=True, forbid_unknown_fields=True):
    """One share: by stage the units of the share, of the stage, and of the share that are done."""

    complete: bool
    stages: dict[str, tuple[Count, Count, Count]]


class Noted(Struct, frozen=True, forbid_unknown_fields=True):
    """A shard run."""

    schema: int
    count: From1
    facts: dict[str, str]
    prints: dict[str, str]
    engines: dict[str, str]
    options: dict[str, Value | list[Value] | dict[str, float]]
    shares: dict[Annotated[str, Meta(pattern="^[1-9][0-9]{0,3}$")], NotedShare]

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if beyond := [index for index in self.shares if int(index) > self.count]:
            raise ValueError(f"has share {beyond[0]} of {self.count}")
