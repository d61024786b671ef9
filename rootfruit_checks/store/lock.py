"""The lock on a store: one process computes, the others wait and say for whom."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.console import say
from rootfruit_checks.base.errors import StoreError

# A wait this long is said once, and again each time that it has lasted that much longer.
_FIRST_WORD_S = 5.0
_NEXT_WORD_S = 300.0


@contextmanager
def locked(path: Path, first_word_s: float = _FIRST_WORD_S) -> Iterator[None]:
    """Hold the lock at `path`; the system frees it when its holder dies.

    Who holds it stands in a file beside it, for those who wait.
    """
    lock, holder = FileLock(path), path.with_name(path.name + ".holder")
    patience = first_word_s
    while True:
        try:
            lock.acquire(timeout=patience)
            break
        except Timeout:
            patience = _NEXT_WORD_S
            _say(f"rootfruit: {path.parent}: waiting for {_told(holder)}, which computes there")
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be locked ({error.strerror or error}); remove it, or use another --rootfruit-store"
            ) from error
    try:
        _note(holder)
        yield
    finally:
        with suppress(OSError):  # a courtesy, see _note
            holder.unlink(missing_ok=True)
        lock.release()


def _note(holder: Path) -> None:
    # A courtesy to those who wait: where it cannot be written, the work goes on.
    try:
        untrusted.check_regular(holder, StoreError, missing_ok=True)  # a FIFO would block
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except (OSError, StoreError) as error:
        _say(f"rootfruit: {holder}: cannot be written ({error})")


def _told(holder: Path) -> str:
    from rootfruit_checks.base.text import plain

    try:
        return plain(untrusted.read_text(holder, StoreError, limit=untrusted.MIB), 200) or "another process"
    except StoreError:
        return "another process"


def _say(line: str) -> None:
    say(line, sys.__stderr__ or sys.stderr)
