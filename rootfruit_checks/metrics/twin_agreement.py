"""Misgendering by likelihood and by generation, prompt by prompt. Described, never gated.

The log-prob twin says which family's pronoun a model finds likeliest at the slot; the continuation says which one it
writes. Published work finds that such methods conflict on 20.2 % of instances (Subramonian et al. 2025, arXiv
2504.17075), so neither may stand for the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rootfruit_checks.base.types import ROLES
from rootfruit_checks.metrics.matching import WHERE, by_role, figures, gaps, per_prompt
from rootfruit_checks.stats.clustered_mean import clustered_mean

_FACTORS = ("template", "antecedent")
_SPOKE = ["consistent", "misgendered"]
_NAMES = ("twin", "generated", "twin_disparity", "generated_disparity", "disagreement")


@dataclass(frozen=True, slots=True)
class _Level:
    alpha: float
    seed: int

    def mean(self, rows: pd.DataFrame, name: str, *, change: bool = False) -> dict[str, Any]:
        """Mean of a column over the prompts that have it, clustered by template and antecedent."""
        share = not name.endswith("disparity")
        top = 1.0 if share or not change else 2.0
        there = rows[rows[name].notna()]
        found = clustered_mean(
            there[name].to_numpy(dtype=np.float64),
            [there[factor].to_numpy(dtype=str) for factor in ("frame", "subject")],
            alpha=self.alpha,
            seed=self.seed,
            value_range=(0.0 if share and not change else -top, top),
            factors=_FACTORS,
        )
        return figures(found, len(there))


def agreement(
    frame: pd.DataFrame,
    *,
    groups: Mapping[str, Sequence[str]],
    controls: Sequence[str],
    alpha: float,
    seed: int,
    noise: float,
) -> list[dict[str, Any]]:
    """Return one entry for each group that has prompts: both rates, both disparities, and how often they disagree.

    The unit is the prompt; its draws are averaged first. A twin *misgenders* where another family's form is likelier
    than the person's own by more than `noise`; within it, it counts one half. The two are compared on prompts whose
    continuation speaks of the person with a singular pronoun (`not_comparable` counts the rest): one that avoids
    pronouns neither agrees nor disagrees. Rates and disparities are over all prompts, as those that gate.

    Args:
        frame: tidy rows of misgendering.
        groups: group name -> pronoun families; a family is a group of its own too.
        controls: the families that disparities are taken against.
        alpha: level of each one-sided bound.
        seed: seed of the resampling.
        noise: nats within which two log-probs are a tie.

    Raises:
        DataError: a sample occurs twice.

    """
    prompts = _prompts(frame, controls, noise)
    level = _Level(alpha, seed)
    found = []
    for name, members in groups.items():
        mine = prompts[prompts["identity"].isin(members)]
        if not len(mine):
            continue
        disparities = not set(members) <= set(controls)
        roles = by_role(mine)
        entry: dict[str, Any] = {"group": name, "families": sorted(mine["identity"].unique())}
        entry |= {role: _side(roles[role], level, disparities) if role in roles else None for role in ROLES}
        entry["change"] = _change(roles["policy"], roles["reference"], level, disparities) if len(roles) == 2 else None
        found.append(entry)
    return found


def _prompts(frame: pd.DataFrame, controls: Sequence[str], noise: float) -> pd.DataFrame:
    """One row for each model and prompt, with a column for each of `_NAMES`; NaN where a prompt has no such value."""
    answers, twins = (frame[frame["quantity"] == quantity] for quantity in ("pronoun", "twin"))
    wrong = (answers["label"] == "misgendered").astype(np.float64)
    generated = per_prompt(answers, wrong)
    spoke = per_prompt(answers, wrong.where(answers["label"].isin(_SPOKE)))["value"]
    away = np.where(twins["label"] == twins["identity"], 0.0, np.where(twins["value"] <= noise, 0.5, 1.0))
    twin = per_prompt(twins, pd.Series(away, index=twins.index).where(np.isfinite(twins["value"])))
    every = generated.index.union(twin.index)
    table = generated[WHERE].reindex(every).fillna(twin[WHERE].reindex(every))
    table = table.assign(twin=twin["value"].reindex(every), generated=generated["value"].reindex(every))
    spoke = spoke.reindex(every)
    return table.assign(
        twin_disparity=gaps(table.assign(value=table["twin"]), controls),
        generated_disparity=gaps(table.assign(value=table["generated"]), controls),
        disagreement=table["twin"] * (1.0 - spoke) + (1.0 - table["twin"]) * spoke,
        twin_only=table["twin"] * (1.0 - spoke),
    )


def _side(rows: pd.DataFrame, level: _Level, disparities: bool) -> dict[str, Any]:
    """One model on one group."""
    both = rows[rows["disagreement"].notna()]
    found: dict[str, Any] = {
        "prompts": len(rows),
        "unscored_twins": int(rows["twin"].isna().sum()),
        "not_comparable": len(rows) - len(both),
    }
    names = _NAMES if disparities else ("twin", "generated", "disagreement")
    found |= {name: level.mean(rows, name) for name in names}
    only = float(both["twin_only"].mean()) if len(both) else None
    return found | {
        "likelihood_only": only,
        "generation_only": None if only is None else float(both["disagreement"].mean()) - only,
    }


def _change(policy: pd.DataFrame, reference: pd.DataFrame, level: _Level, disparities: bool) -> dict[str, Any]:
    """Policy minus reference, on the prompts where both have a value."""
    names = [name for name in _NAMES if disparities or not name.endswith("disparity")]
    shared = policy.index.intersection(reference.index)
    moved = policy.loc[shared, WHERE].assign(**{n: policy.loc[shared, n] - reference.loc[shared, n] for n in names})
    return {name: level.mean(moved, name, change=True) for name in names}
