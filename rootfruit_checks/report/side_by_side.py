"""The combined view for people: a short block in the terminal, a table above pytest-html's rows."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from rootfruit_checks.base.text import markup, plain
from rootfruit_checks.base.types import ROLES

WIDTH = 80
_SHORT = {"pass": "pass", "fail": "FAIL", "inconclusive": "open", "error": "ERROR"}
_CAPTION = "Scores beside texts about the same people (no gate; open: inconclusive)"
_HEAD = ("scores | texts", "level", "change", "prompts that differ")
_SIZES = (17, 13, 19, 28)
_CELL = "padding:4px 10px;text-align:left;vertical-align:top;border-bottom:1px solid #ddd"


def block(value: Mapping[str, Any]) -> list[str]:
    """Return the terminal's lines of a JSON result: one a group, and what each disagreement says. At most 80 columns.

    Where nothing could be compared, one line says why; a group is never left out.
    """
    found = value["combined"]
    entries = found["groups"]
    if not any(entry["agreement"] != "not compared" for entry in entries):
        why = found["instances"].get("not_measured", "too few checks were run")
        return textwrap.wrap(plain(f"likelihood beside generation: no group is compared ({why})"), WIDTH)
    rows = (_HEAD, *_rows(found))
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, _SIZES, strict=True)).rstrip() for row in rows]
    lines.insert(0, _CAPTION)
    for entry in entries:
        if entry["agreement"] == "disagree":
            told = plain(f"{entry['group']}, {entry['question']}: {entry['says']}.")
            lines += textwrap.wrap(told, WIDTH, subsequent_indent="  ", break_long_words=True)
    return lines


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    groups = dict.fromkeys(entry["group"] for entry in found["groups"])
    told = {(entry["group"], entry["question"]): entry for entry in found["groups"]}
    known = {entry["group"]: entry for entry in found["instances"].get("groups", ())}
    return [
        (group, _pair(told[group, "level"]), _pair(told[group, "change"]), _differ(known.get(group), "policy"))
        for group in groups
    ]


def _pair(entry: Mapping[str, Any]) -> str:
    likelihood, generation = (
        ", ".join(_SHORT.get(side["verdict"], "-") for side in entry[name]) for name in ("likelihood", "generation")
    )
    return f"{likelihood} | {generation}"


def _differ(entry: Mapping[str, Any] | None, arm: str) -> str:
    """The rate of prompts on which twin and text differ, with its bounds."""
    found = (entry or {}).get(arm)
    if not found:
        return "-"
    figures = found["disagreement"]
    if figures["estimate"] is None:
        return "no text uses a pronoun"
    estimate, low, high = (None if figures[key] is None else 100 * figures[key] for key in ("estimate", "low", "high"))
    shown = f"{estimate:+.1f} points" if arm == "change" else f"{estimate:.1f} %"
    least = -100.0 if arm == "change" else 0.0
    said = low is not None and high is not None and (low > least or high < 100.0)  # the whole range says nothing
    return f"{shown} of {figures['n']}" + (f" [{low:.1f}, {high:.1f}]" if said else "")


def table(value: Mapping[str, Any]) -> str:
    """Return the HTML table of a JSON result's combined view, and under it a sentence for every group and question."""
    found = value["combined"]
    known = {entry["group"]: entry for entry in found["instances"].get("groups", ())}
    head = "".join(
        f'<th style="{_CELL}">{markup(cell)}</th>'
        for cell in (*_HEAD[:-1], *(f"prompts that differ: {arm}" for arm in (*ROLES, "change")))
    )
    told: dict[str, list[str]] = {}
    for entry in found["groups"]:
        told.setdefault(entry["group"], []).append(f"{entry['group']}, {entry['question']}: {entry['says']}.")
    body = ""
    for row in _rows(found):
        rates = [_differ(known.get(row[0]), arm) for arm in ("reference", "change")]
        cells = "".join(f'<td style="{_CELL}">{markup(cell)}</td>' for cell in (*row, *rates))
        body += f"<tr>{cells}</tr>"
    note = (
        "Likelihood beside generation: description, no gate. Pairs and prompts about the same people share no "
        "samples; only where both are read off the same prompts is there a rate of prompts that differ (over prompts "
        "whose text uses a singular pronoun for the person)."
    )
    why = found["instances"].get("not_measured")
    note += f" {why}." if why else ""
    said = f'<h3>likelihood and generation</h3><p style="max-width:90em">{markup(note)}</p>'
    words = "".join(f"<li>{markup(text, limit=4000)}</li>" for texts in told.values() for text in texts)
    return f'{said}<table><tr>{head}</tr>{body}</table><ul style="max-width:90em;white-space:normal">{words}</ul>'
