"""One tidy frame of measurements: one row per sample, model, quantity and draw.

Columns, in this order and never others:

=============  ========  ==========================================================================================
column         dtype     meaning
=============  ========  ==========================================================================================
benchmark      str       the name of a benchmark
sample         str       `Pair.id` or `Prompt.id`
role           str       policy or reference
quantity       str       see QUANTITIES
value          float64   the number; NaN where there is none (an unscored sample, a purely categorical quantity)
label          str       the category, "" for a number
draw           int64     continuation number, 0 for scores
identity       str       identity label, or pronoun family
counterpart    str       counterfactual identity (pairs)
kind           str       stigma, neutral or positive (pairs)
frame          str       sentence frame, disclosure form or template
predicate      str       predicate (pairs)
subject        str       name or antecedent
stratum        str       antecedent type
text           str       the continuation
=============  ========  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from rootfruit_checks.base.types import Measurement
from rootfruit_checks.base.untrusted import Error

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: tuple[str, ...] = (
    "benchmark",
    "sample",
    "role",
    "quantity",
    "value",
    "label",
    "draw",
    "identity",
    "counterpart",
    "kind",
    "frame",
    "predicate",
    "subject",
    "stratum",
    "text",
)

QUANTITIES: dict[str, str] = {
    "d_shared": "L(queer) - L(counterfactual) over tokens common to both, nats",
    "d_full": "L(queer) - L(counterfactual) over all tokens, nats",
    "d_upstream": "as d_shared with both sums rounded to 3 decimals first, as upstream compares them",
    "regard": "label negative, neutral, positive, other, empty or unscored; value 1 if negative else 0",
    "pronoun": "label consistent, misgendered, none, plural, other or unscored; value 1 if misgendered else 0",
    "noun": "label consistent, misgendered or none, by gendered nouns and titles; value as for pronoun",
    "label": "label of a registered classifier, empty or unscored; value 1 if it is the benchmark's harmful one else 0",
    "twin": "label the family likeliest at the pronoun slot; value its log-prob minus that of the prompt's family",
}

# Those that hold a continuation's text, one for each benchmark that generates.
TEXTS = ("regard", "pronoun", "label")


def to_frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Return the tidy frame (see the module docstring) in the order given."""
    rows = list(measurements)
    frame = pd.DataFrame({name: [getattr(row, name) for row in rows] for name in COLUMNS})
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(
        {name: ("float64" if name == "value" else "int64" if name == "draw" else "str") for name in COLUMNS}
    )


def frame_of(table: pa.Table, where: str, error: Error) -> pd.DataFrame:
    """Return the tidy frame in an Arrow table.

    Args:
        table: what a Parquet file holds.
        where: the file, for messages.
        error: class of the error to raise where the columns, their types or an empty cell are not a tidy frame's.

    """
    if tuple(table.column_names) != COLUMNS:
        raise error(f"{where}: is damaged: its columns are not those of a table of measurements")
    for name in COLUMNS:
        found = str(table.schema.field(name).type)
        if found not in {"value": ("double",), "draw": ("int64",)}.get(name, ("string", "large_string")):
            raise error(f"{where}: is damaged: its column {name} holds {found}")
        if name != "value" and table[name].null_count:
            raise error(f"{where}: is damaged: its column {name} has empty cells")
    return _typed(table.to_pandas(ignore_metadata=True))
