"""What turns a model's answers into numbers and labels, named by content: a changed rule is another instrument.

The store keeps finished tables. Their address holds this fingerprint, so that a table which older rules wrote is never
read as the answer of newer ones; the answers themselves are kept apart and are only labelled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rootfruit_checks.types import BenchmarkName

HERE = Path(__file__).parent

PRONOUN_JUDGE = (
    "benchmarks/families.py",
    "benchmarks/first_names.py",
    "benchmarks/nouns.py",
    "benchmarks/phrases.py",
    "benchmarks/pronouns.py",
    "benchmarks/reading.py",
    "benchmarks/referents.py",
    "benchmarks/walking.py",
)
# A regard classifier has a fingerprint of its own, of weights and files; these are the rules around it.
REGARD = ("classifiers/masking.py", "classifiers/mini.py", "classifiers/regard.py", "classifiers/sequence.py")
_EVERY = ("frame.py", "observe.py", "types.py")

SOURCES: dict[BenchmarkName, tuple[str, ...]] = {
    "winoqueer": ("scoring.py", *_EVERY),
    "disclosure": (*REGARD, *_EVERY),
    "misgendering": (*PRONOUN_JUDGE, "benchmarks/slots.py", "scoring.py", *_EVERY),
}
"""Benchmark -> the sources, below this package, that decide what is read from an answer."""


@cache
def fingerprint(benchmark: BenchmarkName) -> str:
    """Return the fingerprint of a benchmark's instrument."""
    return source_hash(SOURCES[benchmark])


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
