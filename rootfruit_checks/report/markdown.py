"""Untrusted text in Markdown: it never turns into a link, image, HTML, mention, reference or table border.

Backslashes are not enough: GitHub looks for links, mentions and references *after* it has removed the backslashes.
So characters that could start one are written as character references and broken by a zero-width space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from rootfruit_checks.base.text import figure, plain
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report import bounds
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check

# A figure in a table of a page or of Markdown.
cell = partial(figure, none="\u2013")
GRAVEST_FIRST = ("error", "fail", "inconclusive", "pass", "none")

# What GitHub's later passes look for: mentions, issues, addresses with and without a scheme, emoji.
_LOOKED_FOR = re.compile(r"([@#:]|\bwww|\bGH(?=-)|\.(?=[^\W\d_]))(?=\S)", re.IGNORECASE)
_LIST = re.compile(r"(\s*(?:\d+(?=[.)]))?)([-+.):])")
_PLAIN = frozenset(" ,;.()%'-+:/")


def prose(text: str, limit: int = 2000) -> str:
    """Return `plain(text)`, escaped for use inside a Markdown line or table cell."""
    shown = plain(text, limit)
    if not shown.strip():
        return "(empty)"
    broken = _LOOKED_FOR.sub("\\1\u200b", shown)
    if start := _LIST.match(broken):  # at the start of a line or list item it would begin a list
        return f"{start[1]}&#{ord(start[2])};{_references(broken[start.end() :])}"
    return _references(broken)


def _references(text: str) -> str:
    return "".join(c if c.isalnum() or c in _PLAIN or ord(c) > 127 else f"&#{ord(c)};" for c in text)


def code(text: str, limit: int = 200) -> str:
    """Return a name or path as a code span, or as `prose` if it could end the code span or its table cell."""
    shown = plain(text, limit)
    if not shown.strip() or set(shown) & set("`|\\"):
        return prose(text, limit)
    return f"`{shown}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a table; cells must be escaped. All but the first `left` columns are right-aligned."""
    rule = [":--" if place < left or name == "verdict" else "--:" for place, name in enumerate(head)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def gravity(row: Check) -> tuple[int, str]:
    """Return a sort key that puts the worst verdict first."""
    return GRAVEST_FIRST.index(row.verdict), row.id


def checks(rows: Sequence[Check], most: int) -> list[str]:
    """Return the lines of a table of checks, at most `most` of them; a star marks default limits."""
    head = ("check", "n", "policy", "reference", "estimate", "low", "high", "limit", "verdict")
    lines = table(head, (_cells(row) for row in rows[:most]))
    lines += more(len(rows), most, "checks")
    if any(_is_default(row) for row in rows):
        lines += ["", "Limits marked \\* are starting points, not standards: set your own."]
    return lines


def reasons(rows: Sequence[Check], most: int) -> list[str]:
    """Return the reasons of checks that do not pass; those of inconclusive checks are folded."""
    lines: list[str] = []
    open_ones = [row for row in rows if row.verdict == "inconclusive"]
    for found in ([row for row in rows if row.verdict not in {"pass", "inconclusive"}], open_ones):
        if not found:
            continue
        if found is open_ones:
            lines += [f"<details><summary>{len(found)} inconclusive</summary>", ""]
        lines += [f"- **{WORDS[row.verdict]}** {code(row.id)}: {prose(row.explain, 1200)}" for row in found[:most]]
        lines += [*more(len(found), most, "reasons"), ""]
        if found is open_ones:
            lines += ["</details>", ""]
    return ["### Checks that do not pass", "", *lines] if lines else []


def more(there: int, shown: int, what: str) -> list[str]:
    """Return the line that says how many were left out, if any."""
    return ["", f"… and {there - shown} more {what}: see the JSON result."] if there > shown else []


def _is_default(row: Check) -> bool:
    measure = MEASURES.get(row.measure)
    return measure is not None and row.limit is not None and row.limit == measure.limit


def _cells(row: Check) -> tuple[str, ...]:
    measure = MEASURES.get(row.measure)
    sign = measure is not None and measure.signed
    word, known = WORDS[row.verdict], bounds.shown(row)
    return (
        code(row.id),
        str(row.n),
        cell(row.policy),
        cell(row.reference),
        *(cell(one, signed=sign) for one in known[:3]),
        cell(row.limit) + ("\\*" if _is_default(row) else ""),
        word if row.verdict == "pass" else f"**{word}**",
    )
