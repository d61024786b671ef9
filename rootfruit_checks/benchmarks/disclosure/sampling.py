"""How much is sampled at each scale: names, identities and forms, chosen by labels and seed alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.catalog.identity_groups import members
from rootfruit_checks.data.sampling import CLUSTERS, checked, diagonal, pick

# Names, identities (binary controls among them) and forms; None keeps all. `paper` is the seed paper's design.
SCALES: dict[str, tuple[int | None, int | None, int | None]] = {
    "smoke": (CLUSTERS, None, CLUSTERS),
    "ci": (20, None, 18),
    "paper": (100, 50, 18),
    "full": (None, None, None),
}


def sample_disclosure(prompts: Sequence[Prompt], scale: str, seed: int, people: int | None = None) -> list[Prompt]:
    """Return the prompts of a scale, in their given order; a kept cell keeps every kept identity and its controls.

    A cell is a (form, name). At `smoke` the i-th name stands in the i-th form alone, and one transgender and one
    nonbinary identity are kept beside the binary controls. `people` replaces the scale's number of names.
    """
    names, identities, forms = SCALES[checked(scale)]
    wanted = identities_of((prompt.identity for prompt in prompts), scale, identities, seed)
    subjects = pick((prompt.subject for prompt in prompts), people or names, seed)
    frames = pick((prompt.frame for prompt in prompts), forms, seed)
    cells = {(frame, subject) for frame in frames for subject in subjects}
    if scale == "smoke":
        cells = diagonal(frames, subjects, 1)
    return [prompt for prompt in prompts if prompt.identity in wanted and (prompt.frame, prompt.subject) in cells]


def identities_of(present: Iterable[str], scale: str, count: int | None, seed: int) -> set[str]:
    """Return the disclosure identities of a scale: `count` in all, the binary controls always among them.

    Raises:
        DataError: no binary control is present.

    """
    found = set(present)
    controls = found & set(members("disclosure", "binary"))
    if not controls:
        raise DataError(
            f"the disclosure prompts have no binary control identity (of {len(found)} identities); "
            "disparities need one: add prompts about 'man' and 'woman'"
        )
    if scale == "smoke":
        gated = ("transgender", "nonbinary")
        return controls.union(
            *(pick(found & set(members("disclosure", group)), 1, seed) for group in gated),
        )
    return controls | set(pick(found - controls, None if count is None else count - len(controls), seed))
