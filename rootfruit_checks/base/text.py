"""Escape untrusted text, such as model output, for terminals, XML files and HTML pages."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

# Bidirectional overrides and isolates can make a line look different from its content.
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Invisible characters; some runners treat them as spaces.
_INVISIBLE = set("\u200b\u2060\ufeff")
# Commands of CI runners: GitHub's `::` at the start of a line, which wrapping can turn any word start into; its
# `##[`, Azure's `##vso[` and TeamCity's `##teamcity[`, anywhere; GitLab's sections.
_COMMAND = re.compile(r"(?:^|(?<=\s))::+|#(?=#\w*\[)|section_(?:start|end)(?=:)")
_ID = re.compile(r"[\w.-]+(/[\w.-]+)+")


def plain(text: str, limit: int = 2000) -> str:
    """Return text without control, bidi, surrogate or XML-invalid characters, each shown as U+FFFD, cut at `limit`.

    A cut is marked with the length of the rest. Newlines and tabs become spaces: the result is one line. Commands of CI
    runners are broken by a space, wherever a line may be wrapped later.
    """
    cut = text[:limit]
    out = "".join(
        " "
        if c in "\n\r\t\u2028\u2029"
        else "\ufffd"
        if c in _BIDI or c in _INVISIBLE or unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"}
        else c
        for c in cut
    )
    out = _COMMAND.sub(_parted, out)
    return out if len(text) <= limit else f"{out}… [{len(text) - limit} more characters]"


def _parted(found: re.Match[str]) -> str:
    return " ".join(found[0]) if found[0].startswith(":") else f"{found[0]} "


def markup(text: str, limit: int = 2000) -> str:
    """Return `plain(text)` escaped for HTML, in text and in quoted attributes."""
    return html.escape(plain(text, limit), quote=True)


def breakable(text: str) -> Markup:
    """Return text as HTML in which check ids wrap after their slashes on a narrow screen, never inside a word."""
    from markupsafe import Markup

    return Markup(_ID.sub(lambda found: found[0].replace("/", "/<wbr>"), html.escape(text, quote=True)))


def figure(value: float | None, *, signed: bool = False, digits: int = 3, none: str = "-") -> str:
    """Return a figure with a fixed number of decimals, or `none` if there is no value."""
    if value is None:
        return none
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def slug(text: str) -> str:
    """Return the words of a text in lower case, joined by hyphens, for use in an id."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def hyphened(text: str) -> str:
    """Return a text with hyphens for its spaces.

    >>> hyphened("the  chess player")
    'the-chess-player'
    """
    return "-".join(text.split())
