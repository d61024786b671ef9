"""The codebook: the themes, their definitions, and the words that suggest each of them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CODEBOOK = Path(__file__).with_name("codebook.json")


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme. `words` are phrases; `*` within a word matches any letters, and on its own one word."""

    id: str
    title: str
    definition: str
    words: tuple[str, ...]

    def pattern(self) -> re.Pattern[str]:
        """Return a pattern that finds any of the phrases as whole words, ignoring case."""
        phrases = sorted(map(_phrase, self.words), key=lambda phrase: (-len(phrase), phrase))
        return re.compile(rf"(?<![\w'])(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)


def _phrase(words: str) -> str:
    # A lone star is one word of bounded length, so that hostile text cannot make the match slow.
    parts = [r"[\w']{1,30}" if word == "*" else re.escape(word).replace(r"\*", r"\w{0,15}") for word in words.split()]
    return r"\s".join(parts)


@cache
def themes() -> tuple[Theme, ...]:
    """Return the themes in the codebook's order."""
    raw = json.loads(CODEBOOK.read_text("utf-8"))
    return tuple(Theme(one["id"], one["title"], one["definition"], tuple(one["words"])) for one in raw["themes"])


def theme_ids() -> tuple[str, ...]:
    """Return the themes' ids in the codebook's order."""
    return tuple(theme.id for theme in themes())


def fingerprint() -> str:
    """Return what identifies the codebook: its version and the SHA-256 of its content."""
    content = CODEBOOK.read_bytes()
    return f"codebook {json.loads(content)['version']} {hashlib.sha256(content).hexdigest()[:16]}"
