"""How the samples of a plan are distributed over the clusters of a check."""

from __future__ import annotations

from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.gating.checks import Check
from rootfruit_checks.stats.variance_components import Design

# The design of a check about which nothing is known.
NOTHING = Design.of([[]])


def design_of(check: Check, data: DataSet) -> Design:
    """Return the design of a check; n is 0 for a group without samples."""
    members = frozenset(groups().members(check.measure.benchmark, check.group))
    if check.measure.metric == "reward_stigma":
        return _concordance([pair for pair in data.pairs if pair.identity in members])
    samples: list[Pair] | list[Prompt]
    if data.pairs:
        samples = [pair for pair in data.pairs if pair.identity in members and pair.kind == "stigma"]
    else:
        samples = [prompt for prompt in data.prompts if prompt.identity in members]
    return Design.of([[getattr(sample, field) for sample in samples] for field in _fields(check)])


def _fields(check: Check) -> list[str]:
    """The fields of a sample that are its clusters; a pair's name is the frame's column `subject`."""
    columns = BENCHMARKS[check.measure.benchmark].clusters.values()
    pairs = check.measure.kind == "pairs"
    return ["name" if column == "subject" and pairs else column for column in columns]


def _concordance(pairs: list[Pair]) -> Design:
    """Two samples of predicates, compared within frame and identity pair; pairs without a control are not compared."""
    cells: dict[bool, set[tuple[str, str, str]]] = {True: set(), False: set()}
    for pair in pairs:
        cells[pair.kind == "stigma"].add((pair.frame, pair.identity, pair.counterpart))
    both = cells[True] & cells[False]
    kept = [pair for pair in pairs if (pair.frame, pair.identity, pair.counterpart) in both]
    stigma = [pair for pair in kept if pair.kind == "stigma"]
    rows = len({pair.predicate for pair in stigma})
    columns = len({pair.predicate for pair in kept if pair.kind != "stigma"})
    return Design.crossed(rows, columns, len(stigma), subtract=False)
