"""Text in Markdown that stays text: no link, image, HTML, mention, reference or table border comes of it.

Backslashes are not enough: GitHub makes links, mentions and references of what is left *after* they were taken away.
So what could be any of these is written as a character reference and broken by a space of no width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rootfruit_checks.report.escape import plain

# What GitHub's later passes look for: people, issues, addresses with and without a scheme, emoji.
_LOOKED_FOR = re.compile(r"([@#:]|\bwww|\bGH(?=-))(?=\S)", re.IGNORECASE)
_NUMBERED = re.compile(r"(\s*\d+)([.)])")
_PLAIN = frozenset(" ,;.()%'")


def prose(text: str, limit: int = 2000) -> str:
    """Return `plain(text)` for the midst of a Markdown line or table cell, to be read as it stands."""
    shown = plain(text, limit)
    if not shown.strip():
        return "(empty)"
    broken = _LOOKED_FOR.sub("\\1\u200b", shown)
    if numbered := _NUMBERED.match(broken):  # at the start of a line or of a point it would be a list's number
        return f"{numbered[1]}&#{ord(numbered[2])};{_references(broken[numbered.end() :])}"
    return _references(broken)


def _references(text: str) -> str:
    return "".join(c if c.isalnum() or c in _PLAIN or ord(c) > 127 else f"&#{ord(c)};" for c in text)


def code(text: str, limit: int = 200) -> str:
    """Return a name or path as a code span; as `prose`, where it holds what could end one or its table cell."""
    shown = plain(text, limit)
    if not shown.strip() or set(shown) & set("`|\\"):
        return prose(text, limit)
    return f"`{shown}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a table; cells must be safe already. Figures stand to the right but in the first `left`."""
    rule = [":--" if place < left or name == "verdict" else "--:" for place, name in enumerate(head)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
