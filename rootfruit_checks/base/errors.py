"""The hierarchy of all errors that rootfruit raises on purpose.

A message says what was wrong, where (file and line, or the option), and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class RootfruitError(Exception):
    """Base of all errors raised on purpose: the instrument or its input is at fault. Never a verdict on a model."""

    def __str__(self) -> str:
        # Messages quote files, servers and other packages, and pytest prints them unchanged.
        from rootfruit_checks.base.text import plain

        return plain(super().__str__(), 4000)


class ConfigError(RootfruitError):
    """An option, ini key or combination of them is wrong."""


class DataError(RootfruitError):
    """A data file is missing, damaged or of the wrong kind."""

    @classmethod
    def at(cls, path: str | Path, line: int, what: str) -> DataError:
        """Build an error that names the file and the line (1-based, the header is line 1)."""
        return cls(f"{path}:{line}: {what}")


class EngineError(RootfruitError):
    """A model, tokenizer or engine cannot do what was asked."""


class StoreError(RootfruitError):
    """The result store is damaged, has another version, or belongs to another run."""


class BaselineError(RootfruitError):
    """A stored earlier result cannot be compared with this run."""
