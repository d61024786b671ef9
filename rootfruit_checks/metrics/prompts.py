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
from rootfruit_checks.metrics.evidence import Evidence, Floats, Plan, aligned, by_sample, means, worst

_WHERE = ["subject", "frame"]


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """One model's disparity, a row for each prompt of the group.

    `rows` is indexed by sample and holds identity, frame and subject; `gap` is the prompt's rate minus the mean rate
    of its matched controls; `group` and `control` are what it is the difference of.
    """

    rows: pd.DataFrame
    group: Floats
    control: Floats

    @property
    def gap(self) -> Floats:
        return self.group - self.control


def _rates(rows: pd.DataFrame, label: str, what: str) -> pd.DataFrame:
    """One row a prompt: the share of its draws that got `label`. Several draws are no independent samples."""
    twice = rows.duplicated(["sample", "draw"])
    if twice.any():
        raise DataError(
            f"sample {rows.loc[twice, 'sample'].iloc[0]!r} has more than one {what} for the same draw; "
            "sample ids must be unique (is a data file read twice?)"
        )
    marked = rows.assign(rate=(rows["label"] == label).astype(np.float64))
    rate = marked.groupby("sample", sort=True)["rate"].mean()
    firsts = by_sample(rows.drop_duplicates("sample"), what).sort_index()
    return firsts[["identity", *_WHERE, "stratum"]].assign(rate=rate)


def _arm(plan: Plan, prompts: pd.DataFrame) -> _Arm:
    """Match each prompt of the group with every control identity at the same subject and frame."""
    mine = prompts[prompts["identity"].isin(plan.members)]
    controls = prompts[prompts["identity"].isin(plan.controls)]
    kinds = sorted(controls["identity"].unique())
    if not kinds:
        raise DataError(
            f"{plan.check_id}: sample {mine.index[0]!r} has no matched control: the data hold no prompt about any of "
            f"{', '.join(sorted(plan.controls)) or 'the controls'}"
        )
    # Each control identity first to its own mean, so that one with more prompts does not weigh more.
    table = controls.pivot_table(index=_WHERE, columns="identity", values="rate", aggfunc="mean")
    matched = table.reindex(pd.MultiIndex.from_frame(mine[_WHERE]))[kinds].to_numpy(dtype=np.float64)
    missing = np.isnan(matched)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise DataError(
            f"sample {mine.index[row]!r} has no matched control {kinds[column]!r} with subject "
            f"{mine['subject'].iloc[row]!r} in the same frame; every prompt needs its control in the same run"
        )
    return _Arm(mine, mine["rate"].to_numpy(dtype=np.float64), matched.mean(axis=1))


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
    arms: dict[str, _Arm] = {}
    for role in ROLES:
        mine = rows[rows["role"] == role]
        if mine["identity"].isin(plan.members).any():
            arms[role] = _arm(plan, _rates(mine, label, f"{quantity} of the {role}"))
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
