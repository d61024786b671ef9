"""Several results on one self-contained page: stages of one family, or releases over time, in the order given.

The page does not test one run against another; each figure comes from one run. The same files give the same page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import ConfigError, DataError, StoreError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.text import breakable, plain
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report import bounds
from rootfruit_checks.report.history import Release, read, shown
from rootfruit_checks.report.history_plot import svg
from rootfruit_checks.report.markdown import GRAVEST_FIRST, cell
from rootfruit_checks.report.result_file import RESULT
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check

# Listed for each run already: they are what is compared.
_PLACES = frozenset({"model", "reference"})
_FIGURES = ("estimate", "low", "high")


def write(target: Path, sources: Sequence[Path], *, everything: bool = False, other_data: bool = False) -> str:
    """Write the page for these results atomically; returns what was written, in one line.

    Args:
        target: the HTML file.
        sources: JSON results, baselines or stores, in the order to show.
        everything: include exploratory checks.
        other_data: compare runs even if their data differ; the page says so.

    Raises:
        RootfruitError: a source is not a result, the data differ, Jinja2 is missing, or the page cannot be written.

    """
    files = [source / RESULT if untrusted.is_directory(source) else source for source in sources]
    releases = read(files)
    html = page(releases, [_hash(file) for file in files], everything=everything, other_data=other_data)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, html)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror or error})") from error
    return f"{target}: {len(shown(releases, everything))} checks over {len(releases)} runs"


def _hash(file: Path) -> str:
    return hashlib.sha256(untrusted.read_bytes(file, StoreError, limit=untrusted.TABLE_LIMIT)).hexdigest()


def page(
    releases: Sequence[Release], hashes: Sequence[str], *, everything: bool = False, other_data: bool = False
) -> str:
    """Return the page; `hashes` are those of the files. See `write` for the other arguments."""
    apart = differing([release.data for release in releases])
    if apart and not other_data:
        key, told = next(iter(apart.items()))
        first, other = list(dict.fromkeys(plain(text, 90) for text in told if text is not None))[:2]
        raise DataError(
            f"the runs used different data: {plain(key, 60)} is {first!r} in one and {other!r} in another; rerun them "
            "on the same data, or add --other-data to compare them anyway (the page says so)"
        )
    try:
        import jinja2
    except ImportError as error:
        raise ConfigError("report: jinja2 is not installed; pip install 'rootfruit-checks[report]'") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"plain": plain, "breakable": breakable}
    folder = resources.files(__package__) / "page"
    template = (folder / "compare.html.j2").read_text("utf-8")
    checks = shown(releases, everything)
    return environment.from_string(template).render(
        style=(folder / "compare.css").read_text("utf-8"),
        releases=releases,
        hashes=hashes,
        apart=apart,
        same={key: text for release in reversed(releases) for key, text in release.data.items() if key not in apart},
        settings=_otherwise(releases, "settings"),
        instruments=_otherwise(releases, "instruments"),
        changes=changes(releases, checks),
        rows=[_row(check, releases) for check in checks],
        picture=svg(releases, checks) if checks else "",
        everything=everything,
    )


def differing(told: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """Return the keys whose texts differ between the runs that have them, each with its text by run."""
    keys = dict.fromkeys(key for held in told for key in held)
    found = {key: [held.get(key) for held in told] for key in keys}
    return {key: texts for key, texts in found.items() if len({text for text in texts if text is not None}) > 1}


def _otherwise(releases: Sequence[Release], part: Literal["settings", "instruments"]) -> dict[str, list[str | None]]:
    told = []
    for release in releases:
        held = release.run.settings if part == "settings" else release.run.instruments
        told.append({key: text for key, text in held.items() if key not in _PLACES})
    return differing(told)


def changes(releases: Sequence[Release], checks: Sequence[str]) -> list[dict[str, str]]:
    """Return each change of a verdict between a run and the next one with the check: worst first, then by run."""
    found = []
    for place, release in enumerate(releases):
        for check in checks:
            row = release.checks.get(check)
            before = next((one for one in reversed(releases[:place]) if check in one.checks), None)
            if row is None or before is None or before.checks[check].verdict == row.verdict:
                continue
            earlier = before.checks[check]
            found.append(
                {
                    "check": check,
                    "from": f"{WORDS[earlier.verdict]} ({_told(check, earlier)}) in {before.name}",
                    "to": f"{WORDS[row.verdict]} ({_told(check, row)}) in {release.name}",
                    "verdict": row.verdict,
                }
            )
    return sorted(found, key=lambda change: GRAVEST_FIRST.index(change["verdict"]))


def _signed(check: str) -> bool:
    measure = MEASURES.get(check.rsplit("/", 1)[0])
    return measure is not None and measure.signed


def _told(check: str, row: Check) -> str:
    estimate, low, high = (cell(one, signed=_signed(check)) for one in bounds.shown(row)[:3])
    return f"{estimate}, bounds {low} to {high}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A check over the runs: its title, its limits, and a cell for each run that has it."""

    check: str
    title: str
    limit: str
    cells: Sequence[Mapping[str, str] | None]


def _row(check: str, releases: Sequence[Release]) -> _Line:
    measure = MEASURES.get(check.rsplit("/", 1)[0])
    rows = [release.checks.get(check) for release in releases]
    limits = list(dict.fromkeys(cell(row.limit) for row in rows if row and row.limit is not None))
    cells = [
        None
        if row is None
        else {
            **dict(zip(_FIGURES, (cell(one, signed=_signed(check)) for one in bounds.shown(row)[:3]), strict=True)),
            "verdict": row.verdict,
            "word": WORDS[row.verdict] if row.gated or row.verdict == "error" else "not gated",
            "limit": cell(row.limit) if len(limits) > 1 else "",
        }
        for row in rows
    ]
    title = measure.title if measure else ""
    return _Line(check, title, " or ".join(limits), cells)
