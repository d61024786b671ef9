"""Sequential looks: which clusters each look adds, and how much of a check's plan was seen. Fixed by data and seed.

A look is a set of whole clusters of one factor, crossed with all of the other: predicates of each kind for pairs, the
longer of frame and subject for prompts. Matched controls are in the same cells and are included. The bounds at every
look, including the last one, come from `stats/confidence_sequence.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.sampling import pick
from rootfruit_checks.gating.checks import Check
from rootfruit_checks.stats.intervals import FEWEST_CLUSTERS

# Each look loads the models again, so there are few looks; each doubles the sample.
SHARES = (0.125, 0.25, 0.5, 1.0)
_CONTROLS = ("neutral", "positive")


def planned(benchmark: str, data: DataSet, seed: int) -> list[DataSet]:
    """Return what each look adds; together they are `data`. Some may add nothing.

    No look has fewer than 10 clusters, the minimum for a bound. If the two factors of prompts are not fully crossed
    (scale smoke), or are not the benchmark's clusters, everything is in the first look.
    """
    column = _column(benchmark, data)
    if column == "predicate":
        order: dict[tuple[str, str], int] = {}
        for kind in sorted({pair.kind for pair in data.pairs}):
            labels = {pair.predicate for pair in data.pairs if pair.kind == kind}
            order |= {(kind, label): look for label, look in _looks_of(labels, seed).items()}
        return [
            replace(data, pairs=tuple(pair for pair in data.pairs if order[pair.kind, pair.predicate] == look))
            for look in range(len(SHARES))
        ]
    if not column:
        return [data, *[replace(data, pairs=(), prompts=())] * (len(SHARES) - 1)]
    which = _looks_of({getattr(prompt, column) for prompt in data.prompts}, seed)
    return [
        replace(data, prompts=tuple(prompt for prompt in data.prompts if which[getattr(prompt, column)] == look))
        for look in range(len(SHARES))
    ]


def _column(benchmark: str, data: DataSet) -> str:
    """Return the field over which looks are taken; "" if everything is in the first look."""
    clusters = set(BENCHMARKS[benchmark].clusters.values())
    if data.pairs:
        return "predicate" if "predicate" in clusters else ""
    return looked_over(data.prompts) if clusters == {"frame", "subject"} else ""


def looked_over(prompts: Sequence[Prompt]) -> str:
    """Return the field over which looks are taken, "frame" or "subject"; "" if the two are not fully crossed."""
    frames, subjects = {prompt.frame for prompt in prompts}, {prompt.subject for prompt in prompts}
    if len({(prompt.frame, prompt.subject) for prompt in prompts}) < len(frames) * len(subjects):
        return ""
    return "frame" if len(frames) > len(subjects) else "subject"


def share_of(check: Check, seen: DataSet, whole: DataSet) -> float:
    """Return the share of a check's planned clusters that was seen, in the factor looked over.

    For pairs, it is the smaller share of stigmatizing and control predicates; 0 if nothing was seen.
    """
    benchmark = check.measure.benchmark
    column = _column(benchmark, whole)
    if not column:
        return 1.0
    members = set(groups().members(benchmark, check.group))
    shares = []
    for some in (("stigma",), _CONTROLS) if whole.pairs else ((),):
        ahead = _clusters(whole, members, column, some)
        if ahead:
            shares.append(len(_clusters(seen, members, column, some)) / len(ahead))
    return min(shares, default=0.0)


def joined(one: DataSet, other: DataSet) -> DataSet:
    """Return both samples as one."""
    return replace(one, pairs=(*one.pairs, *other.pairs), prompts=(*one.prompts, *other.prompts))


def size(data: DataSet) -> int:
    """Return how many samples there are."""
    return len(data.pairs) + len(data.prompts)


def _looks_of(labels: Iterable[str], seed: int) -> dict[str, int]:
    """Label -> the look that adds it."""
    distinct = set(labels)
    ordered = pick(distinct, len(distinct), seed)
    upto = [max(math.ceil(share * len(ordered)), min(FEWEST_CLUSTERS, len(ordered))) for share in SHARES]
    return {label: next(look for look, end in enumerate(upto) if at < end) for at, label in enumerate(ordered)}


def _clusters(data: DataSet, members: set[str], column: str, kinds: tuple[str, ...]) -> set[str]:
    samples: Sequence[Pair | Prompt] = data.pairs or data.prompts
    return {
        str(getattr(sample, column))
        for sample in samples
        if sample.identity in members and (not isinstance(sample, Pair) or sample.kind in kinds)
    }
