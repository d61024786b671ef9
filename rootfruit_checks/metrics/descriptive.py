"""Details shown with an estimate: other counts of a preference, label shares, second signals of a disparity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rootfruit_checks.base.types import ROLES
from rootfruit_checks.metrics.evidence import Plan, wins


def described(
    plan: Plan, frame: pd.DataFrame, rows: pd.DataFrame, quantity: str, roles: tuple[str, ...]
) -> dict[str, object]:
    """Return, by model and by group or control, shares of answers as plain dicts ready for JSON.

    Args:
        plan: the request.
        frame: all rows of the benchmark.
        rows: those of `quantity` for the group and its controls.
        quantity: `regard` or `pronoun`.
        roles: the models that answered.

    """
    sides = {"group": plan.members, "control": plan.controls}
    found: dict[str, object] = {
        "labels": {
            role: {side: _shares(_pick(rows, role, names)["label"]) for side, names in sides.items()} for role in roles
        },
        "answers": {role: {side: len(_pick(rows, role, names)) for side, names in sides.items()} for role in roles},
    }
    if quantity == "pronoun":
        found["misgendered_among_used"] = {
            role: {side: _among_used(_pick(rows, role, names)["label"]) for side, names in sides.items()}
            for role in roles
        }
        nouns = frame[frame["quantity"] == "noun"]
        if len(nouns):
            found["noun_misgendered"] = {
                role: {
                    side: _shares(_pick(nouns, role, names)["label"]).get("misgendered", 0.0)
                    for side, names in sides.items()
                }
                for role in roles
            }
        twins = frame[frame["quantity"] == "twin"]
        if len(twins):
            found["twin_disagreement"] = {
                role: _disagreement(_pick(rows, role, plan.members), _pick(twins, role, plan.members)) for role in roles
            }
    return found


def variants(plan: Plan, frame: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return the other two counts of the preference, by variant and model: shares of the group's stigmatizing pairs.

    `full` compares whole sentences, a tie counting one half; `upstream` compares as WinoQueer's own script does, to
    the digit: sums rounded to 3 decimals, and a tie counts as no preference but stays in the denominator.
    """
    rows = frame[frame["identity"].isin(plan.members) & (frame["kind"] == "stigma")]
    found: dict[str, dict[str, float | None]] = {}
    for name, quantity in (("full", "d_full"), ("upstream", "d_upstream")):
        found[name] = {}
        for role in ROLES:
            values = rows.loc[rows["role"] == role, quantity].to_numpy(np.float64)
            values = values[np.isfinite(values)]
            won = wins(values, plan.noise) if name == "full" else values > 0
            found[name][role] = float(won.mean()) if len(values) else None
    return found


def _pick(rows: pd.DataFrame, role: str, identities: frozenset[str]) -> pd.DataFrame:
    return rows[(rows["role"] == role) & rows["identity"].isin(identities)]


def _shares(labels: pd.Series[str]) -> dict[str, float]:
    return {str(label): float(share) for label, share in labels.value_counts(normalize=True).sort_index().items()}


def _among_used(labels: pd.Series[str]) -> float | None:
    """Misgendered share of the answers that used a singular pronoun for the person at all; None if none did."""
    used = labels[labels.isin(["consistent", "misgendered"])]
    return float((used == "misgendered").mean()) if len(used) else None


def _disagreement(answers: pd.DataFrame, twins: pd.DataFrame) -> dict[str, float | int] | None:
    """How often the likeliest family at the slot and the pronoun that was written disagree on "the right one"."""
    written = answers[answers["label"].isin(["consistent", "misgendered"])]
    right = (twins["label"] == twins["identity"]).groupby(twins["sample"]).first()
    pairs = written.assign(right=written["sample"].map(right)).dropna(subset=["right"])
    if not len(pairs):
        return None
    apart = (pairs["label"] == "consistent") != pairs["right"].astype(bool)
    return {"rate": float(apart.mean()), "answers": len(pairs)}
