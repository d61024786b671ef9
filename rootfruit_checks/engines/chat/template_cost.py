"""Detect chat templates that would take unbounded time or memory, from their source, before they are rendered.

A timer cannot interrupt a single long operation of the interpreter: `10**(10**8)` and `'a' * 10**9` run in C, the
first for hours and the second until memory is full.
"""

from __future__ import annotations

import re

# No known model template needs larger numbers: the largest seen are thinking budgets below 200,000.
_LARGEST = 1_000_000
_WIDTH = re.compile(r"\d{7,}")


def excessive(source: str) -> str:
    """Return the reason why rendering a template's source could be unbounded, or "" if there is none.

    The source is only tokenized, so the tags that transformers adds to Jinja need not be known.
    """
    import jinja2

    try:
        tokens = [token for token in jinja2.Environment().lex(source) if token[1] != "whitespace"]
    except jinja2.TemplateError:
        return ""  # rendering reports the syntax error
    for place, (_, kind, value) in enumerate(tokens):
        if kind == "operator" and value == "**":
            return "it computes powers"
        if kind == "integer" and int(value.replace("_", ""), 0) > _LARGEST:
            return f"it contains the number {value[:20]}, which is above {_LARGEST}"
        if kind == "string" and _WIDTH.search(value) and ("%" in value or "{" in value):
            return f"it formats text with the width in {value[:40]}"
        if kind == "operator" and value == "*":
            beside = tokens[max(place - 1, 0) : place + 2 : 2]
            if any(near[1] == "string" for near in beside) and not any(near[1] == "integer" for near in beside):
                return "it repeats a text a computed number of times"
    return ""
