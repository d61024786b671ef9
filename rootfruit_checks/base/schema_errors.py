"""Explain in plain words, with the place, why a value does not match a msgspec schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rootfruit_checks.base.text import plain

if TYPE_CHECKING:
    import msgspec

_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_BOUNDED = re.compile(r"Expected `(?P<wanted>[^`]+)` (?P<rest>.+)")


def mismatch(value: Any, schema: Any) -> str:
    """Return where and how a value breaks a schema, as in `$.n: expected text, got null`; "" if it matches."""
    import msgspec

    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        return words(error)
    return ""


def words(error: msgspec.ValidationError) -> str:
    """Return msgspec's error as in `$.n: expected text, got null`.

    A struct that checks plain values against its own schema reports a place below its own; the two are joined.
    """
    what, *places = str(error).split(" - at `")
    place = "".join(part.rstrip("`").removeprefix("$") for part in reversed(places))
    return plain(f"${place}: {_words(what)}", 300)


def _words(what: str) -> str:
    if found := _EXPECTED.fullmatch(what):
        return f"expected {_names(found['wanted'])}, got {_names(found['got'])}"
    if found := _BOUNDED.fullmatch(what):
        return f"expected {_names(found['wanted'])} {found['rest']}"
    if found := re.fullmatch(r"Object missing required field `(.+)`", what):
        return f"lacks the key {found[1]!r}"
    if found := re.fullmatch(r"Object contains unknown field `(.+)`", what):
        return f"has the unknown key {found[1]!r}"
    if found := re.fullmatch(r"Invalid enum value (.+)", what):
        return f"{found[1]} is not one of the allowed values"
    return what


def _names(types: str) -> str:
    names = [_NAMES.get(name.strip(), name.strip()) for name in types.split("|")]
    return " or ".join(names)
