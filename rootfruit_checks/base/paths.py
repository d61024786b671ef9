"""Paths from options and arguments: `~` is expanded once, and invalid paths are rejected.

A shell expands `~` neither after `--option=` nor in an ini or TOML file.
"""

from __future__ import annotations

import os
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.text import plain

# Linux's limit; systems with a lower one raise an error when a file is opened.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095


def expanded(where: str, path: str) -> str:
    """Return a path with a leading `~` or `~user` expanded.

    Raises:
        ConfigError: there is no such user, no home directory is known, or no file can have this name.

    """
    try:
        parts = [len(os.fsencode(part)) for part in path.split("/")]
    except UnicodeEncodeError:
        raise ConfigError(f"{where}: {plain(path, 60)} contains half a character; no file can have this name") from None
    if "\0" in path:
        raise ConfigError(f"{where}: {plain(path, 60)} contains a null byte; no file can have this name")
    if max(parts) > _LONGEST_NAME or sum(parts) + len(parts) - 1 > _LONGEST_PATH:
        raise ConfigError(f"{where}: {plain(path, 60)} is too long for a file name")
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
