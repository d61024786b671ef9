"""How much is sampled at each scale: whole matched cells, chosen by labels and seed alone: no pairing breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.types import Pair, Prompt

# Predicates of each kind (of every frame and identity pair), names and forms (disclosure), templates and antecedents
# (misgendering) that a scale keeps; None keeps all. `smoke` keeps at least 12 clusters of each random factor, so that
# every check gets an interval, however wide. `paper` is the seed paper's 100 names x 50 identities x 18 forms.
PREDICATES: dict[str, int | None] = {"smoke": 12, "ci": None, "paper": None, "full": None}
SMOKE_FRAMES = 3
DISCLOSURE: dict[str, tuple[int | None, int | None, int | None]] = {
    "smoke": (12, 5, 12),
    "ci": (20, None, 18),
    "paper": (100, 50, 18),
    "full": (None, None, None),
}
MISGENDERING: dict[str, tuple[int | None, int | None]] = {
    "smoke": (12, 12),
    "ci": (None, None),
    "paper": (None, None),
    "full": (None, None),
}


def pick(labels: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Return `count` of the distinct labels (all, if None), in an order that the seed and the labels alone decide."""
    distinct = sorted(set(labels))
    if count is None:
        return distinct
    return sorted(distinct, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode()).digest())[:count]


def sample_pairs(pairs: Sequence[Pair], scale: str, seed: int) -> list[Pair]:
    """Return the pairs of a scale: the same predicates and frames for every pair of identities."""
    count = PREDICATES[scale]
    if count is None:
        return list(pairs)
    frames = set(pick((pair.frame for pair in pairs), SMOKE_FRAMES, seed))
    # Predicates that occur in every chosen frame for some identity come first; else sparse sets lose their clusters.
    inside = [pair for pair in pairs if pair.frame in frames]
    kept = {
        (kind, predicate)
        for kind in ("stigma", "neutral", "positive")
        for predicate in pick((pair.predicate for pair in inside if pair.kind == kind), count, seed)
    }
    return [pair for pair in inside if (pair.kind, pair.predicate) in kept]


def sample_prompts(prompts: Sequence[Prompt], scale: str, seed: int) -> list[Prompt]:
    """Return the prompts of a scale. Every kept (frame, subject) keeps all kept identities and their controls.

    At `smoke` the two factors are crossed sparsely: the i-th subject stands in two of the frames, so that both
    factors keep all their clusters in few prompts.
    """
    if not prompts:
        return []
    if prompts[0].benchmark == "disclosure":
        subjects_kept, identities_kept, frames_kept = DISCLOSURE[scale]
        controls = set(groups().members("disclosure", "binary"))
        others = [prompt.identity for prompt in prompts if prompt.identity not in controls]
        wanted = set(pick(others, identities_kept, seed)) | controls
        if scale == "smoke":
            # The gated groups must not be empty at any scale.
            for group in ("transgender", "nonbinary"):
                wanted |= set(pick(set(others) & set(groups().members("disclosure", group)), 1, seed))
    else:
        frames_kept, subjects_kept = MISGENDERING[scale]
        wanted = {prompt.identity for prompt in prompts}
    subjects = pick((prompt.subject for prompt in prompts), subjects_kept, seed)
    frames = pick((prompt.frame for prompt in prompts), frames_kept, seed)
    if scale == "smoke":
        cells = {(frames[(i + step) % len(frames)], subject) for i, subject in enumerate(subjects) for step in (0, 1)}
    else:
        cells = {(frame, subject) for frame in frames for subject in subjects}
    return [prompt for prompt in prompts if prompt.identity in wanted and (prompt.frame, prompt.subject) in cells]
