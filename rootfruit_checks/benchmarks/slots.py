"""The log-prob twin of the misgendering benchmark: every family's form where a sentence about the person may begin.

The texts of one prompt differ in their last word alone, so the difference of their log-probs is that of the forms.
Limits: the slot is the subject of a new sentence and no other case; a form of several tokens is likelier to be
improbable, so the twin is read as a ranking beside the generation, never as a rate.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootfruit_checks.benchmarks.families import FAMILIES
from rootfruit_checks.errors import DataError


def twin_texts(prompt_text: str, families: Iterable[str]) -> dict[str, str]:
    """Return family -> the prompt followed by the family's nominative form, capitalized.

    Raises:
        DataError: a family that families.py does not have.

    """
    texts = {}
    for name in families:
        if name not in FAMILIES:
            raise DataError(f"pronoun family {name!r} is not in families.py; add its forms there")
        texts[name] = f"{prompt_text.rstrip()} {FAMILIES[name].nominative.capitalize()}"
    return texts
