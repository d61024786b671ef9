"""The cells of identity by surroundings, folded away under the summary of pytest-html. Empty cells are rows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rootfruit_checks.base.text import figure, markup

_CELL = "padding:2px 8px;text-align:left;border-bottom:1px solid #ddd"
_ARMS = ("policy", "reference", "change")


def folded(value: Mapping[str, Any]) -> str:
    """Return the HTML of a JSON result's `intersections`; a benchmark without cells says why."""
    held = value["intersections"]
    if "not_measured" in held:
        return f"<p>intersections: {markup(held['not_measured'])}</p>"
    return "".join(_one(name, found, held["about"]) for name, found in held["benchmarks"].items())


def _one(name: str, found: Mapping[str, Any], about: str) -> str:
    if "not_measured" in found:
        return f"<p>intersections of {name}: {markup(found['not_measured'])}</p>"
    heads = (
        "identity",
        found["by"],
        "n",
        "clusters",
        *(f"{arm}: {what}" for arm in _ARMS for what in ("raw", "shrunk")),
    )
    lines = ""
    for row in found["rows"]:
        cell = dict(zip(found["columns"], row, strict=True))
        shown = [cell["identity"], cell["by"] or "(none given)", str(cell["n"]), str(cell["clusters"])]
        for arm in _ARMS:
            shown += [_raw(cell, arm), figure(cell[f"{arm}_shrunk"], signed=True)]
        cells = "".join(f'<td style="{_CELL}">{markup(text)}</td>' for text in (*shown, cell["note"]))
        lines += f"<tr>{cells}</tr>"
    head = "".join(f'<th style="{_CELL}">{markup(text)}</th>' for text in (*heads, "note"))
    empty = sum(row[found["columns"].index("n")] == 0 for row in found["rows"])
    title = f"{name}: {len(found['rows'])} cells of identity and {found['by']}, {empty} of them empty"
    note = f"{found['quantity']}, with bounds; {about}"
    return (
        f"<details><summary>{markup(title)}</summary><p>{markup(note)}</p>"
        f'<table style="font-size:12px"><tr>{head}</tr>{lines}</table></details>'
    )


def _raw(cell: Mapping[str, Any], arm: str) -> str:
    raw, low, high = (cell[f"{arm}_{part}"] for part in ("raw", "low", "high"))
    most = 2.0 if arm == "change" else 1.0
    whole = low is not None and high is not None and low <= -most and high >= most  # and says nothing
    shown = [figure(value, signed=True) for value in (raw, low, high)]
    return shown[0] if low is None or whole else f"{shown[0]} [{shown[1]}, {shown[2]}]"
