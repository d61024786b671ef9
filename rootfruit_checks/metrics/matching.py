"""One row for each prompt and model: the rate of a label, and that of the matched controls. For description only.

Unlike the measures that gate, a prompt without a matched control is no error here: it is counted, and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import ROLES
from rootfruit_checks.stats.intervals import Interval

WHO = ["role", "sample"]
WHERE = ["identity", "frame", "subject", "stratum"]


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


def gaps(table: pd.DataFrame, controls: Sequence[str]) -> pd.Series[float]:
    """Return each prompt's value minus the mean of its matched controls, NaN where one is missing.

    A match has the same model, frame and subject; each control identity counts alike, as in the measures that gate.
    """
    found = table[table["identity"].isin(controls) & table["value"].notna()].reset_index()
    if not len(found):
        return pd.Series(np.nan, index=table.index)
    by = ["role", "frame", "subject"]
    # Every control identity that there is must be there: else two prompts would be held against different people.
    matched = found.pivot_table(index=by, columns="identity", values="value", aggfunc="mean").mean(axis=1, skipna=False)
    at = pd.MultiIndex.from_frame(table.reset_index()[by])
    values = table["value"].to_numpy(dtype=np.float64) - matched.reindex(at).to_numpy(dtype=np.float64)
    return pd.Series(values, index=table.index)


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
