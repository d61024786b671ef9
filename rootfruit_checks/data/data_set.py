"""The samples of one benchmark and their source."""

from __future__ import annotations

from dataclasses import dataclass

from rootfruit_checks.base.types import Pair, Prompt


@dataclass(frozen=True, slots=True)
class DataSet:
    """The samples of one benchmark and their source.

    `sha256` is the hash of the data files; `notes` tell readers of the result what was sampled and what could not be
    parsed. Exactly one of `pairs` and `prompts` is empty.
    """

    name: str
    statement: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    prompts: tuple[Prompt, ...] = ()
