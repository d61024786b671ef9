"""The gate in pytest-html: the verdict above the rows, and in each row its explanation, figures and worst samples.

All text is escaped. Samples, reasons and run details are folded, so that thousands of rows stay readable.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from rootfruit_checks.base.text import figure, markup
from rootfruit_checks.report import bounds, intersections, side_by_side
from rootfruit_checks.report.audit_page import sentence
from rootfruit_checks.report.markdown import gravity
from rootfruit_checks.report.terminal import WORDS, closing, default_limits, header, headline, is_declared, table
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result

# Characters of a sample's text; the audit page and the JSON result have all of it.
_MOST = 400
_REVEAL = "this.style.filter=this.style.filter?'':'blur(5px)'"
# pytest-html shows an empty box if there is no log, and uses a gray that is too light to read.
_STYLE = """<style>
.rootfruit{color:#222;line-height:1.45}
.rootfruit p{max-width:75em;margin:4px 0;white-space:normal;overflow-wrap:anywhere}
.rootfruit th,.rootfruit td{padding:3px 10px;text-align:left;vertical-align:top;border-bottom:1px solid #ddd;color:#222}
.rootfruit td.text{white-space:normal;max-width:30em;overflow-wrap:anywhere}
.rootfruit summary{cursor:pointer;padding:3px 0}
.rootfruit .fail,.rootfruit .error{color:#a40000}.rootfruit .inconclusive{color:#7a4b00}.rootfruit .pass{color:#136b1e}
.rootfruit .wide{overflow-x:auto}
.rootfruit pre{font-size:12px;color:#111;overflow-x:auto}.logwrapper:not(:has(.log)){display:none}
.col-links a,.rootfruit a{color:#0b4fa8}.col-testId,.col-duration{color:#333}
</style>"""


def details(row: Check) -> str:
    """Return the HTML of one verdict; samples are blurred."""
    known = bounds.shown(row)
    figures = {
        "samples": str(row.n),
        "unscored": str(row.unscored),
        "clusters": ", ".join(f"{count} {name}" for name, count in row.clusters.items()),
        **{
            name: figure(value, digits=4, none="none")
            for name, value in ({"policy": row.policy, "reference": row.reference} | known._asdict()).items()
        },
        "data": row.data,
    }
    heads = "".join(f"<th>{name}</th>" for name in figures)
    cells = "".join(f"<td>{markup(text)}</td>" for text in figures.values())
    return (
        f'<div class="rootfruit"><p><strong class="{row.verdict}">{markup(headline(row))}</strong></p>'
        f"<p>{markup(row.explain, 4000)}</p>"
        f'<div class="wide"><table><tr>{heads}</tr><tr>{cells}</tr></table></div>{_samples(row)}</div>'
    )


def _samples(row: Check) -> str:
    samples = row.samples
    if not samples:
        return ""
    heads = "".join(f"<th>{name}</th>" for name in ("id", "asked", "policy", "reference", "value"))
    lines = "".join(
        f"<tr><td>{markup(sample.id)}</td>"
        + "".join(
            f'<td class="text">{_blurred(text)}</td>' for text in (sample.prompt, sample.policy, sample.reference)
        )
        + f"<td>{figure(sample.value, digits=4, none='none')}</td></tr>"
        for sample in samples
    )
    note = "These contain stigmatizing text or model output and are blurred until clicked."
    return (
        f"<details><summary>The {len(samples)} worst samples</summary><p>{note}</p>"
        f'<div class="wide"><table><tr>{heads}</tr>{lines}</table></div></details>'
    )


def _blurred(text: str) -> str:
    return (
        f'<span role="button" tabindex="0" title="click to show or hide" style="filter:blur(5px)" onclick="{_REVEAL}" '
        f"onkeydown=\"if(event.key==='Enter')this.click()\">{markup(text, _MOST)}</span>"
    )


def link(row: Check | None, page: str, report: str) -> str:
    """Return the link to a check in the audit page `report`, relative to the HTML file `page`.

    Without a row, or if the page shows only the group's figure, it links to the section on groups.
    """
    way = os.path.relpath(Path(report).absolute(), Path(page).absolute().parent)
    place = quote(row.id) if row is not None and (row.gated or is_declared(row)) else "groups"
    return html.escape(f"{quote(Path(way).as_posix())}#{place}", quote=True)


def cleared(told: Mapping[str, object], failed: bool, log: Sequence[str]) -> list[str]:
    """Return a row's log without what is shown above it already: the verdict, and the empty-log line.

    Args:
        told: what the plugin attached to the report.
        failed: whether the test failed; the first entry of the log is then the reason.
        log: pytest-html's lines, escaped.

    """
    if not told["rows"] or (failed and not told["breach"]):
        return list(log)
    left = list(log[1:]) if failed else list(log)
    return [entry for entry in left if entry != "No log output captured."]


def overview(value: Result) -> str:
    """Return the HTML above the rows: the verdict, the data, the models, the table and the reasons."""
    gated = value.gated
    figures = table(gated, default_limits(value.checks), width=120)
    shown = "\n".join(markup(line) for line in figures)
    open_ones = sorted((row for row in gated if row.verdict != "pass"), key=gravity)
    reasons = "".join(
        f'<details><summary><span class="{row.verdict}">{WORDS[row.verdict]}</span> {markup(row.id)}'
        f"</summary><p>{markup(row.explain, 4000)}</p></details>"
        for row in open_ones
    )
    # The checks that block are listed above with their reasons; the other closing lines follow unchanged.
    rest = "".join(f"<p>{markup(line, 4000)}</p>" for line in closing(value)[len(open_ones) :])
    run = "".join(f"<p>{markup(line, 4000)}</p>" for line in header(value.run))
    beside = (side_by_side.table(value.combined) if value.combined else "") + (
        intersections.folded(value.intersections) if value.intersections else ""
    )
    beside = f'<div class="wide">{beside}</div>'
    return (
        f'{_STYLE}<div class="rootfruit"><h2>rootfruit</h2><p><strong>{markup(sentence(value))}</strong></p>'
        f"{reasons}<details><summary>Run: data, models, instruments</summary>{run}</details><pre>{shown}</pre>"
        f"{rest}{beside}</div>"
    )
