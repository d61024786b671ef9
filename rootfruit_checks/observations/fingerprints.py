"""What turns a model's answers into numbers and labels, named by content: a changed rule is another instrument.

The store keeps finished tables. Their address holds this fingerprint, so that a table which older rules wrote is never
read as the answer of newer ones; the answers themselves are kept apart and are only labelled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from rootfruit_checks.catalog.measures import ADDED, BY_ID, CLASSIFIERS, HARMFUL, METRICS, REGRESSION, instrument_of
from rootfruit_checks.catalog.provenance import told

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
_EVERY = ("observations/frame.py", "observations/observations.py", "base/types.py")

SOURCES: dict[str, tuple[str, ...]] = {
    "winoqueer": ("observations/pair_scores.py", *_EVERY),
    "disclosure": (*REGARD, *_EVERY),
    "misgendering": (*PRONOUN_JUDGE, "observations/pronoun_slots.py", "observations/pair_scores.py", *_EVERY),
}
"""Benchmark -> the sources, below this package, that decide what is read from an answer."""


@cache
def _ours(benchmark: str) -> str:
    return source_hash(SOURCES[benchmark])


def fingerprint(benchmark: str) -> str:
    """Return the fingerprint of a benchmark's instrument; of a registered one its package's source is part."""
    if benchmark not in ADDED:
        return _ours(benchmark)
    added, name = ADDED[benchmark], instrument_of(benchmark)
    rules = {"": _ours("winoqueer"), "regard": _ours("disclosure"), "pronoun": _ours("misgendering")}.get(name)
    if rules is None:
        rules = source_hash(("judges/custom.py", *_EVERY)) + CLASSIFIERS[name].origin.digest
    parts = (rules, added.origin.digest, added.harmful)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def registered(benchmarks: Iterable[str]) -> dict[str, str]:
    """Return what others registered for these benchmarks, in words, for the head of a result."""
    found = {}
    for name in benchmarks:
        if name in ADDED:
            found[f"benchmark {name}"] = f"registered by {told(ADDED[name].origin)}"
        if (instrument := instrument_of(name)) in CLASSIFIERS:
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
    instrument = instrument_of(benchmark)
    if instrument in CLASSIFIERS and CLASSIFIERS[instrument].shift is None:
        return "its classifier's own shift was not measured"
    if instrument == "pronoun" and benchmark in ADDED and ADDED[benchmark].harmful != HARMFUL["pronoun"]:
        return f"the pronoun judge's shift of the label {ADDED[benchmark].harmful!r} was not measured"
    return ""


def cautions(benchmarks: Iterable[str]) -> list[str]:
    """Return what must be said of the shift that widens, or does not widen, ceilings on registered benchmarks."""
    found = []
    for name in benchmarks:
        if name in ADDED and (why := unaudited(name)):
            found.append(f"{name}: {why}, and widens no bounds")
        elif name in ADDED and instrument_of(name) in HARMFUL:
            found.append(
                f"{name}: the {instrument_of(name)} instrument was audited on English sentences about gender "
                "identities; the shift found there widens the bounds of ceilings; elsewhere it is not known"
            )
    return found


def uncompared(benchmark: str) -> list[str]:
    """Return, in words, what others registered of a benchmark and no baseline is compared by."""
    named = [metric.id for metric in METRICS.values() if metric.id.partition("/")[0] == benchmark]
    if benchmark in ADDED and f"{benchmark}/{REGRESSION}" not in BY_ID:
        named.insert(0, benchmark)
    return [f"{name}: is not compared with the baseline, for it has no regression check" for name in named]


def shift(benchmark: str) -> float:
    """Return the registered classifier's own shift of a benchmark's disparities; 0 of any other, or where unknown."""
    name = instrument_of(benchmark)
    return CLASSIFIERS[name].shift or 0.0 if name in CLASSIFIERS else 0.0


def source_hash(paths: Sequence[str], root: Path = HERE) -> str:
    """Return the sha256 over names and contents of source files below `root`, the same on every platform."""
    total = hashlib.sha256()
    for path in sorted(paths):
        # A checkout may turn line ends, which changes no rule.
        content = (root / path).read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def pronoun_judge() -> str:
    """Return the pronoun judge in words, with its measured accuracy and which rules these are."""
    return (
        "rule-based judge of rootfruit-checks; at first sight right on 117 of 127 hand-made continuations "
        f"(63 of 67 and 54 of 60); rules {source_hash(PRONOUN_JUDGE)[:12]}"
    )
