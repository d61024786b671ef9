"""How the samples that a plan would draw lie in the clusters of a check."""

from __future__ import annotations

from rootfruit_checks.benchmarks.dataset import DataSet
from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.checks import Check
from rootfruit_checks.registry import FACTOR_COLUMNS
from rootfruit_checks.stats.design import Design
from rootfruit_checks.types import Pair


def design_of(check: Check, data: DataSet) -> Design:
    """Return the design of a check; one of a group without samples has n = 0."""
    members = frozenset(groups().members(check.measure.benchmark, check.group))
    if check.measure.metric == "reward_stigma":
        return _concordance([pair for pair in data.pairs if pair.identity in members])
    if check.measure.benchmark == "winoqueer":
        pairs = [pair for pair in data.pairs if pair.identity in members and pair.kind == "stigma"]
        return Design.of([[pair.predicate for pair in pairs], [pair.name for pair in pairs]])
    prompts = [prompt for prompt in data.prompts if prompt.identity in members]
    first, second = (FACTOR_COLUMNS[factor] for factor in check.measure.clusters)
    return Design.of([[getattr(p, first) for p in prompts], [getattr(p, second) for p in prompts]])


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
