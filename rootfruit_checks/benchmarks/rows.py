"""Strict, streaming readers: every row is whole and readable, or the file and line are named. Nothing is dropped."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rootfruit_checks.errors import DataError

Row = tuple[int, dict[str, str]]


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    empty = True
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            empty = False
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError.at(path, number, f"byte {error.start} is not UTF-8; save the file as UTF-8") from None
            if "\0" in line:
                raise DataError.at(path, number, "holds a NUL character; the file is damaged")
            yield line
    if empty:
        raise DataError(f"{path}: is empty")


def read_csv(path: str | Path, header: Sequence[str]) -> Iterator[Row]:
    """Yield (line, row) of a CSV file whose header is exactly `header`; a row over several lines counts by its last.

    Raises:
        DataError: no such file, an empty file or no rows, another header, a ragged row, a quote that never closes,
            a byte that is not UTF-8.

    """
    source = Path(path)
    reader = csv.reader(_lines(source), strict=True)
    rows = 0
    try:
        found = next(reader, [])
        if found != list(header):
            raise DataError.at(source, 1, f"header is {','.join(found)!r}, expected {','.join(header)!r}")
        for cells in reader:
            if len(cells) != len(header):
                raise DataError.at(source, reader.line_num, f"{len(cells)} cells where the header has {len(header)}")
            rows += 1
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError.at(source, reader.line_num, f"is not CSV ({error})") from error
    if not rows:
        raise DataError(f"{source}: has a header and no rows")


def read_jsonl(path: str | Path, keys: Sequence[str]) -> Iterator[Row]:
    """Yield (line, row) of a JSON-lines file whose objects have at least `keys`; values are given as strings."""
    source = Path(path)
    rows = 0
    for number, line in enumerate(_lines(source), start=1):
        if not line.strip():
            raise DataError.at(source, number, "is a blank line; the file is damaged")
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError.at(source, number, f"is not JSON ({error})") from error
        missing = [key for key in keys if not isinstance(value, dict) or key not in value]
        if missing:
            raise DataError.at(source, number, f"lacks {', '.join(missing)}")
        rows += 1
        yield number, {key: str(value[key]) for key in keys}
    if not rows:
        raise DataError(f"{source}: has no rows")


def filled(path: str | Path, line: int, text: str) -> str:
    """Return `text`, or raise where it is blank or a placeholder was left unfilled."""
    if not text.strip():
        raise DataError.at(path, line, "the text is blank")
    for opening, closing in (("{", "}"), ("[", "]"), ("<", ">")):
        if opening in text and closing in text:
            raise DataError.at(path, line, f"a placeholder was left unfilled: {text[text.index(opening) :][:40]!r}")
    return text
