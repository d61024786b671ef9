"""Output files: paths are checked before any work starts, and earlier results are removed.

Only our own results are removed. Any other file at the path stays until the new result replaces it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.text import plain
from rootfruit_checks.config.settings import Settings

# Options that name a file to write, by their settings.
_WRITTEN = {
    "json": "--rootfruit-json",
    "report": "--rootfruit-report",
    "save_baseline": "--rootfruit-save-baseline",
    "plan_json": "--rootfruit-plan-json",
}
_READ = {"baseline": "--rootfruit-baseline", "plan_from": "--rootfruit-plan-from"}
# Files of a store that no result may replace.
_OF_STORES = ("units.sqlite", "lock", "tables")
# Our results, pages and plans say so near the beginning; whatever claims a release also counts as a result.
_MARKS = (b'"rootfruit-result/', b'"rootfruit-plan/', b'"rootfruit-audit/', b'<code id="digest">')
_RELEASE = re.compile(rb'"released"\s*:\s*(?:true|false)\b')


Named = Mapping[str, str | Path | None]


def check(settings: Settings, others: Named | None = None, inputs: Named | None = None) -> None:
    """Raise ConfigError if a file that the settings name cannot be written, or would overwrite another one.

    Args:
        settings: of the session.
        others: option -> file that pytest or another plugin writes in this session, such as JUnit XML.
        inputs: reader -> file that the session reads in addition to those in the settings.

    """
    named = {flag: getattr(settings, key) for key, flag in _WRITTEN.items()}
    for flag, path in named.items():
        if path:
            writable(path, f"option {flag}")
    apart({**named, **(others or {})})
    read = {**{flag: getattr(settings, key) for key, flag in _READ.items()}, **(inputs or {})}
    for flag, path in named.items():
        if path:
            _spare(flag, path, read)
            _spare_folders(flag, path, settings)


def writable(path: str | Path, where: str) -> None:
    """Raise ConfigError if `path` cannot be written, before hours of work."""
    shown = plain(str(path), 120)
    try:
        mode = _mode(path)
        target = Path(os.path.realpath(path))
        folder = next((parent for parent in target.parents if os.path.lexists(parent)), target)
        # A name further down a folder that does not exist yet may be too long.
        longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") and folder.is_dir() else 255
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{where}: {shown} cannot be written ({reason}); name another file") from None
    if mode is not None and stat.S_ISDIR(mode):
        raise ConfigError(f"{where}: {shown} is a directory and cannot be written; name a file")
    if mode is not None and (stat.S_ISBLK(mode) or stat.S_ISSOCK(mode)):
        kind = "a disk" if stat.S_ISBLK(mode) else "a socket"
        raise ConfigError(f"{where}: {shown} is {kind}; name a file")
    if any(len(os.fsencode(part)) > longest for part in target.parts):
        raise ConfigError(f"{where}: {shown} cannot be written (a name in it is too long); name another file")
    if mode is not None and not stat.S_ISREG(mode):
        if not os.access(path, os.W_OK):
            raise ConfigError(f"{where}: {shown} cannot be written (permission denied); name a file")
    elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        told = plain(str(folder), 120)
        raise ConfigError(f"{where}: {shown} cannot be written ({told} is not a writable directory)")


def _mode(path: str | Path) -> int | None:
    """Return the mode of what is there, through links; None where there is nothing yet."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  a Path would hide what is wrong with the text
    except (FileNotFoundError, NotADirectoryError):
        return None


def apart(named: Named) -> None:
    """Raise ConfigError where two options name one file, or one a file inside what another makes a file of."""
    seen: dict[Path, str] = {}
    for flag, path in named.items():
        if not path or str(path) == os.devnull:
            continue
        real = Path(os.path.realpath(path))
        for other, before in seen.items():
            if real == other or _same(real, other):
                raise ConfigError(f"options {before} and {flag} name one file, {plain(str(path), 120)}; use two files")
            if real.is_relative_to(other) or other.is_relative_to(real):
                raise ConfigError(
                    f"options {before} and {flag}: {plain(str(min(real, other)), 120)} cannot be a file and a "
                    "directory; name two files"
                )
        seen[real] = flag


def distinct(out: Path, sources: Sequence[Path], what: str) -> None:
    """Raise ConfigError if a command's output cannot be written, or is one of its inputs."""
    writable(out, what)
    for source in sources:
        if _same(out, source):
            raise ConfigError(f"{what}: {out} is also an input; name another file")


def _same(one: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to the same existing regular file."""
    try:
        return Path(one).is_file() and os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False


def _spare(flag: str, path: str, read: Named) -> None:
    """Refuse to write over a file that the session reads."""
    for reader, file in read.items():
        if file and _same(path, file):
            raise ConfigError(f"option {flag}: {plain(path, 120)} is also read by {reader}; name another file")


def _spare_folders(flag: str, path: str, settings: Settings) -> None:
    """Refuse to write over a file of a model, of data or of the store."""
    real = Path(os.path.realpath(path))
    for name in _OF_STORES:
        held = Path(os.path.realpath(Path(settings.store) / name))
        if real == held or held in real.parents:
            raise ConfigError(f"option {flag}: {plain(path, 120)} is a part of the store; name another file")
    regard = settings.regard.removeprefix("local:")
    for folder in (settings.model, settings.reference, settings.data, regard):
        inside = folder and Path(folder).is_dir() and real.is_relative_to(os.path.realpath(folder))
        if inside and real.is_file() and real.stat().st_size and not is_ours(real):
            raise ConfigError(
                f"option {flag}: {plain(path, 120)} is a file of {plain(str(folder), 120)}, which this run reads; "
                "name another file"
            )


def is_ours(path: str | Path) -> bool:
    """Whether a regular file is one of our results, pages or plans, or could be mistaken for one."""
    try:
        mode = _mode(path)
        if mode is None or not stat.S_ISREG(mode):
            return False
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read(1 << 26)
    except (OSError, ValueError):
        return False
    opened = content.lstrip()[:1] == b"{"
    return any(mark in content for mark in _MARKS[: 3 if opened else 4]) or (opened and bool(_RELEASE.search(content)))


def forget(path: str | Path) -> bool:
    """Remove an earlier result at `path`; returns whether there was one.

    A link stays, but the file that it points to is removed. Files that are not our results are left alone, and so are
    devices and pipes.

    Raises:
        ConfigError: it can be neither removed nor emptied, and would be mistaken for this run's.

    """
    if not is_ours(path):
        return False
    target = Path(os.path.realpath(path))
    try:
        target.unlink()
    except OSError:
        # A file that is mounted by itself cannot be unlinked, but it can be emptied.
        try:
            os.truncate(target, 0)
        except OSError as error:
            raise ConfigError(
                f"{plain(str(path), 120)}: an earlier result cannot be removed ({error.strerror or error}), and "
                "would be mistaken for this run's; remove it, or name another file"
            ) from None
    return True
