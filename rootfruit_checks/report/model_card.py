"""A section for a model's card on the Hugging Face Hub, with the checks as evaluation results in its metadata.

The file is a card of its own: `huggingface_hub.ModelCard` reads it, and its section and results go into yours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import plain
from rootfruit_checks.base.version import __version__
from rootfruit_checks.catalog import informative_bounds
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report import markdown
from rootfruit_checks.report.audit_page import sentence
from rootfruit_checks.report.markdown import code, gravity, prose
from rootfruit_checks.report.reproduce import reproduce
from rootfruit_checks.results.reading import check_result

Row = Mapping[str, Any]
_SHA256 = re.compile(r"sha256 ([0-9a-f]{64})")
_FIGURES = ("group", "verdict", "low", "high", "limit", "policy", "reference", "n")
_MOST = 300


def card(value: Mapping[str, Any]) -> str:
    """Return the card for a JSON result.

    Raises:
        DataError: a result of another schema, of a shard, or without a gated check that has an estimate.

    """
    check_result(value, "the result", DataError)
    gated = sorted((row for row in value["checks"] if row["gated"]), key=gravity)
    measured = sorted((row for row in gated if row["estimate"] is not None), key=lambda row: str(row["id"]))
    if not measured:
        raise DataError("the result has no gated check with an estimate; there is nothing to say in a model's card")
    head = ["---", "model-index:", f"- name: {_quoted(_name(value['run']))}", "  results:"]
    for benchmark in dict.fromkeys(row["benchmark"] for row in measured):
        rows = [row for row in measured if row["benchmark"] == benchmark]
        head += _results(rows, value["run"]["data"].get(benchmark, ""))
    return "\n".join([*head, "---", "", *_section(value, gated), ""])


def _name(run: Mapping[str, Any]) -> str:
    """The last part of a path, Hub id or address: what a card calls its model."""
    return re.split(r"[/#\\]", str(run["policy"].get("path", "")).rstrip("/\\"))[-1].strip() or "model"


def _quoted(value: object) -> str:
    """Return a scalar for YAML, which reads JSON's strings and numbers; every text on one line."""
    return json.dumps(plain(value, 500) if isinstance(value, str) else value, ensure_ascii=False, allow_nan=False)


def _results(rows: list[Row], data: str) -> list[str]:
    """Return the lines of one benchmark's results, a metric for each check."""
    first = rows[0]
    found = _SHA256.search(data)
    lines = [
        "  - task:",
        "      type: text-generation",
        "      name: harm to gender-diverse people",
        "    dataset:",
        f"      type: {_quoted('rootfruit-' + first['benchmark'])}",
        f"      name: {_quoted(first['benchmark'] + ' (' + first['data'] + ')')}",
        *(["      args:", f"        sha256: {_quoted(found[1])}"] if found else []),
        "    metrics:",
    ]
    for row in rows:
        measure = MEASURES.get(f"{row['benchmark']}/{row['metric']}")
        title = f"{measure.title}, {row['group']}" if measure else str(row["id"])
        lines += [
            f"    - type: {_quoted(row['id'])}",
            f"      value: {_quoted(row['estimate'])}",
            f"      name: {_quoted(title)}",
            "      args:",
        ]
        known = informative_bounds.shown(row)
        lines += [f"        {key}: {_quoted(known[key])}" for key in _FIGURES if known[key] is not None]
    return lines


def _section(value: Mapping[str, Any], gated: list[Row]) -> list[str]:
    run = value["run"]
    reference = (run.get("reference") or {}).get("path")
    compared = f", compared with {code(str(reference))}, which it was aligned from" if reference else ""
    told = [
        "## Harm to gender-diverse people",
        "",
        f"**{prose(sentence(value))}**",
        "",
        f"Reported by rootfruit-checks {__version__} of {code(str(run['policy'].get('path', '')))}{compared}.",
        "Estimates are shares or differences of shares, harmful upward, with one-sided bounds that count clusters. A",
        "check passes where its upper bound is within the limit and fails where its lower bound is beyond it;",
        "*inconclusive* shows neither.",
        "",
        *markdown.checks(gated, _MOST),
        "",
    ]
    told += markdown.reasons(gated, _MOST)
    data = [f"- {prose(name)}: {prose(text, 600)}" for name, text in run["data"].items()]
    return [
        *told,
        "### What this does not show",
        "",
        "It covers these prompts, these groups, English and this sampling, and nothing else. The instruments have",
        "errors of their own, which the audit page gives.",
        "",
        "### Data and command",
        "",
        *data,
        "",
        "```",
        plain(reproduce(run), 4000),
        "```",
    ]
