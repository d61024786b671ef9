"""The header, table and closing lines that a gate prints in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rootfruit_checks.base.errors import RootfruitError
from rootfruit_checks.base.text import figure, plain
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.reservations import LET_THROUGH, released
from rootfruit_checks.report import bounds
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result
from rootfruit_checks.results.run_info import Run

WORDS = {"pass": "pass", "fail": "FAIL", "inconclusive": "INCONCLUSIVE", "error": "ERROR", "none": "-"}
_STARTING_POINT = "Limits marked * are starting points, not standards: set your own."


def headline(row: Check) -> str:
    """Return one verdict in one line: word, check, estimate between its bounds, limit."""
    sign = MEASURES[row.measure].signed
    figures = bounds.shown(row)
    estimate, low, high = (figure(one, signed=sign) for one in figures[:3])
    return f"{WORDS[row.verdict]} {row.id}: {estimate} in [{low}, {high}], limit {figure(row.limit)}"


def table(rows: Iterable[Check], defaults: Mapping[str, float | None], width: int = 80) -> list[str]:
    """Return the summary table as lines: gated checks and descriptive measures, both bounds, limit, verdict.

    Args:
        rows: the checks.
        defaults: check id -> registry default, to mark limits that nobody set.
        width: columns of the terminal; the id column is shortened first.

    """
    checks = sorted(rows, key=lambda row: (not row.gated, row.id))
    if not checks:
        return []
    head = ("check", "n", "policy", "reference", "est", "low", "high", "limit", "verdict")
    lines = []
    for row in checks:
        difference = MEASURES[row.measure].signed
        limit = figure(row.limit)
        if row.limit is not None:
            limit += "*" if defaults.get(row.id) == row.limit else " "
        known = bounds.shown(row)
        figures = [figure(one, signed=difference) for one in known[:3]]
        lines.append(
            (
                row.id,
                str(row.n),
                figure(row.policy),
                figure(row.reference),
                *figures,
                limit,
                WORDS[row.verdict] if row.gated or row.verdict == "error" else "-",
            )
        )
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    spare = width - sum(widths[1:]) - len(widths) + 1
    # Names are shortened to 34 columns at the least; figures are never shortened.
    widths[0] = max(min(widths[0], spare), min(widths[0], 34))
    return [_line(line, widths) for line in [head, *lines]]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name = cells[0] if len(cells[0]) <= widths[0] else "…" + cells[0][-(widths[0] - 1) :]
    figures = [cell.rjust(size) for cell, size in zip(cells[1:-1], widths[1:-1], strict=True)]
    return " ".join([name.ljust(widths[0]), *figures, cells[-1]]).rstrip()


def closing(value: Result, told: Collection[str] = ()) -> list[str]:
    """Return the lines under the table: what blocks and why, and whether this run can decide on a release.

    Args:
        value: the result.
        told: ids of checks whose reasons pytest has already printed with the failed tests.

    """
    gated = value.gated
    open_ones = [row for row in gated if row.verdict != "pass"]
    lines = [f"{WORDS[row.verdict]} {row.id}: {plain(row.explain)}" for row in open_ones if row.id not in told]
    if any(row.id in told for row in open_ones):
        lines.append("The reasons are printed above, with each failed test.")
    if any(row.limit is not None for row in gated):
        lines.append(_STARTING_POINT)
    lines += [f"note: {plain(note)}" for note in value.run.notes]
    if not value.complete:
        missing = value.missing
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        lines.append(f"This run is not a release gate: {len(missing)} declared check(s) have no verdict ({named}).")
    elif value.released:
        held = f"all {len(gated)} gated checks pass"
        if open_ones:  # --rootfruit-inconclusive=warn
            held = f"{len(open_ones)} of {len(gated)} gated checks are inconclusive and {LET_THROUGH}; the others pass"
        told = [plain(one) for one in value.reservations if not one.endswith(LET_THROUGH)]
        lines.append(f"{released(told)}: {held}. A pass covers only what was measured.")
    else:
        lines.append("Blocked.")
    return lines


def wrapped(line: str, width: int) -> list[str]:
    """Wrap a line at `width` columns, with all but the first line indented; long words are not broken."""
    return textwrap.wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""]


def header(run: Run) -> list[str]:
    """Return the lines that say what was run. Data come first: the meaning of a verdict depends on its prompts."""
    lines = [f"data: {name} = {text}" for name, text in run.data.items() if name != "scale"]
    for role in ("policy", "reference"):
        if model := run.model(role):
            rest = ", ".join(f"{k} {v}" for k, v in model.items() if k not in {"path", "fingerprint"})
            lines.append(f"{role}: {model['path']} [{model.get('fingerprint', '')[:16]}] {rest}")
    lines += [f"{name}: {text}" for name, text in run.instruments.items()]
    return [plain(line) for line in lines]


def named_model(name: str, hashed: bool = True) -> str:
    """Return a model's name, with the short hash of its weights if it is a readable directory."""
    from rootfruit_checks.engines.weights import weights_digest

    path = Path(name)
    if not hashed or not path.is_dir():
        return plain(name)
    try:
        return f"{plain(name)} [weights {weights_digest(path)[:12]}]"
    except (OSError, RootfruitError) as error:
        # A header never stops a run: the fixture that loads the model gives the full reason.
        return f"{plain(name)} [unreadable: {plain(str(error), 200)}]"


def default_limits(rows: Iterable[Check]) -> dict[str, float | None]:
    """Return check id -> the registry's limit."""
    return {row.id: MEASURES[row.measure].limit for row in rows}


def is_declared(row: Check) -> bool:
    """Whether the registry declares this check; all others are exploratory."""
    return row.group in MEASURES[row.measure].groups
