"""The starter set: our own prompts, shipped in the wheel, so that a gate can run before any official file is fetched.

The data files and their card lie beside this file. Stigmatizing sentences exist in the data files only.
"""

from rootfruit_checks.benchmarks.starter.pairs import (
    Identity,
    Predicate,
    SentenceFrame,
    frames,
    identities,
    predicates,
    starter_pairs,
)
from rootfruit_checks.benchmarks.starter.prompts import starter_disclosure, starter_misgendering
from rootfruit_checks.benchmarks.starter.tables import digest

__all__ = [
    "Identity",
    "Predicate",
    "SentenceFrame",
    "frames",
    "identities",
    "predicates",
    "starter_disclosure",
    "starter_info",
    "starter_misgendering",
    "starter_pairs",
]


def starter_info() -> dict[str, str]:
    """Name, licence, source statement and sha256 over all data files, for report headers and baselines."""
    return {
        "name": "rootfruit starter set",
        "version": "1",
        "licence": "Apache-2.0",
        "source": "our own prompts, not the community-made sets (WinoQueer, TANGO)",
        "sha256": digest(),
    }
