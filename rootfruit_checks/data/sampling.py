"""Sampling at each scale: whole matched cells, chosen by labels and seed alone, so that pairs stay together.

| scale | pairs | prompts |
|---|---|---|
| `smoke` | 4 frames, 12 predicates of each kind an identity | 24 cells of frame and subject |
| `ci`, `paper`, `full` | all | all |

A benchmark whose reader returns a DataSet samples for itself.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Pair, Prompt

SCALES = ("smoke", "ci", "paper", "full")

# At `smoke` every random factor keeps 12 clusters: enough for an interval, however wide.
CLUSTERS = 12
SMOKE_FRAMES = 4
SMOKE_NAMES = 2


def pick(labels: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Return `count` of the distinct labels (all, if None), in an order that depends on seed and labels alone."""
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
    # Leave out frames without control predicates, unless no frame has any.
    whole = {frame for frame, held in kinds.items() if held == every} or set(kinds)
    naming = pick({pair.frame for pair in pairs if pair.name} & whole, SMOKE_FRAMES - 1, seed)
    return {*naming, *pick(whole.difference(naming), SMOKE_FRAMES - len(naming), seed)}


def sample_prompts(prompts: Sequence[Prompt], scale: str, seed: int) -> list[Prompt]:
    """Return the prompts of a scale, in their given order; a kept cell keeps every identity and its controls.

    A cell is a (frame, subject). At `smoke` the two factors are crossed sparsely (the i-th subject is in the i-th
    frame and in the next), so that both keep their clusters in few prompts.
    """
    if checked(scale) != "smoke":
        return list(prompts)
    subjects = pick((prompt.subject for prompt in prompts), CLUSTERS, seed)
    frames = pick((prompt.frame for prompt in prompts), CLUSTERS, seed)
    cells = diagonal(frames, subjects, 2)
    return [prompt for prompt in prompts if (prompt.frame, prompt.subject) in cells]


def diagonal(frames: Sequence[str], subjects: Sequence[str], width: int) -> set[tuple[str, str]]:
    """Return cells that cross two factors sparsely: each label of the longer one is used `width` times.

    >>> sorted(diagonal(["a", "b"], ["x", "y"], 1))
    [('a', 'x'), ('b', 'y')]
    """
    length = max(len(frames), len(subjects)) if frames and subjects else 0
    return {
        (frames[(i + step) % len(frames)], subjects[i % len(subjects)]) for i in range(length) for step in range(width)
    }
