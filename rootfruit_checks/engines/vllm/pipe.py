"""Messages on a pipe: a marker, the length, then JSON. Output of libraries in between is detected, not misread."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

_HEAD = struct.Struct(">4sQ")
_MARK = b"RF1\n"


def write(stream: IO[bytes], message: Any) -> None:
    """Write one message and flush."""
    value = json.dumps(message, separators=(",", ":")).encode()
    stream.write(_HEAD.pack(_MARK, len(value)) + value)
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """Return the next message.

    Raises:
        EOFError: the stream ended, before a message or within it.
        ValueError: the bytes are not a message.

    """
    mark, length = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if mark != _MARK:
        raise ValueError(f"{mark!r} where a message should begin")
    return json.loads(_exactly(stream, length))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError("the stream ended")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
