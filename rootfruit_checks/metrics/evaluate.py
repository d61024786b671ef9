"""From the tidy frame to the evidence for one check: pure functions of the frame, one per measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.catalog.registry import METRICS
from rootfruit_checks.metrics.custom import own
from rootfruit_checks.metrics.evidence import Evidence, Plan
from rootfruit_checks.metrics.pairs import PAIR_METRICS
from rootfruit_checks.metrics.prompts import disparity

__all__ = ["Evidence", "evaluate"]


def evaluate(
    measure: Measure,
    group: str,
    frame: pd.DataFrame,
    *,
    alpha: float,
    beta: float,
    seed: int,
    noise_floor: float,
    members: Sequence[str],
    controls: Sequence[str],
) -> Evidence:
    """Return what the frame says about one measure on one group. A group without rows is Evidence with n = 0.

    Args:
        measure: a row of the registry.
        group: the group's name, for the check id.
        frame: tidy rows of the measure's benchmark (see `observations/frame.py`); other benchmarks' rows are ignored.
        alpha: level of each one-sided bound.
        beta: DPO's beta: the unit of the implicit reward, which no sign or rank depends on.
        seed: seed of the resampling.
        noise_floor: nats within which a difference of two log-probs is a tie.
        members: identities of the group.
        controls: identities of the controls; not used for pairs.

    Raises:
        DataError: a duplicate row, a sample that one model lacks, a missing matched control, an unknown label.
        ConfigError: the registry has a measure that has no definition here.

    """
    plan = Plan(
        measure=measure,
        check_id=f"{measure.id}/{group}",
        alpha=alpha,
        beta=beta,
        seed=seed,
        noise=noise_floor,
        members=frozenset(members),
        controls=frozenset(controls),
    )
    definition = _definition(measure)
    if definition is None:
        raise ConfigError(f"{measure.id}: this measure is registered but has no definition")
    mine = frame[frame["benchmark"] == measure.benchmark]
    return definition(plan, mine) if len(mine) else plan.nothing(f"nothing of {measure.benchmark} was measured")


def _definition(measure: Measure) -> Callable[[Plan, pd.DataFrame], Evidence] | None:
    if measure.id in METRICS:
        return own
    return PAIR_METRICS.get(measure.metric) if measure.kind == "pairs" else disparity
