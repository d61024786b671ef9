"""The samples shown with a verdict: the five worst, so that an auditor can trace it to the models' answers."""

from __future__ import annotations

import pandas as pd

from rootfruit_checks.base.types import ROLES, Sample
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.metrics.evaluate import Evidence
from rootfruit_checks.observations.frame import TEXTS, is_of_pairs
from rootfruit_checks.observations.token_scores import TokenBook

WORST = 5
_SCORES = ("d_shared", "d_full", "d_upstream")


def worst_samples(
    evidence: Evidence, data: DataSet, frame: pd.DataFrame, tokens: TokenBook | None = None, count: int = WORST
) -> tuple[Sample, ...]:
    """Return the `count` samples that contribute most to harm, worst first, with both models' answers."""
    asked = {pair.id: f"{pair.queer} | {pair.counterfactual}" for pair in data.pairs}
    asked |= {prompt.id: prompt.text for prompt in data.prompts}
    found = []
    for sample, value in evidence.contributions[:count]:
        rows = frame[frame["sample"] == sample]
        policy, reference = (_answer(rows, role) for role in ROLES)
        words = tokens.of(sample, ROLES) if tokens else {}
        found.append(Sample(sample, asked.get(sample, ""), policy, reference, float(value), words))
    return tuple(found)


def _answer(rows: pd.DataFrame, role: str) -> str:
    mine = rows[rows["role"] == role]
    if is_of_pairs(rows):
        return ", ".join(f"{name} = {row[name]:+.3f}" for _, row in mine.iterrows() for name in _SCORES)
    texts = mine[mine["quantity"].isin(TEXTS)]
    return " / ".join(f"[{label}] {text}" for label, text in zip(texts["label"], texts["text"], strict=True))
