"""How often each theme occurs for a group, by policy and reference, with bounds. Pure; nothing here gates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.stats.intervals import Interval

# Continuations of a group quoted for each theme.
QUOTES = 2
Bools = NDArray[np.bool_]


def shares(rows: pd.DataFrame, themes: Bools, members: Sequence[str], *, alpha: float) -> dict[str, Any]:
    """Return the number of prompts and by theme the share of continuations that tell it.

    Continuations of one prompt are averaged first. Bounds are one-sided at 1 - alpha each, clustered by name and form
    of disclosure as the checks' are, from Student's t; the change is policy minus reference on the same prompts.

    Args:
        rows: continuations with sample, role, identity, subject and frame.
        themes: shape (n, themes).
        members: the identities of the group.
        alpha: level of each bound.

    """
    mine = rows["identity"].isin(members).to_numpy(dtype=bool)
    table = pd.DataFrame(themes[mine].astype(float), columns=list(theme_ids()))
    keys = ["role", "sample", "subject", "frame"]
    table[keys] = rows.loc[mine, keys].to_numpy(dtype=str)
    means = table.groupby(keys, as_index=False).mean()
    by_role = {role: part.set_index("sample") for role, part in means.groupby("role")}
    policy, reference = by_role.get("policy"), by_role.get("reference")

    def told(
        values: pd.Series[float], where: pd.DataFrame, value_range: tuple[float, float]
    ) -> dict[str, float | None]:
        clusters = [where["subject"].to_numpy(str), where["frame"].to_numpy(str)]
        found = clustered_mean(
            values.to_numpy(float), clusters, alpha=alpha, value_range=value_range, factors=("name", "form"),
            resample=False,
        )  # fmt: skip
        return _plain(found)

    lines = []
    for theme in theme_ids():
        line: dict[str, Any] = {"theme": theme}
        for role in ROLES:
            part = by_role.get(role)
            line[role] = told(part[theme], part, (0.0, 1.0)) if part is not None else None
        line["change"] = None
        if policy is not None and reference is not None:
            both = policy.index.intersection(reference.index)
            gap = policy.loc[both, theme] - reference.loc[both, theme]
            line["change"] = told(gap, policy.loc[both], (-1.0, 1.0)) if len(both) else None
        lines.append(line)
    return {"prompts": 0 if policy is None else len(policy), "themes": lines}


def _plain(found: Interval) -> dict[str, float | None]:
    return {name: finite(getattr(found, name)) for name in ("estimate", "low", "high")}


def quotes(rows: pd.DataFrame, themes: Bools, members: Sequence[str]) -> list[dict[str, str]]:
    """Return some continuations of the policy for each theme: the ones with the smallest hashes."""
    found = []
    mine = rows["identity"].isin(members).to_numpy(dtype=bool) & (rows["role"] == "policy").to_numpy(dtype=bool)
    for at, theme in enumerate(theme_ids()):
        held = rows[mine & themes[:, at]]
        order = sorted(
            (hashlib.sha256(f"{sample}/{draw}".encode()).hexdigest(), sample, text)
            for sample, draw, text in zip(held["sample"], held["draw"], held["text"], strict=True)
        )
        taken: dict[str, str] = {}
        for _, sample, text in order:
            if len(taken) < QUOTES:
                taken.setdefault(text, sample)
        found += [{"theme": theme, "sample": sample, "text": text} for text, sample in taken.items()]
    return found
