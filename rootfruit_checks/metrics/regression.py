"""Evidence for a check against an earlier release: paired if the samples are the same, else two samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from rootfruit_checks.catalog.measures import LEVELS, Measure
from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES
from rootfruit_checks.metrics.evaluate import evaluate
from rootfruit_checks.metrics.evidence import Evidence
from rootfruit_checks.stats.intervals import refusal
from rootfruit_checks.stats.two_sample import difference, renamed


def regression(
    measure: Measure,
    group: str,
    frame: pd.DataFrame,
    earlier: pd.DataFrame | None,
    *,
    members: Sequence[str],
    controls: Sequence[str],
    **how: Any,
) -> Evidence:
    """Return what the policy's rows say against those of an earlier release's policy.

    Args:
        measure: the regression of a benchmark.
        group: the group's name.
        frame: this run's rows of the benchmark.
        earlier: the baseline's; None where it has none.
        members: identities of the group.
        controls: identities of the controls.
        how: alpha, beta, seed and noise_floor, as for `evaluate`.

    """
    kind = measure.kind
    level = MEASURES[f"{measure.benchmark}/{LEVELS[kind]}"]
    quantity = BENCHMARKS[measure.benchmark].quantity
    policy = frame[(frame["role"] == "policy")]
    wanted: dict[str, Any] = {"members": members, "controls": controls, **how}
    if earlier is None or not (_there(earlier, quantity)["identity"].isin(members)).any():
        held = "the benchmark" if earlier is None else "the group"
        none = refusal(math.nan, (0,) * len(measure.clusters), f"the baseline holds no samples of {held}")
        clusters = dict.fromkeys(measure.clusters, 0)
        return Evidence(f"{measure.id}/{group}", 0, 0, 0.0, clusters, None, None, none)
    people = {*members, *controls}
    if _samples(policy, quantity, people) == _samples(earlier, quantity, people):
        both = pd.concat([policy, earlier.assign(role="reference")], ignore_index=True)
        found = evaluate(replace(measure, needs_reference=True), group, both, **wanted)
        return replace(found, details={**found.details, "comparison": "paired: the baseline's samples are the same"})
    one = evaluate(level, group, policy, **wanted)
    other = evaluate(level, group, earlier.assign(role="policy"), **wanted)
    clusters = {name: min(one.clusters[name], other.clusters[name]) for name in one.clusters}
    bounds = difference(one.interval, other.interval, alpha=how["alpha"], value_range=measure.value_range)
    return Evidence(
        f"{measure.id}/{group}",
        one.n,
        one.unscored + other.unscored,
        max(one.unscored_share, other.unscored_share),
        clusters,
        one.policy,
        other.policy,
        renamed(bounds, "this run", "the baseline"),
        {
            "comparison": "unpaired: the baseline's samples are not the same; two samples, variances added",
            "baseline_n": other.n,
            "baseline_clusters": dict(other.clusters),
        },
        one.contributions,
    )


def _there(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return rows[rows["quantity"] == quantity] if quantity else rows


def _samples(rows: pd.DataFrame, quantity: str, people: set[str]) -> set[str]:
    mine = _there(rows, quantity)
    return set(mine.loc[mine["identity"].isin(people), "sample"])
