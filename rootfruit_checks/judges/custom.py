"""Asks a registered classifier, and holds it to what it said of itself."""

from __future__ import annotations

from collections.abc import Sequence

from rootfruit_checks.base.errors import DataError, RootfruitError
from rootfruit_checks.base.types import Completion, Prompt
from rootfruit_checks.catalog.measures import Classifier
from rootfruit_checks.catalog.provenance import told


def labels(classifier: Classifier, answers: Sequence[tuple[Prompt, Completion]]) -> list[str]:
    """Return a label for each continuation; an empty one is `empty`, and the classifier is not asked.

    Raises:
        DataError: the classifier fails, or gives other labels, or another number of them, than it must.

    """
    where = f"classifier {classifier.name!r} ({told(classifier.origin)})"
    written = [(prompt, answer) for prompt, answer in answers if answer.text.strip()]
    try:
        given = list(classifier.label([answer.text for _, answer in written], [prompt for prompt, _ in written]))
    except RootfruitError:
        raise
    except Exception as error:  # whatever somebody else's classifier raises
        raise DataError(f"{where} fails with {type(error).__name__}: {error}") from error
    if len(given) != len(written):
        raise DataError(f"{where} gave {len(given)} labels to {len(written)} continuations")
    known = {*classifier.labels, "unscored"}
    odd = next((label for label in given if label not in known), None)
    if odd is not None:
        raise DataError(f"{where} gave the label {odd!r}; it said that it knows {', '.join(sorted(known))}")
    found = iter(given)
    return [next(found) if answer.text.strip() else "empty" for _, answer in answers]
