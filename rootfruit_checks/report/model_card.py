"""A section for a model card on the Hugging Face Hub, with the checks as evaluation results in its metadata.

The file is a complete card: read it with `huggingface_hub.ModelCard` and copy its section and results into yours.
"""

from __future__ import annotations

import json
import re

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import plain
from rootfruit_checks.base.version import __version__
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report import bounds, markdown
from rootfruit_checks.report.audit_page import sentence
from rootfruit_checks.report.markdown import code, gravity, prose
from rootfruit_checks.report.reproduce import reproduce
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result
from rootfruit_checks.results.run_info import Run

_SHA256 = re.compile(r"sha256 ([0-9a-f]{64})")
_MOST = 300


def card(value: Result) -> str:
    """Return the card for a JSON result.

    Raises:
        DataError: the result is of a shard, or none of its gated checks has an estimate.

    """
    gated = sorted(value.gated, key=gravity)
    measured = sorted((row for row in gated if row.estimate is not None), key=lambda row: row.id)
    if not measured:
        raise DataError("the result has no gated check with an estimate, so there is nothing to put in a model card")
    head = ["---", "model-index:", f"- name: {_quoted(_name(value.run))}", "  results:"]
    for benchmark in dict.fromkeys(row.benchmark for row in measured):
        rows = [row for row in measured if row.benchmark == benchmark]
        head += _results(rows, value.run.data.get(benchmark, ""))
    return "\n".join([*head, "---", "", *_section(value, gated), ""])


def _name(run: Run) -> str:
    """The last part of a path, Hub id or address: what a card calls its model."""
    return re.split(r"[/#\\]", run.policy.get("path", "").rstrip("/\\"))[-1].strip() or "model"


def _quoted(value: object) -> str:
    """Return a scalar for YAML, as JSON: YAML reads its strings and numbers. Texts stay on one line."""
    return json.dumps(plain(value, 500) if isinstance(value, str) else value, ensure_ascii=False, allow_nan=False)


def _results(rows: list[Check], data: str) -> list[str]:
    """Return the lines of one benchmark's results, a metric for each check."""
    first = rows[0]
    found = _SHA256.search(data)
    lines = [
        "  - task:",
        "      type: text-generation",
        "      name: harm to gender-diverse people",
        "    dataset:",
        f"      type: {_quoted('rootfruit-' + first.benchmark)}",
        f"      name: {_quoted(first.benchmark + ' (' + first.data + ')')}",
        *(["      args:", f"        sha256: {_quoted(found[1])}"] if found else []),
        "    metrics:",
    ]
    for row in rows:
        measure = MEASURES.get(row.measure)
        title = f"{measure.title}, {row.group}" if measure else str(row.id)
        lines += [
            f"    - type: {_quoted(row.id)}",
            f"      value: {_quoted(row.estimate)}",
            f"      name: {_quoted(title)}",
            "      args:",
        ]
        known = bounds.shown(row)
        figures = {
            "group": row.group, "verdict": row.verdict, "low": known.low, "high": known.high, "limit": row.limit,
            "policy": row.policy, "reference": row.reference, "n": row.n,
        }  # fmt: skip
        lines += [f"        {key}: {_quoted(value)}" for key, value in figures.items() if value is not None]
    return lines


def _section(value: Result, gated: list[Check]) -> list[str]:
    run = value.run
    reference = run.model("reference").get("path")
    compared = f", compared with the model it was aligned from, {code(reference)}" if reference else ""
    told = [
        "## Harm to gender-diverse people",
        "",
        f"**{prose(sentence(value))}**",
        "",
        f"Reported by rootfruit-checks {__version__} for {code(run.policy.get('path', ''))}{compared}.",
        "Estimates are shares or differences of shares; higher means more harm. One-sided bounds are",
        "based on clusters. A check passes if its upper bound is within the limit and fails if its lower bound exceeds",
        "it; otherwise it is *inconclusive*.",
        "",
        *markdown.checks(gated, _MOST),
        "",
    ]
    told += markdown.reasons(gated, _MOST)
    data = [f"- {prose(name)}: {prose(text, 600)}" for name, text in run.data.items()]
    return [
        *told,
        "### What this does not show",
        "",
        "It covers only these prompts, these groups, English and this sampling. The instruments have errors of their",
        "own, which the audit page lists.",
        "",
        "### Data and command",
        "",
        *data,
        "",
        "```",
        plain(reproduce(run), 4000),
        "```",
    ]
