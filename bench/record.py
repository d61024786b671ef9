"""One form for the figures of every bench script, and `RESULTS.md` made from them.

    python bench/record.py           # write bench/RESULTS.md from bench/results/*.json
    python bench/record.py --check   # exit 1 if it is not what they give

A script calls `add_option` for its `--json [FILE]` and `save` at its end. Values in JSON are plain numbers; a column
says how to show them. A file holds one run of one script, so that date, machine and commit hold for all of it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import numbers
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

BENCH = Path(__file__).resolve().parent
RESULTS, PAGE = BENCH / "results", BENCH / "RESULTS.md"
# Before the script adds its own.
LOAD = os.getloadavg()[0]
Value = str | int | float | None


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column. `share` is 0 to 1 and shown in percent; `digits` after the point are shown of what is no integer."""

    name: str
    kind: Literal["text", "count", "number", "share"] = "text"
    digits: int = 0
    unit: str = ""

    def show(self, value: Value) -> str:
        """Return the value as the page shows it."""
        if value is None:
            return "-"
        if isinstance(value, str):
            return value.replace("|", "\\|")
        if isinstance(value, int) and self.kind != "share":
            return f"{value:,} {self.unit}".rstrip()
        shown = f"{100 * value:.{self.digits}f} %" if self.kind == "share" else f"{value:,.{self.digits}f}"
        return f"{shown} {self.unit}".rstrip()

    def fits(self, value: Value) -> bool:
        """Whether the value is of this column's kind."""
        kind = {"text": str, "count": numbers.Integral}.get(self.kind, numbers.Real)
        return value is None or (isinstance(value, kind) and not isinstance(value, bool))


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of typed columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {len(row)} values for {len(self.columns)} columns in {row}")
            for column, value in zip(self.columns, row, strict=True):
                if not column.fits(value):
                    raise ValueError(f"{self.title}: {value!r} is not a {column.kind} ({column.name})")

    def markdown(self) -> str:
        """Return the table with its title and notes."""
        lines = [f"**{self.title}**", "", "| " + " | ".join(column.name for column in self.columns) + " |"]
        lines.append("|" + "".join("---|" if column.kind == "text" else "---:|" for column in self.columns))
        lines += [
            "| " + " | ".join(c.show(v) for c, v in zip(self.columns, row, strict=True)) + " |" for row in self.rows
        ]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of one script.

    Attributes:
        script: its name in `bench/`, without `.py`.
        title: what was measured, in a few words.
        date: the day it ended, or the days of a long run.
        hardware: the machine in words.
        load: the machine's load average when the script began; null if unknown.
        code: the commit it ran on.
        versions: those of the package and of what it was measured with.
        command: as typed, without this machine's directories.
        transcribed: copied by hand from an earlier page of results, not written by the script.
        outside: what was outside its band.

    """

    script: str
    title: str
    date: str
    hardware: str
    load: float | None
    code: str
    versions: dict[str, str]
    command: str
    transcribed: bool
    tables: tuple[Table, ...]
    outside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return this run's section of the page."""
        origin = "transcribed from an earlier page, not measured anew" if self.transcribed else "written by the script"
        busy = "" if self.load is None else f"; load {self.load:.1f} before the start"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [
            f"## `{self.script}.py`: {self.title}",
            f"{self.date}, {self.hardware}{busy}. Figures: {origin}.",
            f"`{self.command}`, on {self.code}{f' ({versions})' if versions else ''}.",
            *(f"Outside its band: {line}." for line in self.outside),
            *self.notes,
            *(table.markdown() for table in self.tables),
        ]
        return "\n\n".join(lines)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--json [FILE]`. Without it nothing is written, so that a quick run never replaces figures that are kept."""
    default = RESULTS / f"{Path(sys.argv[0]).stem}.json"
    parser.add_argument(
        "--json",
        nargs="?",
        type=_target,
        const=default,
        metavar="FILE",
        help=f"also write the figures as JSON (without FILE: bench/results/{default.name})",
    )


def _target(value: str) -> Path:
    """Refuse a file that cannot be written before hours of work, not after them."""
    path = Path(value)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{value}: {'a directory' if path.is_dir() else 'no such directory'}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{value}: not writable")
    return path


def save(
    path: Path | None,
    title: str,
    tables: Iterable[Table],
    *,
    outside: Iterable[str] = (),
    notes: Iterable[str] = (),
    versions: Sequence[str] = ("numpy", "scipy"),
) -> None:
    """Write the figures of the running script, if it was asked to; `versions` names the distributions that matter."""
    if path is None:
        return
    made = Record(
        script=Path(sys.argv[0]).stem,
        title=title,
        date=dt.date.today().isoformat(),
        hardware=hardware(),
        load=round(LOAD, 1),
        code=commit(),
        versions={name: found for name in ("rootfruit-checks", *versions) if (found := _version(name))},
        command=command(sys.argv),
        transcribed=False,
        tables=tuple(tables),
        outside=tuple(outside),
        notes=tuple(notes),
    )
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(encode(made))
    partial.replace(path)
    print(f"figures in {path}", file=sys.stderr)


def encode(record: Record) -> bytes:
    """Return the record as JSON, one row of a table a line."""
    text = msgspec.json.format(msgspec.json.encode(record, enc_hook=_plain), indent=1).decode()
    # An array of plain values stays on one line, and so does a column.
    text = re.sub(r"[\[{]\n\s+[^\[\]{}]*?\n\s+[\]}](?=,?\n)", lambda found: re.sub(r"\n\s+", " ", found[0]), text)
    return text.encode() + b"\n"


def _plain(value: object) -> int | float:
    """Return a number of numpy's as Python's."""
    if isinstance(value, numbers.Number):
        return value.item()  # type: ignore[attr-defined]
    raise NotImplementedError(type(value))


def command(argv: Sequence[str]) -> str:
    """Return the command line as others would type it: no `--json`, and of absolute paths their last part alone."""
    words: list[str] = []
    rest = list(argv[1:])
    while rest:
        word = rest.pop(0)
        if word == "--json":
            if rest and not rest[0].startswith("-"):
                rest.pop(0)
            continue
        if word.startswith("--json="):
            continue
        option, sign, value = word.partition("=")
        path = value if sign else word
        if path.startswith(("/", "~")):
            word = f"{option}{sign}{Path(path).name}" if sign else Path(path).name
        words.append(word)
    return shlex.join(["python", f"bench/{Path(argv[0]).name}", *words])


def hardware() -> str:
    """Return the machine in words: cores, processor, memory, GPUs."""
    model = platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = names[0] if names else model
    gpus = (_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "no GPU").splitlines()
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {', '.join(gpus)}"


def commit() -> str:
    """Return the commit of the checkout, and whether files differ from it."""
    found = _output("git", "-C", str(BENCH), "rev-parse", "--short=10", "HEAD")
    if not found:
        return "no git checkout"
    changed = _output("git", "-C", str(BENCH.parent), "status", "--porcelain", "--untracked-files=no")
    return f"commit {found}{' with uncommitted changes' if changed else ''}"


def _output(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def read(folder: Path = RESULTS) -> list[tuple[str, Record]]:
    """Return every file's name and record, by name."""
    found = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except msgspec.MsgspecError as error:
            raise SystemExit(f"{path}: {error}") from None
        if path.stem != record.script and not path.stem.startswith(f"{record.script}-"):
            raise SystemExit(f"{path}: holds figures of {record.script}; name it {record.script}-WHAT.json")
        found.append((path.name, record))
    return found


def page(records: Iterable[tuple[str, Record]]) -> str:
    """Return the whole page."""
    parts = [
        "<!-- Made by `python bench/record.py` from bench/results/*.json. Do not edit: run it again. -->",
        "# Measured figures",
        "Made by `python bench/record.py` from `bench/results/*.json`. [README.md](README.md) says what each script is "
        "for; [archive](archive) holds figures that no longer stand.",
        *(f"{record.markdown()}\n\nFrom `results/{name}`." for name, record in records),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is not up to date")
    wanted = page(read())
    if parser.parse_args().check:
        fine = PAGE.exists() and PAGE.read_text("utf-8") == wanted
        if not fine:
            print("bench/RESULTS.md is not what bench/results gives: run python bench/record.py", file=sys.stderr)
        return 0 if fine else 1
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
