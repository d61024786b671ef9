"""Strict, streaming readers: every row is whole and readable, or the file and line are named. Nothing is dropped.

Memory does not grow with the file: lines and fields have a longest length, far above any real prompt, so that a file
that is no text, or a quote that never closes, is an error and not a full memory.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.identity_groups import groups

Row = tuple[int, dict[str, str]]

_LONGEST_LINE = 1 << 20  # bytes
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|<[A-Za-z_][^<>]*>")


def _lines(path: Path) -> Iterator[str]:
    number = 0
    try:
        with os.fdopen(untrusted.open_regular(path, DataError), "rb") as stream:
            while raw := stream.readline(_LONGEST_LINE + 1):
                number += 1
                yield _line(path, number, raw)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the file and its rights") from error
    if not number:
        raise DataError(f"{path}: is empty; fetch or write it again")


def _line(path: Path, number: int, raw: bytes) -> str:
    if len(raw) > _LONGEST_LINE:
        raise DataError.at(path, number, f"is longer than {_LONGEST_LINE} bytes; is this a text file?")
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError.at(path, number, f"byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if "\0" in line:
        raise DataError.at(path, number, "holds a NUL character; the file is damaged, fetch or write it again")
    return line


def read_csv(path: str | Path, header: Sequence[str]) -> Iterator[Row]:
    """Yield (line, row) of a CSV file whose header is exactly `header`; a row over several lines counts by its first.

    A byte order mark and CRLF line ends are tolerated.

    Raises:
        DataError: no such file, an empty file or no rows, another header, a ragged row, a quote that never closes,
            a byte that is not UTF-8, a NUL.

    """
    source = Path(path)
    reader = csv.reader(_lines(source), strict=True)
    line, rows = 1, 0
    try:
        found = next(reader, [])
        if found != list(header):
            told = f"header is {','.join(found)!r}, expected {','.join(header)!r}"
            raise DataError.at(source, 1, f"{told}; is this the right file?")
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) != len(header):
                told = f"{len(cells)} cells where the header has {len(header)}"
                raise DataError.at(source, line, f"{told}; fix or remove it")
            rows += 1
            yield line, dict(zip(header, cells, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError.at(
            source, line, f"the row that begins here is not CSV ({error}); look for a stray quote"
        ) from None
    if not rows:
        raise DataError(f"{source}: has a header and no rows")


def read_jsonl(path: str | Path, keys: Sequence[str]) -> Iterator[Row]:
    """Yield (line, row) of a JSON-lines file whose objects have at least `keys`; values are given as CSV would.

    A whole number is given without a fraction (`0.0` as `0`), because table tools turn integer columns into floats.

    Raises:
        DataError: as `read_csv`; a line that is not a JSON object; a key that is missing, null, a list or an object.

    """
    source = Path(path)
    rows = number = 0

    def refuse(what: str) -> NoReturn:
        raise DataError.at(source, number, what)

    decode = untrusted.decoder(refuse).decode
    for number, line in enumerate(_lines(source), start=1):
        try:
            value = decode(line)
        except (ValueError, RecursionError) as error:
            raise DataError.at(source, number, f"is not JSON ({error}); one object a line is expected") from None
        if not isinstance(value, dict):
            raise DataError.at(source, number, "is not a JSON object")
        missing = [key for key in keys if key not in value]
        if missing:
            raise DataError.at(source, number, f"lacks {', '.join(missing)}; is this the right file?")
        rows += 1
        yield number, {key: _plain(source, number, key, value[key]) for key in keys}
    if not rows:
        raise DataError(f"{source}: has no rows")


def _plain(source: Path, number: int, key: str, value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str | int | float):
        raise DataError.at(source, number, f"{key} is {json.dumps(value)[:40]}, expected a string or a number")
    text = str(value)
    # JSON can contain what UTF-8 cannot encode: half of a surrogate pair.
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise DataError.at(source, number, f"{key} holds half of a character (a lone surrogate); the file is damaged")
    if "\0" in text:
        raise DataError.at(source, number, f"{key} holds a NUL character; the file is damaged")
    return text


def filled(path: str | Path, line: int, text: str) -> str:
    """Return `text`, or raise where it is blank or a placeholder (`{...}`, `[...]`, `<...>`) was left unfilled."""
    if not text.strip():
        raise DataError.at(path, line, "the text is blank; fix or remove the row")
    if found := _PLACEHOLDER.search(text):
        raise DataError.at(path, line, f"a placeholder was left unfilled: {found[0][:40]!r}; fill it")
    return text


def rows(path: str | Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield (line, row) of a CSV or, by its suffix, a JSON-lines file: see `read_csv` and `read_jsonl`."""
    return read_jsonl(path, columns) if Path(path).suffix == ".jsonl" else read_csv(path, columns)


def identity_of(benchmark: str, label: str, path: Path, line: int) -> str:
    """Return an identity as the benchmark's groups spell it.

    Raises:
        DataError: no group has it; the message names file and line.

    """
    try:
        return groups().check(benchmark, label)
    except DataError as error:
        raise DataError.at(path, line, str(error)) from None


def no_blank(path: Path, line: int, row: Mapping[str, str], columns: Sequence[str]) -> None:
    """Raise DataError where one of the columns is blank."""
    for column in columns:
        if not row[column].strip():
            raise DataError.at(path, line, f"{column} is blank; fix or remove the row")
