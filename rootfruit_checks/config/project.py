"""The project that a run belongs to: its `[tool.rootfruit]`, and paths that are relative to its root.

It depends on pytest only in two ways: which files are its configuration, and where it looks for them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.untrusted import CONFIG_LIMIT, is_file, is_there, read_bytes

# File name -> what the file must contain to be pytest's configuration (or ours).
_CONFIGURATION: Mapping[str, tuple[bytes, ...]] = {
    "pytest.toml": (b"",),
    ".pytest.toml": (b"",),
    "pytest.ini": (b"",),
    ".pytest.ini": (b"",),
    "pyproject.toml": (b"[tool.pytest", b"rootfruit"),
    "tox.ini": (b"[pytest]",),
    "setup.cfg": (b"[tool:pytest]",),
}
# Options that name a file, whether it exists or not.
_FILES = ("json", "report", "baseline", "save_baseline", "plan_from", "plan_json")


def table(root: Path) -> dict[str, object]:
    """Return `[tool.rootfruit]` of `root/pyproject.toml`; empty where there is none.

    Raises:
        ConfigError: the file is not TOML, or the entry is not a table.

    """
    file = root / "pyproject.toml"
    raw = read_bytes(file, ConfigError, limit=CONFIG_LIMIT) if is_there(file) else b""
    if b"rootfruit" not in raw:  # parsing TOML takes milliseconds; skip it in projects that do not use us
        return {}
    try:
        tool = tomllib.loads(raw.decode()).get("tool", {})
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is not TOML ({error})") from error
    found = tool.get("rootfruit", {}) if isinstance(tool, dict) else {}
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: [tool.rootfruit] is not a table")
    return found


def anchored(values: Mapping[str, object], root: Path, here: Path) -> dict[str, object]:
    """Return configured values; relative paths resolve from the project root, and are returned relative to `here`.

    A value that may be a name or a path (a Hub id, `starter`) counts as a path only if it exists.
    """
    found = dict(values)
    for key in found.keys() & {"model", "reference", "data", "store", *_FILES}:
        value = found[key]
        if not isinstance(value, str) or not value.strip() or root == here or value.strip().startswith("~"):
            continue
        path = root / value.strip()
        if key in {"store", *_FILES} or _is_there(path):
            found[key] = os.path.relpath(path, here)
    return found


def misled(arguments: Sequence[str], flags: Iterable[str], targets: Iterable[str], root: Path, here: Path) -> None:
    """Raise ConfigError if an option's path, given after a space, made pytest read its configuration elsewhere.

    pytest looks for its configuration before plugins declare that `--model` takes a value. In `--model /else/where` it
    treats the path as one of tests, so the limits of the project at hand would silently not apply.

    Args:
        arguments: the command line.
        flags: our options that take a value.
        targets: files and directories of tests, as pytest understood them.
        root: the root directory that pytest chose.
        here: the working directory.

    """
    if any(argument.split("=")[0] in {"-c", "--config-file", "--rootdir"} for argument in arguments):
        return
    known = set(flags)
    spaced = [(flag, value) for flag, value in pairwise(arguments) if flag in known and _is_there(here / value)]
    if not spaced:
        return
    starts = [here / target.split("::")[0] for target in targets]
    homes = [home for start in starts or [here] if start.exists() and (home := _home(start.resolve()))]
    if homes and root.resolve() not in homes:
        flag, value = spaced[0]
        raise ConfigError(
            f"option {flag}: write {flag}={value}; after a space, pytest took the path for a test path, "
            f"made {root} its root directory, and did not read the configuration in {homes[0]}"
        )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no file can have this name; parsing the option reports it
        return False


def _home(start: Path) -> Path | None:
    """Return the nearest directory from `start` upward with pytest's or our configuration."""
    for folder in (start, *start.parents):
        for name, marks in _CONFIGURATION.items():
            file = folder / name
            if is_file(file) and any(mark in read_bytes(file, ConfigError) for mark in marks):
                return folder
    return None
