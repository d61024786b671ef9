"""Turns the values of a registered metric into evidence: checked row by row, with bounds as for built-in metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rootfruit_checks.base.errors import DataError, RootfruitError
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.catalog.provenance import told
from rootfruit_checks.catalog.registry import METRICS
from rootfruit_checks.metrics.evidence import Evidence, Floats, Plan, worst
from rootfruit_checks.metrics.prompts import unscored
from rootfruit_checks.observations.frame import TEXTS

_LEVELS = ("policy", "reference")


@dataclass(frozen=True, slots=True)
class Group:
    """The group that a metric is asked about: its name, its identities, and those that it is compared with."""

    name: str
    members: frozenset[str]
    controls: frozenset[str]


def own(plan: Plan, frame: pd.DataFrame) -> Evidence:
    """Return the evidence of a registered metric.

    Raises:
        DataError: the metric fails, or returns a wrong table.

    """
    metric = METRICS[plan.measure.id]
    where = f"metric {metric.id!r} ({told(metric.origin)})"
    mine = frame[frame["identity"].isin(plan.members)]
    if not len(mine):
        return plan.nothing("there is no sample of the group")
    try:
        answer = metric.function(frame.copy(), Group(plan.check_id.rpartition("/")[2], plan.members, plan.controls))
    except RootfruitError:
        raise
    except Exception as error:  # a custom metric may raise anything
        raise DataError(f"{where} fails with {type(error).__name__}: {error}") from error
    rows = _checked(plan, where, answer, set(mine["sample"]))
    values = rows["value"].to_numpy(dtype=np.float64)
    fine = np.isfinite(values)
    count, share = _lost(plan, frame)
    count, share = count + int((~fine).sum()), max(share, float((~fine).mean()) if len(fine) else 0.0)
    if not fine.any():
        return plan.nothing("the metric gives no value for the group", count)
    rows, values = rows[fine], values[fine]
    try:
        interval = plan.mean(values, [rows[name] for name in plan.measure.clusters])
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    levels = {role: _mean(rows[role].to_numpy(np.float64)) if role in rows else None for role in _LEVELS}
    return Evidence(
        plan.check_id,
        len(values),
        count,
        share,
        plan.counted(interval),
        levels["policy"],
        levels["reference"],
        interval,
        {"left_out": int(mine["sample"].nunique()) - len(fine)},
        worst(list(rows["sample"]), values, values),
    )


def _checked(plan: Plan, where: str, answer: object, samples: set[str]) -> pd.DataFrame:
    must = ("sample", "value", *plan.measure.clusters)
    if not isinstance(answer, pd.DataFrame) or not set(must) <= set(answer.columns) <= {*must, *_LEVELS}:
        odd = f"columns {', '.join(map(str, answer.columns))}" if isinstance(answer, pd.DataFrame) else "no DataFrame"
        raise DataError(
            f"{where} returned {odd}; it must return a DataFrame with {', '.join(must)} (and policy, reference)"
        )
    rows = answer.reset_index(drop=True)
    if rows["sample"].duplicated().any():
        raise DataError(f"{where} returned sample {rows['sample'][rows['sample'].duplicated()].iloc[0]!r} twice")
    strange = rows.loc[~rows["sample"].isin(samples), "sample"]
    if len(strange):
        raise DataError(f"{where} returned {strange.iloc[0]!r}, which is not a sample of {plan.check_id}")
    for name in plan.measure.clusters:
        if rows[name].isna().any():
            raise DataError(f"{where} returned a row without {name}; a sample without that factor has the label ''")
    for name in ("value", *(set(_LEVELS) & set(rows.columns))):
        try:
            rows[name] = rows[name].astype("float64")
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: column {name} holds what is not a number ({error})") from error
    if np.isinf(rows["value"]).any():
        raise DataError(f"{where} returned an infinite value; what cannot be scored is NaN")
    return rows


def _lost(plan: Plan, frame: pd.DataFrame) -> tuple[int, float]:
    """Count what the models themselves left unanswered: a metric must not hide a model that went silent."""
    roles = ROLES if plan.measure.needs_reference else ("policy",)
    rows = frame[frame["identity"].isin(plan.members | plan.controls)]
    if plan.measure.kind == "prompts":
        return unscored(plan, rows[rows["quantity"].isin(TEXTS)], roles)
    # Scores that exist are finite (see engines.base.score).
    return 0, 0.0


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
