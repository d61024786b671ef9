"""The starter set: our own samples, shipped in the wheel, so that a gate can run before any official file is fetched.

Each benchmark that has one keeps its tables in its own folder; `benchmarks/STARTER.md` describes them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rootfruit_checks.base.digests import text_digest
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.data.data_set import DataSet

STARTER = "starter"
LICENCE = "Apache-2.0"


def starter_set(
    every: Sequence[Pair | Prompt], kept: Sequence[Pair | Prompt], files: Iterable[Path], *, in_place_of: str
) -> DataSet:
    """Return the starter samples of one benchmark.

    Args:
        every: all samples that the tables give.
        kept: those of the run's scale.
        files: the tables, for the digest.
        in_place_of: the community-made set that it replaces.

    """
    notes = (sampled(kept, every, "samples"),) if len(kept) < len(every) else ()
    return DataSet(
        STARTER,
        f"our own prompts, not the community-made set {in_place_of}",
        LICENCE,
        digest(files),
        notes,
        tuple(sample for sample in kept if isinstance(sample, Pair)),
        tuple(sample for sample in kept if isinstance(sample, Prompt)),
    )


def sampled(kept: Sequence[object], every: Sequence[object], what: str) -> str:
    """Say how many samples a scale keeps."""
    return f"{len(kept)} of {len(every)} {what} were sampled"


def digest(files: Iterable[Path]) -> str:
    """Return the sha256 over names and contents of data files, the same on every platform."""
    return text_digest((path.name, path) for path in sorted(files, key=lambda path: path.name))
