"""Every error that rootfruit raises on purpose, in one hierarchy.

A message says what was wrong, where (file and line, or the option), and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class RootfruitError(Exception):
    """Base of all errors raised on purpose. Never a verdict on a model: the instrument or its input is at fault."""

    def __str__(self) -> str:
        # Messages quote files, servers and other packages, and pytest prints them as they are.
        from rootfruit_checks.base.text import plain

        return plain(super().__str__(), 4000)


class ConfigError(RootfruitError):
    """An option, ini key or combination of them is wrong."""


class DataError(RootfruitError):
    """A data file is missing, damaged or not what it claims to be."""

    @classmethod
    def at(cls, path: str | Path, line: int, what: str) -> DataError:
        """Build an error that names the file and the line (1-based, the header is line 1)."""
        return cls(f"{path}:{line}: {what}")


class EngineError(RootfruitError):
    """A model, tokenizer or engine cannot do what was asked."""


class StoreError(RootfruitError):
    """The result store is damaged, of another version, or holds another run."""


class BaselineError(RootfruitError):
    """A stored earlier result cannot be compared with this run."""
