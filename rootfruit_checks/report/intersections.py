"""Cells of identity by context, folded under the summary of pytest-html. Empty cells are rows too."""

from __future__ import annotations

from collections.abc import Mapping

from rootfruit_checks.base.text import figure, markup
from rootfruit_checks.results.views import Cells, Intersections, Value

_CELL = "padding:2px 8px;text-align:left;border-bottom:1px solid #ddd"
_ARMS = ("policy", "reference", "change")


def folded(held: Intersections) -> str:
    """Return the HTML of a result's `intersections`; a benchmark without cells says why."""
    if held.not_measured:
        return f"<p>intersections: {markup(held.not_measured)}</p>"
    return "".join(_one(name, found, held.about or "") for name, found in (held.benchmarks or {}).items())


def _one(name: str, found: Cells, about: str) -> str:
    if found.not_measured:
        return f"<p>intersections of {name}: {markup(found.not_measured)}</p>"
    heads = (
        "identity",
        str(found.by),
        "n",
        "clusters",
        *(f"{arm}: {what}" for arm in _ARMS for what in ("raw", "shrunk")),
    )
    lines = ""
    cells = found.cells()
    for cell in cells:
        shown = [str(cell["identity"]), str(cell["by"]) or "(none given)", str(cell["n"]), str(cell["clusters"])]
        for arm in _ARMS:
            shown += [_raw(cell, arm), figure(_number(cell[f"{arm}_shrunk"]), signed=True)]
        shown.append(str(cell["note"]))
        line = "".join(f'<td style="{_CELL}">{markup(text)}</td>' for text in shown)
        lines += f"<tr>{line}</tr>"
    head = "".join(f'<th style="{_CELL}">{markup(text)}</th>' for text in (*heads, "note"))
    empty = sum(cell["n"] == 0 for cell in cells)
    title = f"{name}: {len(cells)} cells of identity and {found.by}, {empty} of them empty"
    note = f"{found.quantity}, with bounds; {about}"
    return (
        f"<details><summary>{markup(title)}</summary><p>{markup(note)}</p>"
        f'<table style="font-size:12px"><tr>{head}</tr>{lines}</table></details>'
    )


def _number(value: Value) -> float | None:
    """A numeric cell; the reader has checked its type."""
    return None if value is None or isinstance(value, str) else value


def _raw(cell: Mapping[str, Value], arm: str) -> str:
    raw, low, high = (_number(cell[f"{arm}_{part}"]) for part in ("raw", "low", "high"))
    most = 2.0 if arm == "change" else 1.0
    whole = low is not None and high is not None and low <= -most and high >= most  # uninformative
    shown = [figure(value, signed=True) for value in (raw, low, high)]
    return shown[0] if low is None or whole else f"{shown[0]} [{shown[1]}, {shown[2]}]"
