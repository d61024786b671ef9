"""Read files that may be damaged, endless, of another type or malicious.

Every reader opens regular files only (a FIFO would block, `/dev/zero` never ends), stops at a size limit, and raises
the caller's error class in one line that names the file and the place, as in
`result.json: $.checks[3].n: expected a whole number, got text`.

Schemas are msgspec structs. msgspec rather than pydantic, because it has no dependencies and a twentieth of the size,
is strict by default (`"5"` and `true` are not numbers), freezes its structs, and reports the place of an error
as a JSON path. It is imported when the first file is read: loading the plugin imports neither.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from rootfruit_checks.base.errors import RootfruitError
from rootfruit_checks.base.text import plain

if TYPE_CHECKING:
    import pyarrow as pa

Error = type[RootfruitError]
T = TypeVar("T")

MIB = 1 << 20
# Far above any real file of its type, and far below what would fill the memory.
RESULT_LIMIT = 64 * MIB
CONFIG_LIMIT = 16 * MIB
PAGE_LIMIT = 256 * MIB
SHEET_LIMIT = 64 * MIB
TABLE_LIMIT = 4096 * MIB
# Real files nest about ten levels deep. Recursive parsers and writers fail somewhere below 1,000.
_DEEPEST = 100
# Longer numbers are not measurements, counts or token ids; 10**400 fits no float.
_LONGEST_NUMBER = 64
# An unclosed string is matched up to the end: searching for its end again and again would take forever.
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def shown(path: str | Path) -> str:
    """Return a path for a message, as one line of limited length."""
    return plain(str(path), 300)


def is_directory(path: str | Path) -> bool:
    """Whether there is a directory. Unlike `Path.is_dir`, never raises, even for an over-long path."""
    return _mode(path, stat.S_ISDIR)


def is_file(path: str | Path) -> bool:
    """Whether there is a regular file."""
    return _mode(path, stat.S_ISREG)


def is_there(path: str | Path) -> bool:
    """Whether anything exists there, even a broken link."""
    try:
        os.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _mode(path: str | Path, of: Callable[[int], bool]) -> bool:
    try:
        return of(os.stat(path).st_mode)  # noqa: PTH116 - Path.stat refuses no less, and this takes text too
    except (OSError, ValueError):
        return False


def check_regular(path: str | Path, error: Error, name: str = "", *, missing_ok: bool = False) -> None:
    """Raise `error` if `path` is not a regular file or does not exist; opens nothing.

    With `missing_ok` it may not exist: checking first does not help with files that other processes create and remove.
    """
    where = name or shown(path)
    try:
        _regular(os.stat(path).st_mode, where, error)  # noqa: PTH116
    except (OSError, ValueError) as found:
        if missing_ok and isinstance(found, FileNotFoundError) and not os.path.islink(path):  # noqa: PTH114
            return
        raise error(f"{where}: {_why(found)}") from found


def _regular(mode: int, where: str, error: Error) -> None:
    if not stat.S_ISREG(mode):
        what = next((words for test, words in _KINDS if test(mode)), "is not a regular file")
        raise error(f"{where}: {what}, not a regular file")


def _why(found: OSError | ValueError) -> str:
    if isinstance(found, FileNotFoundError):
        return "no such file"
    return f"cannot be read ({plain(str(getattr(found, 'strerror', None) or found), 200)})"


def open_regular(path: str | Path, error: Error, name: str = "") -> int:
    """Return a descriptor of a regular file, opened for reading; it never blocks."""
    where = name or shown(path)
    check_regular(path, error, name)  # opening a device can trigger an action
    try:
        found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as told:
        raise error(f"{where}: {_why(told)}") from told
    try:
        _regular(os.fstat(found).st_mode, where, error)  # it may have been replaced in between
    except RootfruitError:
        os.close(found)
        raise
    return found


def read_bytes(path: str | Path, error: Error, *, limit: int = RESULT_LIMIT, name: str = "") -> bytes:
    """Return a file's bytes.

    Args:
        path: the file.
        error: class of the error to raise.
        limit: maximum size in bytes of a file of this type.
        name: the file's name in messages; its path by default.

    """
    where = name or shown(path)
    with os.fdopen(open_regular(path, error, name), "rb") as stream:
        try:
            raw = stream.read(limit + 1)
        except OSError as told:
            raise error(f"{where}: {_why(told)}") from told
    if len(raw) > limit:
        raise error(f"{where}: is larger than {limit // MIB} MiB; is this the right file?")
    return raw


def read_text(path: str | Path, error: Error, *, limit: int = RESULT_LIMIT, name: str = "") -> str:
    """Return a UTF-8 file's text with unchanged line endings."""
    return decode(read_bytes(path, error, limit=limit, name=name), name or shown(path), error)


