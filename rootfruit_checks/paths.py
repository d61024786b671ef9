"""`~` in a path that a user wrote: expanded once, where options and arguments are read.

A shell expands it neither after `--option=` nor in an ini or TOML file.
"""

from __future__ import annotations

import os
from pathlib import Path

from rootfruit_checks.errors import ConfigError


def expanded(where: str, path: str) -> str:
    """Return a path with a leading `~` or `~user` as that home directory.

    Raises:
        ConfigError: there is no such user, or nothing says where home is.

    """
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)  # noqa: PTH111  Path.expanduser() drops a trailing slash, which may matter
    if found.startswith("~"):
        name = path.split("/")[0]
        raise ConfigError(
            f"{where}: {path}: there is no home directory for {name}; for a file of that name write ./{path}"
        )
    return found


def argument(text: str) -> Path:
    """Return a command's path argument, for argparse."""
    from argparse import ArgumentTypeError

    try:
        return Path(expanded("", text))
    except ConfigError as error:
        raise ArgumentTypeError(str(error).removeprefix(": ")) from None
