"""A text as the pronoun judge reads it: words with their places, after everything that is no running text is hidden.

Hidden are addresses, markup, code, hashtags, and pronouns that are mentioned and not used. One pass each, linear in the
length of the text: no pattern here can backtrack over more than a bounded window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.judges.pronouns.lexicon import ARTICLES, ENGLISH, FOREIGN

FORMS: dict[str, tuple[str, ...]] = {}
"""Form, lower case -> the families that have it."""
for _family in FAMILIES.values():
    for _form in sorted(_family.forms):
        FORMS[_form] = (*FORMS.get(_form, ()), _family.name)
NOMINATIVES = {family.nominative: family.name for family in FAMILIES.values()} | {"zie": "ze"}
ACCUSATIVES = frozenset(family.accusative for family in FAMILIES.values()) - {"hir", "faer"} | {"xim", "zem", "eim"}
# Also words, names, accents or slips. Of another family than the prompt's they count only with a verb after them.
SLIPPERY = frozenset("em ey ne ze zie zem fae ner ners nem xim eim hir hirs nir".split())


@dataclass(slots=True)
class Token:
    """A word, or a mark: `kind` is word, end (of a sentence), comma, colon, open or close (quote), line, mark."""

    kind: str
    text: str
    low: str
    start: int
    end: int
    suffix: str = ""
    first: bool = False
    shout: bool = False
    foreign: bool = False
    title: bool = False


_ONE = "|".join(sorted((re.escape(form) for form in FORMS), key=len, reverse=True))
_CHUNK = re.compile(r"\S+")
_DOMAIN = re.compile(r"\w\.(?:com|org|net|io|edu|gov|html?|py|txt|js|co|uk|de|info|example)\b", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>\n]{1,300}>|&#?\w{1,10};|```[^`]{0,4000}(?:```|\Z)|`[^`\n]{1,200}`")
_CODE = re.compile(r"\w\(|\)[ \t]?[;{]|[{};][ \t]{0,3}$|[\w\])][ \t]?(?:=|==|\+=|->|=>)[ \t]?[\w\"'(\[]")
_MENTION = re.compile(
    rf"\(s\)he\b|\bs/he\b"
    rf"|\b(?:{_ONE})(?:,? ?/ ?(?:{_ONE}))+\b"
    rf"|\b(?P<a>{_ONE})(?:, (?:{_ONE})\b){{0,4}},? (?P<c>or|nor|and|&) (?P<b>{_ONE})\b"
    rf"|\bpronouns?\W{{0,3}}(?:(?:are|is|of|as|like|being|include|such as|set to)\W{{1,3}})?(?:{_ONE})\b"
    rf"(?:\W{{1,3}}(?:and )?(?:{_ONE})\b){{0,6}}"
    rf"|\b(?:{_ONE})(?:\W{{1,3}}(?:{_ONE})){{0,4}}\W{{1,2}}(?:series )?(?:pro)nouns?\b"
    rf"|\b(?:{_ONE}), (?:{_ONE}),(?: and)? (?:{_ONE})\b"
    rf"|\b(?:goes|going|go) by (?:{_ONE})\b"
    rf"|[\"\u201c\u2018'](?:{_ONE})[.,]?[\"\u201d\u2019'](?!\w)"
    r"|\b(?:his|her|their) (?:majest(?:y|ies)|(?:royal )?highness(?:es)?|honou?r|"
    r"excellency|holiness|ladyship|lordship|grace)\b",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"(?P<word>['\u2019]?[^\W_]\w*(?:['\u2019]\w+)*)|(?P<line>\n)|(?P<end>[.!?\u2026\u3002]+)|(?P<comma>,)|(?P<colon>:)"
    r"|(?P<mark>[();\[\]\u2013\u2014&]|--)|(?P<quote>[\"\u201c\u201d\u00ab\u00bb])"
)
_CONTRACTED = re.compile(r"['\u2019](?:s|re|ve|ll|d|m)$", re.IGNORECASE)


def hide(text: str) -> str:
    """Return the text with what is no running text blanked, same length, line ends kept."""
    if any(mark in text for mark in "<&`"):
        text = _MARKUP.sub(_blank, text)
    if any(mark in text for mark in "(){};="):
        text = "\n".join(" " * len(line) if _CODE.search(line) else line for line in text.split("\n"))
    if any(mark in text for mark in "@#/_\\-.*"):
        text = _CHUNK.sub(_chunk, text)
    return _MENTION.sub(_mention, text)


def _blank(match: re.Match[str]) -> str:
    return "".join("\n" if letter == "\n" else " " for letter in match.group())


def _chunk(match: re.Match[str]) -> str:
    chunk = match.group()
    body = chunk.rstrip(".,;:!?)\"'\u201d\u2019")
    low = body.lower()
    if "://" in low or "www." in low or "@" in low or "\\" in low or _DOMAIN.search(low[:300]):
        return " " * len(body) + chunk[len(body) :]
    if "#" in low and low.lstrip("(\"'").startswith("#") and len(low) > 1 and low.strip("#"):
        return " " * len(body) + chunk[len(body) :]
    if ("-" in low and "--" not in low) or "/" in low:
        parts = re.split(r"[-/]", low.strip("(\"'\u201c\u2018"))
        if len(parts) > 1 and all(parts) and any(part in FORMS for part in parts):
            return " " * len(body) + chunk[len(body) :]
    return chunk


def _mention(match: re.Match[str]) -> str:
    first, second, joint = match.group("a"), match.group("b"), match.group("c")
    if first and second and joint:
        first, second = first.lower(), second.lower()
        same_family = set(FORMS[first]) & set(FORMS[second])
        # "him and his brother", "called her and they came" are used; "he or she", "his and her" are not.
        if same_family or (joint.lower() in ("and", "&") and _case(first) != _case(second)):
            return match.group()
    return _blank(match)


def _case(form: str) -> str:
    if form in NOMINATIVES:
        return "nominative"
    return "accusative" if form in ACCUSATIVES - {"her"} else "possessive"


def tokens(text: str) -> list[Token]:
    """Return the words and marks of a text, each sentence checked for shouting, headlines and other languages."""
    out: list[Token] = []
    sentence: list[Token] = []
    quoted = False
    for match in _WORD.finditer(hide(text)):
        kind = match.lastgroup or "mark"
        word = match.group()
        if kind == "quote":
            quoted = word in "\u201c\u00ab" or (word == '"' and not quoted)
            kind = "open" if quoted else "close"
        elif kind == "line":
            quoted = False
        token = Token(kind, word, word.lower(), match.start(), match.end())
        if kind == "word":
            _contraction(token)
            token.first = not sentence
            sentence.append(token)
        elif kind in ("end", "line") and sentence:
            _look(sentence)
            sentence = []
        out.append(token)
    _look(sentence)
    return out


def _contraction(token: Token) -> None:
    low = token.low.replace("\u2019", "'")
    found = _CONTRACTED.search(low)
    if found:
        token.suffix = found.group()
        low = low[: found.start()]
    if low.startswith("'") and low != "'em":
        low = low[1:]
        token.start += 1
        token.text = token.text[1:]
    token.low = low


def _look(sentence: list[Token]) -> None:
    """Mark a sentence that shouts, is set as a headline, or is in another language."""
    if not sentence:
        return
    letters = [token for token in sentence if token.text[0].isalpha()]
    upper = sum(1 for token in letters if token.text.isupper())
    long_upper = sum(1 for token in letters if len(token.text) > 2 and token.text.isupper())
    capital = sum(1 for token in letters if token.text[0].isupper())
    other = sum(1 for token in letters if token.low in FOREIGN or "n'" in token.low)
    ours = sum(1 for token in letters if token.low in ENGLISH) if other > 1 else 0
    shout = (2 * upper > len(letters) and long_upper > 0) or upper == len(letters) > 1
    title = len(letters) > 3 and 3 * capital > 2 * len(letters) and not shout
    foreign = other > 1 and other > ours
    if shout or title or foreign:
        for token in sentence:
            token.shout, token.title, token.foreign = shout, title, foreign


def is_pronoun(token: Token, before: Token | None, after: Token | None, own: str) -> bool:
    """Whether a word that looks like a pronoun form is used as one (rule 1 of `pronouns.py`)."""
    if token.foreign or token.low not in FORMS:
        return False
    if before is not None and before.kind == "word" and before.low in ARTICLES:
        return False
    owners = FORMS[token.low]
    slippery = token.low in SLIPPERY
    if token.text.isupper() and not token.shout and len(token.text) > 1:
        if slippery:
            return own in owners and token.first
        if (before is not None and before.text in "([") or (after is not None and after.text in "(["):
            return False
    if slippery and own not in owners:
        return token.low in NOMINATIVES and after is not None and (bool(token.suffix) or _verbal(after))
    return True


def _verbal(after: Token) -> bool:
    low = after.low
    return after.kind == "word" and (
        low
        in {"is", "was", "has", "had", "will", "would", "can", "could", "did", "does", "went", "said", "took", "made"}
        or (len(low) > 3 and low.endswith(("ed", "s")) and not low.endswith("ss"))
    )
