"""Tidy frames of what was measured, in the columns below, in this order and never others.

Pairs have one row for each pair and model; prompts one for each prompt, model, quantity and continuation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from rootfruit_checks.base.types import Measurement, PairMeasurement
from rootfruit_checks.base.untrusted import Error

if TYPE_CHECKING:
    import pyarrow as pa

# Column -> its type, and what it holds.
PAIR_COLUMNS: Mapping[str, tuple[str, str]] = {
    "benchmark": ("str", "the name of the benchmark"),
    "sample": ("str", "`Pair.id`"),
    "role": ("str", "policy or reference"),
    "d_shared": ("float64", "L(queer) - L(counterfactual) over tokens common to both, nats; NaN if unscored"),
    "d_full": ("float64", "L(queer) - L(counterfactual) over all tokens, nats; NaN if unscored"),
    "d_upstream": ("float64", "as d_shared with both sums rounded to 3 decimals first, as upstream compares them"),
    "identity": ("str", "identity label"),
    "counterpart": ("str", "counterfactual identity"),
    "kind": ("str", "stigma, neutral or positive"),
    "frame": ("str", "sentence frame"),
    "predicate": ("str", "predicate"),
    "subject": ("str", "name of the person, or empty"),
}
COLUMNS: Mapping[str, tuple[str, str]] = {
    "benchmark": ("str", "the name of the benchmark"),
    "sample": ("str", "`Prompt.id`"),
    "role": ("str", "policy or reference"),
    "quantity": ("str", "see below"),
    "value": ("float64", "the number; NaN where there is none"),
    "label": ("str", "the category, empty for a number"),
    "draw": ("int64", "continuation number, 0 for scores"),
    "identity": ("str", "identity label, or pronoun family"),
    "frame": ("str", "form of the sentence, or template"),
    "subject": ("str", "name or antecedent"),
    "stratum": ("str", "antecedent type"),
    "text": ("str", "the continuation"),
}

ALL_COLUMNS: Mapping[str, tuple[str, str]] = {**PAIR_COLUMNS, **COLUMNS}

# What a row of prompts measures.
QUANTITIES: Mapping[str, str] = {
    "regard": "label negative, neutral, positive, other, empty or unscored; value 1 if negative else 0",
    "pronoun": "label consistent, misgendered, none, plural, other or unscored; value 1 if misgendered else 0",
    "noun": "label consistent, misgendered or none, by gendered nouns and titles; value as for pronoun",
    "label": "label of a registered classifier, empty or unscored; value 1 if it is the benchmark's harmful one else 0",
    "twin": "label the family likeliest at the pronoun slot; value its log-prob minus that of the prompt's family",
}

# Those that hold a continuation's text, one for each benchmark that generates.
TEXTS = ("regard", "pronoun", "label")
# What a difference of log-probs is called, in both kinds of frame.
SCORES = ("d_full", "d_shared")
_STORED = {"float64": ("double",), "int64": ("int64",), "str": ("string", "large_string")}


def to_frame(measurements: Iterable[Measurement] | Iterable[PairMeasurement]) -> pd.DataFrame:
    """Return the frame of measurements of one kind, in the order given; of none at all, that of prompts."""
    rows = list(measurements)
    columns = PAIR_COLUMNS if rows and isinstance(rows[0], PairMeasurement) else COLUMNS
    return typed(pd.DataFrame({name: [getattr(row, name) for row in rows] for name in columns}), columns)


def typed(frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Return a frame with the types of its columns."""
    return frame.astype({name: kind for name, (kind, _) in columns.items()})


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return rows of pairs and of prompts in one table, `ALL_COLUMNS`; what one kind lacks is empty, 0 or NaN."""
    empty: dict[str, Any] = {"str": "", "int64": 0, "float64": math.nan}
    held = [
        frame.assign(**{name: empty[kind] for name, (kind, _) in ALL_COLUMNS.items() if name not in frame.columns})
        for frame in frames
    ]
    rows = pd.concat(held, ignore_index=True) if held else pd.DataFrame()
    return typed(rows.reindex(columns=list(ALL_COLUMNS)), ALL_COLUMNS)


def is_of_pairs(frame: pd.DataFrame) -> bool:
    """Whether a frame is of pairs, not of prompts."""
    return "d_full" in frame.columns


def frame_of(table: pa.Table, where: str, error: Error) -> pd.DataFrame:
    """Return the tidy frame in an Arrow table.

    Args:
        table: what a Parquet file holds.
        where: the file, for messages.
        error: class of the error to raise where the columns, their types or an empty cell are not a tidy frame's.

    """
    named = tuple(table.column_names)
    columns = next((known for known in (PAIR_COLUMNS, COLUMNS) if named == tuple(known)), None)
    if columns is None:
        raise error(f"{where}: is damaged: its columns are not those of a table of measurements")
    return checked(table, columns, where, error)


def checked(table: pa.Table, columns: Mapping[str, tuple[str, str]], where: str, error: Error) -> pd.DataFrame:
    """Return an Arrow table of these columns as a frame; raises `error` for other types and empty cells."""
    for name, (kind, _) in columns.items():
        found = str(table.schema.field(name).type)
        if found not in _STORED[kind]:
            raise error(f"{where}: is damaged: its column {name} holds {found}")
        if kind != "float64" and table[name].null_count:
            raise error(f"{where}: is damaged: its column {name} has empty cells")
    return typed(table.to_pandas(ignore_metadata=True), columns)
