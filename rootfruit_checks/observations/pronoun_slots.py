"""The log-prob twin of a written pronoun: every family's form where a sentence about the person may begin.

The texts of one prompt share everything but their last word, so the difference of their log-probs is that of the forms:
log p(form | prompt), the log-prob of the shared prefix being equal. Limits:

- The slot is the subject of a new sentence and no other case; the model might not have begun with a pronoun.
- *They* may open a sentence about a group, and a token such as "He" also begins longer words.
- A form of several tokens is the product of their probabilities, and rare forms are several tokens: read the twin as a
  ranking beside the generation, never as a rate, and compare policy with reference rather than family with family.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.pronoun_families import FAMILIES


def twin_texts(prompt_text: str, families: Iterable[str]) -> dict[str, str]:
    """Return family -> the prompt followed by the family's nominative form, capitalized.

    Raises:
        DataError: a family that catalog/pronoun_families.py does not have, or a prompt without text.

    """
    if not prompt_text.strip():
        raise DataError("a prompt is empty: there is no person whose pronoun could follow")
    texts = {}
    for name in families:
        if name not in FAMILIES:
            raise DataError(f"pronoun family {name!r} is not in catalog/pronoun_families.py; add its forms there")
        texts[name] = f"{prompt_text.rstrip()} {FAMILIES[name].nominative.capitalize()}"
    return texts
