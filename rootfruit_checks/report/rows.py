"""What a check's row shows in pytest-html: the verdict in words, the figures and the worst samples, all escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rootfruit_checks.report import combined, intersections
from rootfruit_checks.report.escape import markup
from rootfruit_checks.report.summary import WORDS, closing, default_thresholds, header, table

_BLUR = "filter:blur(5px)"
_REVEAL = "this.style.filter=this.style.filter?'':'blur(5px)'"
_CELL = "padding:4px 10px;text-align:left;vertical-align:top;border-bottom:1px solid #ddd"


def details(row: Mapping[str, Any]) -> str:
    """Return the HTML of one verdict (a mapping as `summary.as_json` makes it). Samples are blurred until clicked."""
    figures = [
        ("verdict", WORDS[row["verdict"]]),
        ("samples", f"{row['n']} ({row['unscored']} unscored)"),
        ("clusters", ", ".join(f"{name}: {count}" for name, count in row["clusters"].items())),
        *((name, _figure(row[name])) for name in ("policy", "reference", "estimate", "low", "high", "threshold")),
        ("data", row["data"]),
    ]
    body = "".join(
        f'<tr><th style="{_CELL}">{markup(k)}</th><td style="{_CELL}">{markup(v)}</td></tr>' for k, v in figures
    )
    html = f'<p style="max-width:70em;white-space:normal">{markup(row["explain"])}</p><table>{body}</table>'
    return html + _samples(row)


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _samples(row: Mapping[str, Any]) -> str:
    if not row["samples"]:
        return ""
    heads = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("id", "asked", "policy", "reference", "value"))
    lines = ""
    for sample in row["samples"]:
        cells = [sample["id"], sample["prompt"], sample["policy"], sample["reference"], f"{sample['value']:.4f}"]
        shown = "".join(
            f'<td style="{_CELL}">{markup(cell)}</td>'
            if index in {0, 4}
            else f'<td style="{_CELL};white-space:normal;max-width:30em">'
            f'<span role="button" tabindex="0" title="click to show or hide" style="{_BLUR}" onclick="{_REVEAL}" '
            f"onkeydown=\"if(event.key==='Enter')this.click()\">{markup(cell)}</span></td>"
            for index, cell in enumerate(cells)
        )
        lines += f"<tr>{shown}</tr>"
    note = "Worst samples. They hold stigmatizing text or model output and are blurred until clicked."
    return f'<p style="white-space:normal">{note}</p><table><tr>{heads}</tr>{lines}</table>'


def overview(value: Mapping[str, Any]) -> str:
    """Return the HTML above the rows: whose prompts these are first, then the models, the table and what it means."""
    gated = [row for row in value["checks"] if row["gated"]]
    figures = table(gated, default_thresholds(value["checks"]), width=120)
    before, after = (
        "".join(f'<p style="max-width:90em;margin:2px 0">{markup(line, limit=4000)}</p>' for line in lines)
        for lines in (header(value["run"]), closing(value))
    )
    shown = "\n".join(markup(line) for line in figures)
    beside = combined.table(value) + intersections.folded(value) if "combined" in value else ""
    return f'<h2>rootfruit</h2>{before}<pre style="font-size:12px;color:#111">{shown}</pre>{after}{beside}'
