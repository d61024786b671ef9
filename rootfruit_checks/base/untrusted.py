"""Reads files that may be anything: damaged, endless, of another kind, or made to do harm.

Every reader opens regular files only (a FIFO would block, `/dev/zero` never ends), stops at a size limit, and raises
the caller's error class in one line that names the file and the place, as in
`result.json: $.checks[3].n: expected a whole number, got text`.

Schemas are msgspec structs. msgspec rather than pydantic, because it has no dependencies and a twentieth of the size,
is strict unless told otherwise (`"5"` and `true` are no numbers), freezes its structs, and names the place of an error
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
# Far above any real file of its kind, and far below what would fill a memory.
RESULT_LIMIT = 64 * MIB
CONFIG_LIMIT = 16 * MIB
PAGE_LIMIT = 256 * MIB
SHEET_LIMIT = 64 * MIB
TABLE_LIMIT = 4096 * MIB
# Real files nest about ten levels deep. Recursive readers and writers fail somewhere below 1,000.
_DEEPEST = 100
# Longer numbers are no measurement, count or token id; 10**400 fits no float.
_LONGEST_NUMBER = 64
# A string that never closes is taken to the end: looking for its end again and again would take for ever.
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def shown(path: str | Path) -> str:
    """Return a path for a message: one line, not endless."""
    return plain(str(path), 300)


def is_directory(path: str | Path) -> bool:
    """Whether a directory is there. Unlike `Path.is_dir`, no path is an error: not an over-long one either."""
    return _mode(path, stat.S_ISDIR)


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there."""
    return _mode(path, stat.S_ISREG)


def is_there(path: str | Path) -> bool:
    """Whether anything is there, a broken link too."""
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
    """Raise `error` where something other than a regular file, or nothing, is at `path`; nothing is opened.

    With `missing_ok` nothing may be there: what other processes make and remove cannot be looked for first.
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
    check_regular(path, error, name)  # opening a device can act on it
    try:
        found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as told:
        raise error(f"{where}: {_why(told)}") from told
    try:
        _regular(os.fstat(found).st_mode, where, error)  # it may have been exchanged in between
    except RootfruitError:
        os.close(found)
        raise
    return found


def read_bytes(path: str | Path, error: Error, *, limit: int = RESULT_LIMIT, name: str = "") -> bytes:
    """Return a file's bytes.

    Args:
        path: the file.
        error: class of the error to raise.
        limit: most bytes that a file of this kind has.
        name: how messages name the file; its path by default.

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
    """Return a UTF-8 file's text, line ends as they are."""
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
    """Return a JSON file's plain value after it was held against a schema.

    Args:
        path: the file.
        schema: a msgspec struct, or another type that `msgspec.convert` takes.
        error: class of the error to raise.
        limit: most bytes that a file of this kind has.
        name: how messages name the file; its path by default.
        infinite: accept NaN and Infinity where the schema leaves the value open: some model configurations hold them.

    """
    raw = read_bytes(path, error, limit=limit, name=name)
    value = parse_json(raw, name or shown(path), error, infinite=infinite)
    check(value, schema, name or shown(path), error)
    return value


def parse_json(raw: bytes | str, where: str, error: Error, *, infinite: bool = False) -> Any:
    """Return strict JSON as plain values: no key twice, no endless nesting or number, no NaN."""
    text = decode(raw, where, error) if isinstance(raw, bytes) else raw
    _check_depth(text, where, error)

    def refuse(what: str) -> NoReturn:
        raise error(f"{where}: {what}")

    try:
        return decoder(refuse, infinite=infinite).decode(text)
    except json.JSONDecodeError as found:
        raise error(f"{where}: line {found.lineno}: is not JSON ({found.msg}); is it damaged or cut off?") from None
    except RecursionError:
        raise error(f"{where}: is nested too deep") from None


def decoder(refuse: Callable[[str], NoReturn], *, infinite: bool = False) -> json.JSONDecoder:
    """Return a decoder of strict JSON; `refuse` raises what is wrong with a value."""

    def constant(found: str) -> float:
        return float(found.replace("Infinity", "inf")) if infinite else refuse(f"holds {found}, which is no JSON")

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= _LONGEST_NUMBER else refuse(f"holds a number of {len(digits)} digits")

    def real(digits: str) -> float:
        value = float(digits)
        return value if abs(value) != float("inf") else refuse(f"holds the number {digits[:40]}, which is too large")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            refuse(f"holds the key {plain(repr(twice), 80)} twice in one object")
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
    """Raise `error`, naming the place, where a plain value does not follow a schema."""
    from rootfruit_checks.base.schema_errors import mismatch

    if wrong := mismatch(value, schema):
        raise error(f"{where}: {wrong}")


def converted(value: Any, schema: type[T], where: str, error: Error) -> T:
    """Return a plain value as the type that describes it; raise `error`, naming the place, where it does not fit."""
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
        # Damaged files make Arrow raise its own types and many of Python's.
        told = " ".join(str(found).split()) or type(found).__name__
        raise error(f"{where}: is damaged, or no Parquet file ({plain(told, 200)})") from found
    return table
