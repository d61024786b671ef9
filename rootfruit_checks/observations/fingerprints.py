"""What turns a model's answers into numbers and labels, named by content: a changed rule is another instrument.

The store keeps finished tables. Their address holds this fingerprint, so that a table which older rules wrote is never
read as the answer of newer ones; the answers themselves are kept apart and are only labelled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from rootfruit_checks.base.digests import text_digest
from rootfruit_checks.catalog.measures import HARMFUL, REGRESSION
from rootfruit_checks.catalog.provenance import told
from rootfruit_checks.catalog.registry import BENCHMARKS, CLASSIFIERS, MEASURES, METRICS, classifier_of

HERE = Path(__file__).parents[1]

PRONOUN_JUDGE = (
    "catalog/pronoun_families.py",
    "judges/pronouns/first_names.py",
    "judges/pronouns/lexicon.py",
    "judges/pronouns/phrases.py",
    "judges/pronouns/judge.py",
    "judges/pronouns/tokenizer.py",
    "judges/pronouns/person_tracker.py",
    "judges/pronouns/resolver.py",
)
# A regard classifier has a fingerprint of its own, of weights and files; these are the rules around it.
REGARD = ("judges/regard/masking.py", "judges/regard/mini.py", "judges/regard/protocol.py", "judges/regard/sequence.py")
_EVERY = ("observations/frame.py", "observations/from_answers.py", "base/types.py")

SOURCES: dict[str, tuple[str, ...]] = {
    "": ("observations/pair_scores.py", *_EVERY),
    "regard": (*REGARD, *_EVERY),
    "pronoun": (*PRONOUN_JUDGE, "observations/pronoun_slots.py", "observations/pair_scores.py", *_EVERY),
}
"""Judge -> the sources, below this package, that decide what is read from an answer; "" of pairs, which have none."""


@cache
def rules(judge: str) -> str:
    """Return the hash of the sources that read an answer by a judge; "" of pairs."""
    return source_hash(SOURCES.get(judge, ("judges/custom.py", *_EVERY)))


def fingerprint(benchmark: str) -> str:
    """Return the fingerprint of a benchmark's instrument; the source of its registration and classifier is part."""
    held = BENCHMARKS[benchmark]
    parts = [rules(held.classifier), held.origin.digest, held.harmful]
    if held.classifier in CLASSIFIERS:
        parts.append(CLASSIFIERS[held.classifier].origin.digest)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def registered(benchmarks: Iterable[str]) -> dict[str, str]:
    """Return what others registered for these benchmarks, in words, for the head of a result."""
    found = {}
    for name in benchmarks:
        if not BENCHMARKS[name].origin.is_built_in:
            found[f"benchmark {name}"] = f"registered by {told(BENCHMARKS[name].origin)}"
        if (instrument := classifier_of(name)) in CLASSIFIERS:
            used = CLASSIFIERS[instrument]
            shift = "was not measured and widens no bounds" if used.shift is None else f"{100 * used.shift:.1f} points"
            found[f"classifier {instrument}"] = (
                f"registered by {told(used.origin)}; measured accuracy: {used.accuracy}; its own shift {shift}"
            )
        for metric in METRICS.values():
            if metric.id.partition("/")[0] == name:
                found[f"metric {metric.id}"] = f"registered by {told(metric.origin)}"
    return found


def unaudited(benchmark: str) -> str:
    """Return, in words, why no shift is known of what labels a benchmark; "" where one is, or nothing is labelled."""
    instrument = classifier_of(benchmark)
    if instrument in CLASSIFIERS and CLASSIFIERS[instrument].shift is None:
        return "its classifier's own shift was not measured"
    if instrument == "pronoun" and BENCHMARKS[benchmark].harmful != HARMFUL["pronoun"]:
        return f"the pronoun judge's shift of the label {BENCHMARKS[benchmark].harmful!r} was not measured"
    return ""


def cautions(benchmarks: Iterable[str]) -> list[str]:
    """Return what must be said of the shift that widens, or does not widen, ceilings that no audit was made for."""
    found = []
    for name in benchmarks:
        if why := unaudited(name):
            found.append(f"{name}: {why}, and widens no bounds")
        elif classifier_of(name) in HARMFUL and not BENCHMARKS[name].audited:
            found.append(
                f"{name}: the {classifier_of(name)} instrument was audited on English sentences about gender "
                "identities; the shift found there widens the bounds of ceilings; elsewhere it is not known"
            )
    return found


def uncompared(benchmark: str) -> list[str]:
    """Return, in words, what others registered of a benchmark and no baseline is compared by."""
    named = [metric.id for metric in METRICS.values() if metric.id.partition("/")[0] == benchmark]
    if f"{benchmark}/{REGRESSION}" not in MEASURES:
        named.insert(0, benchmark)
    return [f"{name}: is not compared with the baseline, for it has no regression check" for name in named]


def shift(benchmark: str) -> float:
    """Return the registered classifier's own shift of a benchmark's disparities; 0 of any other, or where unknown."""
    name = classifier_of(benchmark)
    return CLASSIFIERS[name].shift or 0.0 if name in CLASSIFIERS else 0.0


def source_hash(paths: Sequence[str], root: Path = HERE) -> str:
    """Return the sha256 over names and contents of source files below `root`, the same on every platform."""
    return text_digest((path, root / path) for path in sorted(paths))


def pronoun_judge() -> str:
    """Return the pronoun judge in words, with its measured accuracy and which rules these are."""
    return (
        "rule-based judge of rootfruit-checks; correct on 117 of 127 hand-made continuations before any tuning "
        f"(63 of 67 and 54 of 60); rules {source_hash(PRONOUN_JUDGE)[:12]}"
    )
