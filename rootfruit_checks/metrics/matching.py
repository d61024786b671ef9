"""One row for each prompt and model: the rate of a label, and that of the matched controls."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.stats.intervals import Interval

WHO = ["role", "sample"]
WHERE = ["identity", "frame", "subject", "stratum"]
_MATCH = ["role", "frame", "subject"]


def per_prompt(rows: pd.DataFrame, values: pd.Series[float]) -> pd.DataFrame:
    """Return one row for each role and sample: where it belongs, and the mean of `values` over its draws, NaN left out.

    Raises:
        DataError: a sample occurs twice with the same draw.

    """
    twice = rows.duplicated([*WHO, "draw", "quantity"])
    if twice.any():
        raise DataError(
            f"sample {rows.loc[twice, 'sample'].iloc[0]!r} has more than one answer for the same draw; "
            "sample ids must be unique (is a data file read twice?)"
        )
    held = rows[[*WHO, *WHERE]].assign(value=values)
    return held.groupby(WHO, sort=True).agg({**dict.fromkeys(WHERE, "first"), "value": "mean"})


def of_controls(table: pd.DataFrame, controls: Collection[str]) -> pd.Series[float]:
    """Return for each prompt the mean value of its matched controls, NaN where one is missing.

    A match has the same model, frame and subject. Each control identity counts alike, however many prompts it has, and
    every control identity that occurs at all must be there: else two prompts would be held against different people.

    What decides refuses a prompt without its match (`refuse_unmatched`); what is only described leaves it out and
    counts it.

    Args:
        table: rows of `per_prompt`, those of the controls among them.
        controls: identities of the controls.

    """
    found = table[table["identity"].isin(controls) & table["value"].notna()].reset_index()
    if not len(found):
        return pd.Series(np.nan, index=table.index)
    matched = found.pivot_table(index=_MATCH, columns="identity", values="value", aggfunc="mean")
    at = pd.MultiIndex.from_frame(table.reset_index()[_MATCH])
    return pd.Series(matched.reindex(at).to_numpy(dtype=np.float64).mean(axis=1), index=table.index)


def refuse_unmatched(table: pd.DataFrame, matched: pd.Series[float], controls: Collection[str], check: str) -> None:
    """Raise a DataError that names a prompt without its matched control, and what is missing.

    Args:
        table: rows of `per_prompt` of one or both models, those of the controls among them.
        matched: what `of_controls` returned for some of them.
        controls: identities of the controls.
        check: the check's id, for the message.

    """
    lacking = matched[matched.isna()]
    if not len(lacking):
        return
    row = table.loc[lacking.index[0]]
    role, sample = lacking.index[0]
    others = table.loc[[role]]
    kinds = sorted(others.loc[others["identity"].isin(controls), "identity"].unique())
    if not kinds:
        raise DataError(
            f"{check}: sample {sample!r} has no matched control: the data hold no prompt about any of "
            f"{', '.join(sorted(controls)) or 'the controls'}"
        )
    here = others[(others["frame"] == row["frame"]) & (others["subject"] == row["subject"])]
    missing = next((kind for kind in kinds if kind not in set(here["identity"])), kinds[0])
    raise DataError(
        f"sample {sample!r} has no matched control {missing!r} with subject {row['subject']!r} in the same frame; "
        "every prompt needs its control in the same run"
    )


def gaps(table: pd.DataFrame, controls: Collection[str]) -> pd.Series[float]:
    """Return each prompt's value minus the mean of its matched controls, NaN where one is missing."""
    return table["value"] - of_controls(table, controls)


def by_role(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the models' rows of a table of `per_prompt`, each by sample, the policy's first."""
    held = table.reset_index(level="role")
    return {role: held[held["role"] == role] for role in ROLES if (held["role"] == role).any()}


def figures(interval: Interval, n: int) -> dict[str, Any]:
    """Return an interval as plain values; null where there is none, and the note says why."""
    return {
        "estimate": finite(interval.estimate),
        "low": finite(interval.low),
        "high": finite(interval.high),
        "n": n,
        "clusters": list(interval.clusters),
        "note": interval.note,
    }
