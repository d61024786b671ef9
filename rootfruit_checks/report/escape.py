"""Model output is hostile text: what may reach a terminal, an XML file or a page."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

# Bidirectional overrides and isolates can make a line read other than it is.
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_ID = re.compile(r"[\w.-]+(/[\w.-]+)+")
_COMMAND = re.compile(r"^(\s*)::")


def plain(text: str, limit: int = 2000) -> str:
    """Return text without control, bidi, surrogate or XML-invalid characters, each shown as U+FFFD, cut at `limit`.

    A cut is marked with its length. Newlines and tabs become spaces: the result is one line. What GitHub's
    runner would take for a command, `::` at the start of a line of its log and `##[` anywhere, is parted.
    """
    cut = text[:limit]
    out = "".join(
        " "
        if c in "\n\r\t\u2028\u2029"
        else "\ufffd"
        if c in _BIDI or unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"}
        else c
        for c in cut
    ).replace("##[", "# #[")
    out = _COMMAND.sub(r"\1: :", out)
    return out if len(text) <= limit else f"{out}… [{len(text) - limit} more characters]"


def markup(text: str, limit: int = 2000) -> str:
    """Return `plain(text)` escaped for HTML, in text and in quoted attributes."""
    return html.escape(plain(text, limit), quote=True)


def breakable(text: str) -> Markup:
    """Return a check's id as HTML that breaks after its slashes on a narrow screen, and not inside a word."""
    from markupsafe import Markup

    shown = html.escape(text, quote=True)
    return Markup(shown.replace("/", "/<wbr>") if _ID.fullmatch(text) else shown)
