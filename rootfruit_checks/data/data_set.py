"""The samples of one benchmark, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from rootfruit_checks.base.types import Pair, Prompt


@dataclass(frozen=True, slots=True)
class DataSet:
    """The samples of one benchmark, and whose they are.

    `sha256` is that of the data files; `notes` say what a reader of the result must know (what was sampled, what could
    not be parsed). Of `pairs` and `prompts` one is empty, never both.
    """

    name: str
    statement: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    prompts: tuple[Prompt, ...] = ()
