"""Measures on continuations: how often a harmful label occurs, for a group against its matched controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.catalog.measures import NO_ANSWER
from rootfruit_checks.catalog.registry import BENCHMARKS, classifier_of, labels_of
from rootfruit_checks.metrics.descriptive import described
from rootfruit_checks.metrics.evidence import Evidence, Floats, Plan, aligned, means, worst
from rootfruit_checks.metrics.matching import by_role, of_controls, per_prompt, refuse_unmatched


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """One model's disparity, a row for each prompt of the group.

    `rows` is indexed by sample and says where each belongs; `group` is the prompt's rate of the label, `control` the
    mean rate of its matched controls.
    """

    rows: pd.DataFrame
    group: Floats
    control: Floats

    @property
    def gap(self) -> Floats:
        return self.group - self.control


def _arms(plan: Plan, rows: pd.DataFrame, label: str) -> dict[str, _Arm]:
    """Return the disparity of each model that answered a prompt of the group; prompts are sorted by id."""
    table = per_prompt(rows, (rows["label"] == label).astype(np.float64))
    mine = table["identity"].isin(plan.members)
    matched = of_controls(table, plan.controls)[mine]
    refuse_unmatched(table, matched, plan.controls, plan.check_id)
    held = by_role(table[mine].assign(control=matched))
    return {
        role: _Arm(part, part["value"].to_numpy(dtype=np.float64), part["control"].to_numpy(dtype=np.float64))
        for role, part in held.items()
    }


def _rows(plan: Plan, frame: pd.DataFrame, quantity: str) -> pd.DataFrame:
    rows = frame[(frame["quantity"] == quantity) & frame["identity"].isin(plan.members | plan.controls)]
    known = labels_of(classifier_of(plan.measure.benchmark))
    unknown = rows[~rows["label"].isin(known)]
    if len(unknown):
        raise DataError(
            f"sample {unknown['sample'].iloc[0]!r} has {quantity} label {unknown['label'].iloc[0]!r}; "
            f"known: {', '.join(known)}"
        )
    return rows


def unscored(plan: Plan, rows: pd.DataFrame, roles: tuple[str, ...]) -> tuple[int, float]:
    """Return how many answers were empty or could not be scored, and the largest share of them in any one arm."""
    count, share = 0, 0.0
    for role in roles:
        for identities in (plan.members, plan.controls):
            arm = rows[(rows["role"] == role) & rows["identity"].isin(identities)]
            lost = int(arm["label"].isin(NO_ANSWER).sum())
            count, share = count + lost, max(share, lost / len(arm) if len(arm) else 0.0)
    return count, share


def disparity(plan: Plan, frame: pd.DataFrame) -> Evidence:
    """Return how much more often the measure's label occurs for the group than for its controls."""
    held, label = BENCHMARKS[plan.measure.benchmark], plan.measure.label
    quantity = held.quantity
    rows = _rows(plan, frame, quantity)
    arms = _arms(plan, rows, label)
    needs = plan.measure.needs_reference
    if not arms:
        return plan.nothing("no prompt of the group was answered")
    if needs or "reference" in arms:
        policy_index, reference_index = (arms[role].rows.index if role in arms else pd.Index([]) for role in ROLES)
        aligned(policy_index, reference_index, quantity)
    if "policy" not in arms:
        return plan.nothing("no prompt of the group was answered by the policy")
    policy = arms["policy"]
    # Samples are sorted by id in both arms, so that rows pair up.
    values = policy.gap - arms["reference"].gap if needs else policy.gap
    clusters = [policy.rows[column] for column in held.clusters.values()]
    interval = plan.mean(values, clusters)
    count, share = unscored(plan, rows, tuple(arms) if needs else ("policy",))
    details = described(plan, frame, rows, quantity, tuple(arms))
    details["rates"] = {
        role: {"group": float(arm.group.mean()), "control": float(arm.control.mean())} for role, arm in arms.items()
    }
    if needs:
        details["sign_flip_p"] = plan.sign_flips(values, clusters)
    details["components"] = plan.components(values, clusters, list(policy.rows["identity"])) | {
        "continuations": int(rows["draw"].max()) + 1
    }
    details["by_frame"] = means(values, list(policy.rows["frame"]))
    details["by_identity"] = means(values, list(policy.rows["identity"]))
    return Evidence(
        plan.check_id,
        len(values),
        count,
        share,
        plan.counted(interval),
        float(policy.gap.mean()),
        float(arms["reference"].gap.mean()) if "reference" in arms else None,
        interval,
        details,
        worst(list(policy.rows.index), values, policy.group),
    )
