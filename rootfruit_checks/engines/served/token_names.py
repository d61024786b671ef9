"""Check that the token names in a server's reply spell the text that was sent.

Tokenizers change spaces, case and Unicode form, and may split a character of several bytes into unprintable tokens.
Such differences are accepted; any other difference means that the reply belongs to another text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

# A token that is part of a character: U+FFFD, OpenAI's `bytes:\xf0`, SentencePiece's `<0xF0>`.
_BYTES = re.compile("\N{REPLACEMENT CHARACTER}+|bytes:(?:\\\\x[0-9a-fA-F]{2})+|<0x[0-9a-fA-F]{2}>")
_UNKNOWN = re.compile(r"<unk>|\[UNK\]|<\|unk\|>")
# Marks for a space or a line break in a vocabulary.
_SPACES = re.compile(r"[\s▁ĠĊĉ]+")
# No tokenizer replaces more than one word by its unknown token.
_LONGEST_UNKNOWN = 40


def _plain(text: str) -> str:
    return text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


_FORMS: Sequence[Callable[[str], str]] = (_plain, str.lower, _composed, _bare)


def squeezed(text: str) -> str:
    """Return the text without spaces, case and accents, which tokenizers may change."""
    return _SPACES.sub("", _bare(text))


def spells(names: Sequence[str], text: str) -> bool:
    """Whether the joined token names spell the text."""
    pieces = [piece for name in names for piece in _pieces(name) if piece]
    return any(_matches(pieces, _SPACES.sub("", form(text)), form) for form in _FORMS)


def _pieces(name: str) -> Iterable[str]:
    """Split a name at unprintable parts, and keep those parts."""
    place = 0
    for found in re.finditer(f"{_BYTES.pattern}|{_UNKNOWN.pattern}", name):
        yield name[place : found.start()]
        yield found[0]
        place = found.end()
    yield name[place:]


def _matches(pieces: Sequence[str], text: str, form: Callable[[str], str]) -> bool:
    places, literal = {0}, ""
    for piece in [*pieces, ""]:
        bytes_, unknown = _BYTES.fullmatch(piece), _UNKNOWN.fullmatch(piece)
        if piece and not (bytes_ or unknown):
            literal += piece
            continue
        want, literal = _SPACES.sub("", form(literal)), ""
        places = {place + len(want) for place in places if text.startswith(want, place)}
        if bytes_:
            places = _reach(places, text, 4 * len(piece), beyond_ascii=True)
        elif unknown:
            places = _reach(places, text, _LONGEST_UNKNOWN, beyond_ascii=False)
    return len(text) in places


def _reach(places: set[int], text: str, most: int, *, beyond_ascii: bool) -> set[int]:
    """Return the positions at which a token without a readable name may end."""
    found = set(places)
    for place in places:
        for end in range(place, min(place + most, len(text))):
            if beyond_ascii and text[end].isascii():
                break
            found.add(end + 1)
    return found
