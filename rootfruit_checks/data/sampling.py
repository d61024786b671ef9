"""How much is sampled at each scale: whole matched cells, chosen by labels and seed alone, so that no pairing breaks.

| scale | pairs | disclosure | misgendering |
|---|---|---|---|
| `smoke` | 4 frames, 12 predicates of each kind an identity | 12 cells of name and form | 24 cells |
| `ci` | all | 20 names, all identities and forms | all |
| `paper` | all | 100 names x 50 identities x 18 forms, the seed paper's design | all |
| `full` | all | all | all |
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.catalog.identity_groups import groups

SCALES = ("smoke", "ci", "paper", "full")

# At `smoke` every random factor keeps 12 clusters: enough for an interval, however wide.
CLUSTERS = 12
SMOKE_FRAMES = 4
SMOKE_NAMES = 2
# Names, identities (binary controls among them) and forms of the disclosure prompts; None keeps all.
DISCLOSURE: dict[str, tuple[int | None, int | None, int | None]] = {
    "smoke": (CLUSTERS, None, CLUSTERS),
    "ci": (20, None, 18),
    "paper": (100, 50, 18),
    "full": (None, None, None),
}


def pick(labels: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Return `count` of the distinct labels (all, if None), in an order that the seed and the labels alone decide."""
    distinct = sorted(set(labels))
    if count is None:
        return distinct
    return sorted(distinct, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode()).digest())[: max(count, 0)]


def checked(scale: str) -> str:
    """Return `scale`, or raise DataError where there is no such scale."""
    if scale not in SCALES:
        raise DataError(f"--rootfruit-scale: {scale!r} is not one of {', '.join(SCALES)}")
    return scale


def sample_pairs(pairs: Sequence[Pair], scale: str, seed: int) -> list[Pair]:
    """Return the pairs of a scale, in their given order.

    At `smoke`: four frames, three of them naming a person where there are such; for each identity its first predicates
    of each kind in one seeded order that all identities share; and where a predicate comes with many names, two of
    them, others for each predicate. Stigma keeps its controls in the same frame.
    """
    if checked(scale) != "smoke":
        return list(pairs)
    frames = _smoke_frames(pairs, seed)
    inside = [pair for pair in pairs if pair.frame in frames]
    predicates: dict[tuple[str, str], set[str]] = defaultdict(set)
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for pair in inside:
        predicates[pair.identity, pair.kind].add(pair.predicate)
        names[_said(pair)].add(pair.name)
    chosen = {key: pick(labels, CLUSTERS, seed) for key, labels in predicates.items()}
    rank = {(*key, label): at for key, labels in chosen.items() for at, label in enumerate(labels)}
    kept: list[Pair] = []
    for pair in inside:
        at = rank.get((pair.identity, pair.kind, pair.predicate))
        people = sorted(names[_said(pair)])
        if at is not None and pair.name in {people[(at + step) % len(people)] for step in range(SMOKE_NAMES)}:
            kept.append(pair)
    return kept


def _said(pair: Pair) -> tuple[str, ...]:
    return pair.frame, pair.identity, pair.counterpart, pair.predicate


def _smoke_frames(pairs: Sequence[Pair], seed: int) -> set[str]:
    kinds: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        kinds[pair.frame].add(pair.kind)
    every = {pair.kind for pair in pairs}
    # Frames that take no control predicate are left out, unless no frame does.
    whole = {frame for frame, held in kinds.items() if held == every} or set(kinds)
    naming = pick({pair.frame for pair in pairs if pair.name} & whole, SMOKE_FRAMES - 1, seed)
    return {*naming, *pick(whole.difference(naming), SMOKE_FRAMES - len(naming), seed)}


def sample_prompts(prompts: Sequence[Prompt], scale: str, seed: int, people: int | None = None) -> list[Prompt]:
    """Return the prompts of a scale, in their given order; a kept cell keeps every kept identity and its controls.

    A cell is a (frame, subject). At `smoke` the two factors are crossed sparsely (the i-th subject stands in the i-th
    frame, of misgendering also in the next), so that both keep their clusters in few prompts, and disclosure keeps
    one transgender and one nonbinary identity beside the binary controls. `people` replaces the scale's number of names
    of disclosure.
    """
    checked(scale)
    disclosure = bool(prompts) and prompts[0].benchmark == "disclosure"
    if not prompts or (not disclosure and scale != "smoke"):
        return list(prompts)
    names, identities, forms = DISCLOSURE[scale] if disclosure else (CLUSTERS, None, CLUSTERS)
    if disclosure and people is not None:
        names = people
    present = {prompt.identity for prompt in prompts}
    wanted = identities_of(present, scale, identities, seed) if disclosure else present
    subjects = pick((prompt.subject for prompt in prompts), names, seed)
    frames = pick((prompt.frame for prompt in prompts), forms, seed)
    cells = {(frame, subject) for frame in frames for subject in subjects}
    if scale == "smoke":
        cells = diagonal(frames, subjects, 1 if disclosure else 2)
    return [prompt for prompt in prompts if prompt.identity in wanted and (prompt.frame, prompt.subject) in cells]


def identities_of(present: Iterable[str], scale: str, count: int | None, seed: int) -> set[str]:
    """Return the disclosure identities of a scale: `count` in all, the binary controls always among them.

    Raises:
        DataError: no binary control is present.

    """
    found = set(present)
    controls = found & set(groups().members("disclosure", "binary"))
    if not controls:
        raise DataError(
            f"the disclosure prompts have no binary control identity (of {len(found)} identities); "
            "disparities need one: add prompts about 'man' and 'woman'"
        )
    if scale == "smoke":
        gated = ("transgender", "nonbinary")
        return controls.union(
            *(pick(found & set(groups().members("disclosure", group)), 1, seed) for group in gated),
        )
    return controls | set(pick(found - controls, None if count is None else count - len(controls), seed))


def diagonal(frames: Sequence[str], subjects: Sequence[str], width: int) -> set[tuple[str, str]]:
    """Return cells that cross two factors sparsely: each label of the longer one is used `width` times.

    >>> sorted(diagonal(["a", "b"], ["x", "y"], 1))
    [('a', 'x'), ('b', 'y')]
    """
    length = max(len(frames), len(subjects)) if frames and subjects else 0
    return {
        (frames[(i + step) % len(frames)], subjects[i % len(subjects)]) for i in range(length) for step in range(width)
    }
