"""The lock on a store: one process computes; the others wait and report which process they wait for."""

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

# A wait this long is reported once, and again each time that it has lasted that much longer.
_FIRST_WORD_S = 5.0
_NEXT_WORD_S = 300.0


@contextmanager
def locked(path: Path, first_word_s: float = _FIRST_WORD_S) -> Iterator[None]:
    """Hold the lock at `path`; the system releases it when its holder dies.

    A file next to it names the holder, for processes that wait.
    """
    lock, holder = FileLock(path), path.with_name(path.name + ".holder")
    patience = first_word_s
    while True:
        try:
            lock.acquire(timeout=patience)
            break
        except Timeout:
            patience = _NEXT_WORD_S
            _say(f"rootfruit: {path.parent}: waiting for {_told(holder)}, which is computing there")
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be locked ({error.strerror or error}); remove it, or use another --rootfruit-store"
            ) from error
    try:
        _note(holder)
        yield
    finally:
        with suppress(OSError):  # only informative, see _note
            holder.unlink(missing_ok=True)
        lock.release()


def _note(holder: Path) -> None:
    # Only informative, for processes that wait: if it cannot be written, the work continues.
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
