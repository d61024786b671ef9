"""The combined view for people: a short block in the terminal, a table above pytest-html's rows."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from rootfruit_checks.report.escape import markup, plain

WIDTH = 80
_SHORT = {"pass": "pass", "fail": "FAIL", "inconclusive": "open", "error": "ERROR"}
_HEAD = ("likelihood | text", "level", "change", "prompts that differ")
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
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(_HEAD, _SIZES, strict=True)).rstrip()]
    lines += ["  ".join(cell.ljust(s) for cell, s in zip(row, _SIZES, strict=True)).rstrip() for row in _rows(found)]
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
        (group, _pair(told[group, "level"]), _pair(told[group, "change"]), _differ(known.get(group)))
        for group in groups
    ]


def _pair(entry: Mapping[str, Any]) -> str:
    likelihood, generation = (
        ", ".join(_SHORT.get(side["verdict"], "-") for side in entry[name]) for name in ("likelihood", "generation")
    )
    return f"{likelihood} | {generation}"


def _differ(entry: Mapping[str, Any] | None) -> str:
    """The policy's rate of prompts on which twin and text differ, with its bounds."""
    found = (entry or {}).get("policy")
    if not found:
        return "-"
    figures = found["disagreement"]
    if figures["estimate"] is None:
        return "no text uses a pronoun"
    shown = f"{100 * figures['estimate']:.1f} % of {figures['n']}"
    if figures["low"] is None:
        return shown
    return f"{shown} [{100 * figures['low']:.1f}, {100 * figures['high']:.1f}]"


def table(value: Mapping[str, Any]) -> str:
    """Return the HTML table of a JSON result's combined view, with a sentence for every group."""
    found = value["combined"]
    head = "".join(f'<th style="{_CELL}">{markup(cell)}</th>' for cell in (*_HEAD, "in words"))
    told: dict[str, list[str]] = {}
    for entry in found["groups"]:
        told.setdefault(entry["group"], []).append(f"{entry['question']}: {entry['says']}.")
    body = ""
    for row in _rows(found):
        words = "<br>".join(markup(text, limit=4000) for text in told[row[0]])
        cells = "".join(f'<td style="{_CELL}">{markup(cell)}</td>' for cell in row)
        body += f'<tr>{cells}<td style="{_CELL};white-space:normal;max-width:60em">{words}</td></tr>'
    note = (
        "Likelihood beside generation: description, no gate. Groups of winoqueer and disclosure share people and no "
        "prompts, so only misgendering has a rate of prompts that differ (policy, over prompts whose text uses a "
        "singular pronoun for the person)."
    )
    why = found["instances"].get("not_measured")
    note += f" {why}." if why else ""
    said = f'<h3>likelihood and generation</h3><p style="max-width:90em">{markup(note)}</p>'
    return f"{said}<table><tr>{head}</tr>{body}</table>"
