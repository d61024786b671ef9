"""The result's `run`: what was run."""

from __future__ import annotations

from typing import Annotated, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rootfruit_checks.base.types import RunInfo
from rootfruit_checks.results.json_result import as_json
from rootfruit_checks.results.parts import Closed, Count, Sha256, Texts, told

# Parts of a run that are keys with texts.
_TEXTS = {"policy", "reference", "data", "settings", "instruments", "versions"}
# What a record of a model says in any case, where a model was named.
_MODEL = {
    "path": {"type": "string", "description": "As it was named: a directory, Hub id or address."},
    "fingerprint": {
        "type": "string",
        "description": "SHA-256 over weights, tokenizer, dtype, engine and version; of a served model, over what the "
        "server reports.",
    },
    "noise_floor": {
        "type": "string",
        "description": "Largest change of a sentence's log-probability between batches, in nats, in words.",
    },
}


class File(Closed, frozen=True):
    """One Parquet file."""

    path: Annotated[str, told("Its path in the store.")]
    sha256: Annotated[Sha256, told("SHA-256 of the file's bytes, as printed by sha256sum.")]
    rows: Annotated[Count, told("Its rows.")]


class Table(File, frozen=True):
    """One Parquet file, of scored pairs with their tokens."""

    tokens: Annotated[
        File | UnsetType, told("The same pairs token by token, in a file of its own; of scored pairs alone.")
    ] = UNSET


class Run(Closed, frozen=True):
    """What was run; nothing here differs between equal runs."""

    policy: Annotated[
        Texts, told("The model under test, as key and text; empty where nothing was named.", properties=_MODEL)
    ]
    reference: Annotated[
        Annotated[Texts, told("The model that it was aligned from, likewise.", properties=_MODEL)] | None,
        told("The model that it was aligned from, likewise; null where there is none."),
    ]
    data: Annotated[
        Texts,
        told(
            "`scale`, and by benchmark the name, statement, licence and SHA-256 of its data; also how prompts and "
            "scores were put, and the baseline.",
            required=["scale"],
            properties={"scale": {"type": "string", "description": "How many samples: smoke, ci, paper, full."}},
        ),
    ]
    settings: Annotated[Texts, told("Every setting that is part of what was measured or decided, as text.")]
    instruments: Annotated[Texts, told("What judged the answers, with its measured accuracy and own bias, as text.")]
    notes: Annotated[list[str], told("Notes for the reader.")]
    tables: Annotated[
        dict[Annotated[str, Meta(pattern="/(policy|reference)(/[2-9])?$")], Table],
        told(
            "`benchmark/role` (later sequential looks `benchmark/role/2` and so on) -> the table of measurements that "
            "was decided on; empty where nothing was measured."
        ),
    ]
    versions: Annotated[Texts | UnsetType, told("Package versions that decided; `machine` describes the machine.")] = (
        UNSET
    )

    @classmethod
    def of(cls, info: RunInfo) -> Self:
        """Return what was run, typed. Engines of other packages may tell of themselves what is no text."""
        told = as_json(info)
        for part in _TEXTS & told.keys():
            held = told[part]
            told[part] = {key: str(value) for key, value in held.items()} if isinstance(held, dict) else held
        return msgspec.convert(told, cls)

    def model(self, role: str) -> Texts:
        """Return what is told of a model; nothing where there is none."""
        return (self.policy if role == "policy" else self.reference) or {}

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if "scale" not in self.data:
            raise ValueError("its data lack the key 'scale'")
