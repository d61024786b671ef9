"""The combined view: a short block in the terminal, and a table above the rows of pytest-html."""

from __future__ import annotations

import textwrap

from rootfruit_checks.base.text import markup, plain
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.results.views import Arm, Combined, Instances, Together

WIDTH = 80
_SHORT = {"pass": "pass", "fail": "FAIL", "inconclusive": "open", "error": "ERROR"}
_CAPTION = "Scores and texts about the same people (not gated; open: inconclusive)"
_HEAD = ("scores | texts", "level", "change", "prompts that differ")
_SIZES = (17, 13, 19, 28)
_CELL = "padding:4px 10px;text-align:left;vertical-align:top;border-bottom:1px solid #ddd"


def block(found: Combined) -> list[str]:
    """Return lines of at most 80 columns for the terminal: one per group, and one for each disagreement.

    If nothing could be compared, one line says why; a group is never left out.
    """
    entries = found.groups
    if not any(entry.agreement != "not compared" for entry in entries):
        why = found.instances.not_measured or "too few checks were run"
        return textwrap.wrap(plain(f"likelihood and generation: no group was compared ({why})"), WIDTH)
    rows = (_HEAD, *_rows(found))
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, _SIZES, strict=True)).rstrip() for row in rows]
    lines.insert(0, _CAPTION)
    for entry in entries:
        if entry.agreement == "disagree":
            told = plain(f"{entry.group}, {entry.question}: {entry.says}.")
            lines += textwrap.wrap(told, WIDTH, subsequent_indent="  ", break_long_words=True)
    return lines


def _rows(found: Combined) -> list[tuple[str, str, str, str]]:
    groups = dict.fromkeys(entry.group for entry in found.groups)
    told = {(entry.group, entry.question): entry for entry in found.groups}
    known = {entry.group: entry for entry in found.instances.groups or ()}
    return [
        (
            group,
            _pair(told[group, "level"]),
            _pair(told[group, "change"]),
            _differ(_arm(known.get(group), "policy"), "policy"),
        )
        for group in groups
    ]


def _pair(entry: Together) -> str:
    likelihood, generation = (
        ", ".join(_SHORT.get(side.verdict, "-") for side in sides) for sides in (entry.likelihood, entry.generation)
    )
    return f"{likelihood} | {generation}"


def _arm(entry: Instances | None, arm: str) -> Arm | None:
    found: Arm | None = getattr(entry, arm) if entry else None
    return found


def _differ(found: Arm | None, arm: str) -> str:
    """The share of prompts on which twin and text differ, with its bounds."""
    if found is None:
        return "-"
    rate = found.disagreement
    if rate.estimate is None:
        return "no text uses a pronoun"
    estimate, low, high = (None if one is None else 100 * one for one in (rate.estimate, rate.low, rate.high))
    shown = f"{estimate:+.1f} points" if arm == "change" else f"{estimate:.1f} %"
    least = -100.0 if arm == "change" else 0.0
    said = low is not None and high is not None and (low > least or high < 100.0)  # the whole range is uninformative
    return f"{shown} of {rate.n}" + (f" [{low:.1f}, {high:.1f}]" if said else "")


def table(found: Combined) -> str:
    """Return the HTML table of the combined view, with a sentence for each group and question under it."""
    known = {entry.group: entry for entry in found.instances.groups or ()}
    head = "".join(
        f'<th style="{_CELL}">{markup(cell)}</th>'
        for cell in (*_HEAD[:-1], *(f"prompts that differ: {arm}" for arm in (*ROLES, "change")))
    )
    told: dict[str, list[str]] = {}
    for entry in found.groups:
        told.setdefault(entry.group, []).append(f"{entry.group}, {entry.question}: {entry.says}.")
    body = ""
    for row in _rows(found):
        rates = [_differ(_arm(known.get(row[0]), arm), arm) for arm in ("reference", "change")]
        cells = "".join(f'<td style="{_CELL}">{markup(cell)}</td>' for cell in (*row, *rates))
        body += f"<tr>{cells}</tr>"
    note = (
        "Likelihood and generation, described but not gated. Pairs and prompts about the same people share no "
        "samples. A rate of prompts that differ exists only where both come from the same prompts (those "
        "whose text uses a singular pronoun for the person)."
    )
    why = found.instances.not_measured
    note += f" {why}." if why else ""
    said = f'<h3>likelihood and generation</h3><p style="max-width:90em">{markup(note)}</p>'
    words = "".join(f"<li>{markup(text, limit=4000)}</li>" for texts in told.values() for text in texts)
    return f'{said}<table><tr>{head}</tr>{body}</table><ul style="max-width:90em;white-space:normal">{words}</ul>'
