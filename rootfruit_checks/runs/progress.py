"""Progress of long work: a bar in a terminal, an occasional line in a log."""

from __future__ import annotations

import sys
import time
from typing import IO, Any

from rootfruit_checks.base.console import say
from rootfruit_checks.engines.stored_units import Progress

_SECONDS_BETWEEN_LINES = 15.0


class Bar:
    """A tqdm bar."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._bar: Any = None

    def start(self, what: str, total: int) -> None:
        """Open a bar of `total` units."""
        from tqdm import tqdm

        from rootfruit_checks.base.text import plain

        self.finish()
        self._bar = tqdm(total=total, desc=plain(f"rootfruit {what}", 200), unit="unit", file=self._stream, leave=False)

    def step(self) -> None:
        """Advance by one."""
        if self._bar is not None:
            self._bar.update(1)

    def finish(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """Plain lines, at most one every 15 seconds and one at the end of a long stage."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._what, self._total, self._done = "", 0, 0
        self._started = self._said = time.monotonic()

    def start(self, what: str, total: int) -> None:
        """Start counting; a short stage prints nothing."""
        self._what, self._total, self._done = what, total, 0
        self._started = self._said = time.monotonic()

    def step(self) -> None:
        """Count one unit; print a line if it is time. Look-ups before a stage starts are not counted."""
        if not self._total:
            return
        self._done += 1
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            self._say()

    def finish(self) -> None:
        """Print the end of a long stage."""
        if self._total and time.monotonic() - self._started >= _SECONDS_BETWEEN_LINES:
            self._say()
        self._total = 0

    def _say(self) -> None:
        seconds = time.monotonic() - self._started
        say(f"rootfruit {self._what}: {self._done}/{self._total} units, {seconds:.0f} s", self._stream)


def progress(stream: IO[str] | None = None) -> Progress:
    """Return a bar for a terminal, lines for anything else."""
    out = stream or sys.__stderr__ or sys.stderr
    return Bar(out) if out.isatty() else Lines(out)
