"""The only functions that write our lines to standard output or standard error.

Lines contain names of files, models and benchmarks, and text from servers. None of it may move the cursor, start a new
line or be taken for a command by a CI runner, and a character that the terminal cannot show must not raise an error.
"""

from __future__ import annotations

import sys
from typing import IO

# Longer lines are cut; none of our own is that long.
_LONGEST = 20_000


def say(line: str, stream: IO[str] | None = None) -> None:
    """Write one line, escaped, to standard output or another stream."""
    from rootfruit_checks.base.text import plain

    out = stream or sys.stdout
    encoding = getattr(out, "encoding", None) or "utf-8"
    out.write(plain(line, _LONGEST).encode(encoding, "replace").decode(encoding) + "\n")
    out.flush()


def complain(line: str) -> None:
    """Write one line, escaped, to standard error."""
    say(line, sys.stderr)