def decode(raw: bytes, where: str, error: Error) -> str:
    """Return UTF-8 as text."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise error(f"{where}: is UTF-16; save it as UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as found:
        line = raw.count(b"\n", 0, found.start) + 1
        raise error(f"{where}:{line}: byte {found.start} is not UTF-8; save the file as UTF-8") from None
    return text


def read_json(
    path: str | Path, schema: Any, error: Error, *, limit: int = RESULT_LIMIT, name: str = "", infinite: bool = False
) -> Any:
    """Return a JSON file's plain value after checking it against a schema.

    Args:
        path: the file.
        schema: a msgspec struct, or another type that `msgspec.convert` accepts.
        error: class of the error to raise.
        limit: maximum size in bytes of a file of this type.
        name: the file's name in messages; its path by default.
        infinite: accept NaN and Infinity where the schema leaves the value open: some model configurations have them.

    """
    raw = read_bytes(path, error, limit=limit, name=name)
    value = parse_json(raw, name or shown(path), error, infinite=infinite)
    check(value, schema, name or shown(path), error)
    return value


def parse_json(raw: bytes | str, where: str, error: Error, *, infinite: bool = False) -> Any:
    """Return strict JSON as plain values: no duplicate keys, no extreme nesting or numbers, no NaN."""
    text = decode(raw, where, error) if isinstance(raw, bytes) else raw
    _check_depth(text, where, error)

    def refuse(what: str) -> NoReturn:
        raise error(f"{where}: {what}")

    try:
        return decoder(refuse, infinite=infinite).decode(text)
    except json.JSONDecodeError as found:
        raise error(f"{where}: line {found.lineno}: is not JSON ({found.msg}); is it damaged or truncated?") from None
    except RecursionError:
        raise error(f"{where}: is nested too deeply") from None


def decoder(refuse: Callable[[str], NoReturn], *, infinite: bool = False) -> json.JSONDecoder:
    """Return a decoder of strict JSON; it calls `refuse` with the reason to raise an error."""

    def constant(found: str) -> float:
        return float(found.replace("Infinity", "inf")) if infinite else refuse(f"has {found}, which is not valid JSON")

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= _LONGEST_NUMBER else refuse(f"has a number of {len(digits)} digits")

    def real(digits: str) -> float:
        value = float(digits)
        return value if abs(value) != float("inf") else refuse(f"has the number {digits[:40]}, which is too large")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            refuse(f"has the key {plain(repr(twice), 80)} twice in one object")
        return made

    return json.JSONDecoder(object_pairs_hook=unique, parse_constant=constant, parse_int=whole, parse_float=real)


def _check_depth(text: str, where: str, error: Error) -> None:
    if text.count("[") + text.count("{") <= _DEEPEST:
        return
    depth = 0
    for found in _NESTING.finditer(text):
        mark = found[0][0]
        if mark in "[{":
            depth += 1
            if depth > _DEEPEST:
                raise error(f"{where}: is nested more than {_DEEPEST} levels deep")
        elif mark != '"':
            depth -= 1


def check(value: Any, schema: Any, where: str, error: Error) -> None:
    """Raise `error`, naming the place, if a plain value does not match a schema."""
    from rootfruit_checks.base.schema_errors import mismatch

    if wrong := mismatch(value, schema):
        raise error(f"{where}: {wrong}")


def converted(value: Any, schema: type[T], where: str, error: Error) -> T:
    """Return a plain value converted to a type; raise `error`, naming the place, if it does not match."""
    import msgspec

    from rootfruit_checks.base.schema_errors import words

    try:
        return msgspec.convert(value, schema)
    except msgspec.ValidationError as wrong:
        raise error(f"{where}: {words(wrong)}") from None


def read_parquet(raw: bytes, where: str, error: Error) -> pa.Table:
    """Return the table in a Parquet file's bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(raw))
        table.validate(full=True)
    except Exception as found:
        # For damaged files Arrow raises its own error types and many of Python's.
        told = " ".join(str(found).split()) or type(found).__name__
        raise error(f"{where}: is damaged, or not a Parquet file ({plain(told, 200)})") from found
    return table
