"""`rootfruit history`: estimate, bounds and verdict of each check over baselines and JSON results, oldest first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import BaselineError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.paths import argument
from rootfruit_checks.base.text import figure, plain
from rootfruit_checks.report import bounds
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.reading import read_result
from rootfruit_checks.results.result import Result
from rootfruit_checks.results.run_info import Run
from rootfruit_checks.runs.outputs import distinct

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

Parser = TypeVar("Parser", bound="ArgumentParser")


@dataclass(frozen=True, slots=True)
class Release:
    """One file: its name in the table, a one-line description, its checks by id, and what was run."""

    name: str
    told: str
    data: Mapping[str, str]
    checks: Mapping[str, Check]
    state: str
    run: Run


def read(paths: Sequence[Path]) -> list[Release]:
    """Return the releases in the order given, named by as much of each path as makes the names unique.

    Raises:
        BaselineError: a file is neither a baseline nor a JSON result, or is damaged.

    """
    if len({path.absolute() for path in paths}) < len(paths):
        raise BaselineError("a file is named twice; name each release once")
    ways = ([path.stem for path in paths], [f"{path.absolute().parent.name}/{path.stem}" for path in paths])
    names = next((way for way in ways if len(set(way)) == len(paths)), [str(path) for path in paths])
    found = []
    for path, name in zip(paths, names, strict=True):
        value, date = _result(path)
        found.append(_release(plain(name, 80), value, date))
    return found


def _result(path: Path) -> tuple[Result, str]:
    with os.fdopen(untrusted.open_regular(path, BaselineError), "rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        from rootfruit_checks.runs.baseline import read as read_baseline

        held = read_baseline(path)
        return held.result, held.date
    return read_result(path, BaselineError), ""


def _release(name: str, value: Result, date: str) -> Release:
    checks = {row.id: row for row in value.checks}
    run = value.run
    data = {key: text for key, text in run.data.items() if key != "baseline"}
    policy = plain(run.policy.get("path", ""))
    state = "released" if value.released else ("blocked" if value.complete else "not complete")
    if value.released and value.reservations:
        state = "released with reservations"
    when = f", saved {plain(date)}" if date else ""
    return Release(name, f"{policy}{when}, {state}", data, checks, f"{state}{when}", run)


def shown(releases: Sequence[Release], everything: bool = False) -> list[str]:
    """Return the ids of checks that any release gates, or of all checks."""
    return sorted({key for release in releases for key, row in release.checks.items() if everything or row.gated})


def table(releases: Sequence[Release], everything: bool = False) -> list[str]:
    """Return the history as lines: a block for each check, with a line for each release, missing ones included."""
    width = max(len(release.name) for release in releases)
    told = [f"{release.name.ljust(width)}  {release.told}" for release in releases]
    for release in releases[1:]:
        first = releases[0]
        apart = [key for key, text in release.data.items() if first.data.get(key, text) != text]
        if apart:
            told.append(f"note: {release.name} and {first.name} used different data ({', '.join(apart)} differ)")
    head = f"  {'release'.ljust(width)} {'est':>7} {'low':>7} {'high':>7} {'limit':>7}  verdict"
    for check in shown(releases, everything):
        told += ["", plain(check, 120), head]
        for release in releases:
            row = release.checks.get(check)
            if row is None:
                told.append(f"  {release.name.ljust(width)} {'-':>7} {'-':>7} {'-':>7} {'-':>7}  not run")
                continue
            figures = " ".join(f"{figure(one):>7}" for one in bounds.shown(row))
            told.append(f"  {release.name.ljust(width)} {figures}  {WORDS[row.verdict]}")
    return told


def add_parser(commands: _SubParsersAction[Parser]) -> None:
    """Add `rootfruit history`."""
    parser = commands.add_parser("history", help="show each check over releases: baselines and JSON results")
    parser.add_argument("files", type=argument, nargs="+", metavar="FILE", help="oldest first")
    parser.add_argument("--all", action="store_true", help="include exploratory checks")
    parser.add_argument("--plot", type=argument, metavar="FILE.svg", help="also draw them to this SVG file")


def lines(files: Sequence[Path], everything: bool, plot: Path | None) -> list[str]:
    """Return the history as lines, and draw it if `plot` is given."""
    if plot is not None and plot.suffix != ".svg":
        raise BaselineError(f"option --plot: {plot}: the plot is written as SVG only; name it FILE.svg")
    if plot is not None:
        distinct(plot, files, "option --plot")
    releases = read(files)
    told = table(releases, everything)
    if plot is not None:
        from rootfruit_checks.report.history_plot import svg

        try:
            write_atomic(plot, svg(releases, shown(releases, everything)))
        except OSError as error:
            raise BaselineError(f"option --plot: {plot} cannot be written ({error})") from error
        told += ["", f"{plot}: {len(shown(releases, everything))} checks over {len(releases)} releases"]
    return told
