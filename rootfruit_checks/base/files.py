"""Write a file so that a reader sees either the old content or the new one, never a part of it.

Paths come from the user: links are followed, and anything but a regular file (a device, a pipe) is written to, never
replaced. Temporary files have names that nobody can guess in advance.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Seconds to wait for a reader of a pipe, or for a reader that has stopped reading.
PIPE_PATIENCE_S = 10.0
# The targets of /dev/stdout, /dev/fd/1 and /proc/self/fd/1.
_OWN_STREAM = re.compile(r"/(?:dev|proc/self|proc/thread-self)/fd/(\d+)")
_LINKS = 40


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Write a whole file; text is written as UTF-8.

    A regular file is replaced in one step and keeps its mode, and a link to it stays a link. A device, a FIFO or an
    open stream (`/dev/stdout`) is written to.

    Raises:
        OSError: it cannot be written, or nobody reads the FIFO. The old content is unchanged; no other file is left.

    """
    content = data.encode() if isinstance(data, str) else data
    descriptor = _own_stream(path)
    if descriptor is not None:
        _flush_ours()
        _write_to(os.dup(descriptor), content)
    elif not _is_replaceable(path):
        _write_to(_open_special(path), content)
    else:
        with replacing(path) as out:
            out.write(content)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a stream to a new file, which replaces `path` at the end unless the block raises.

    Raises:
        OSError: it cannot be created, written or moved into place. The old content is unchanged, no other file is left.

    """
    target = Path(os.path.realpath(path))
    # No link can be planted under this name: it is new, and O_EXCL and O_NOFOLLOW refuse to open anything that exists.
    temporary = target.with_name(f".rootfruit-{secrets.token_hex(8)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as out:
            _take_over_mode(target, out.fileno())
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _take_over_mode(target: Path, descriptor: int) -> None:
    """Give the new file the old one's owner and mode, as far as this user is allowed to."""
    with suppress(OSError):
        old = target.stat()
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _own_stream(path: str | Path) -> int | None:
    """Return the descriptor of this process that a path points to, directly or through links."""
    here = os.path.abspath(path)  # noqa: PTH100  Path.absolute() keeps `..`
    for _ in range(_LINKS):
        if found := _OWN_STREAM.fullmatch(here):
            return int(found[1])
        try:
            here = os.path.normpath(os.path.join(os.path.dirname(here), os.readlink(here)))  # noqa: PTH115, PTH118, PTH120
        except OSError:
            return None
    return None


def _is_replaceable(path: str | Path) -> bool:
    """Whether there is a regular file or nothing; raises for a directory."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return stat.S_ISREG(mode)


def _open_special(path: str | Path) -> int:
    """Open a device or FIFO, waiting at most `PIPE_PATIENCE_S` for a reader."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | getattr(os, "O_CLOEXEC", 0)
    end = time.monotonic() + PIPE_PATIENCE_S
    while True:
        try:
            return os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, "nobody reads this FIFO", str(path)) from None
            time.sleep(0.02)


def _write_to(descriptor: int, content: bytes) -> None:
    """Write all the content to an open descriptor, and close it."""
    try:
        rest = memoryview(content)
        while rest:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            if not poll.poll(PIPE_PATIENCE_S * 1000):
                raise OSError(errno.ETIMEDOUT, "the process at the other end stopped reading")
            # A pipe with any free space accepts this much without blocking.
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
    finally:
        os.close(descriptor)


def _flush_ours() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
