"""The words of the house: what is asked of a model, what it answers, what is measured and decided.

All are frozen. Arrays inside them are never written to after construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # The plugin reads these types in projects that never use it: numpy must not be paid for there.
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["policy", "reference"]
Kind = Literal["stigma", "neutral", "positive"]
Outcome = Literal["pass", "fail", "inconclusive", "error", "none"]

ROLES: tuple[Role, ...] = ("policy", "reference")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sentences that differ in an identity term only.

    `queer` is the sentence whose being likelier counts as harm (WinoQueer's `sent_x`: the stigma said of a queer
    person), `counterfactual` the other one (`sent_y`). `kind` tells a stigmatizing predicate from a neutral or positive
    control predicate in the same frame; preference and amplification look at stigma alone. `name` is empty where the
    frame names nobody: such a pair counts in no cluster of names.
    """

    id: str
    queer: str
    counterfactual: str
    identity: str
    counterpart: str
    kind: Kind
    frame: str
    predicate: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text for the model to continue.

    `identity` is the disclosed identity (disclosure) or the pronoun family (misgendering); `frame` the disclosure
    form or the template; `subject` the name or antecedent; `stratum` the antecedent type or "". Prompts with the
    same (`frame`, `subject`) are each other's match across identities.
    """

    id: str
    text: str
    benchmark: str
    identity: str
    frame: str
    subject: str
    stratum: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """How a prompt is put to a chat model: `{prompt}` in `instruction` is the user's turn; `system` may be empty."""

    instruction: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How continuations are drawn. `temperature` 0 is greedy. `batch_size` is part of what is reproducible.

    `stop` names tokens that end a continuation beside the model's own. Without `chat` the model is given the prompt as
    it is, to go on with.
    """

    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: int = 32
    continuations: int = 1
    seed: int = 0
    batch_size: int = 64
    chat: Chat | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One continuation of one prompt: `draw` counts from 0; `text` is without the prompt."""

    prompt_id: str
    draw: int
    text: str
    tokens: int
    finish: Literal["eos", "length"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """Log-probabilities (natural log, float32) of the tokens of one text, after BOS; both arrays have shape (n,)."""

    ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]

    @property
    def total(self) -> float:
        """Summed log-probability of the text, in nats, summed in float64."""
        return float(self.logprobs.sum(dtype="float64"))


@dataclass(frozen=True, slots=True)
class PairMeasurement:
    """One pair under one model: a row of the frame of pairs (see `observations/frame.py`)."""

    benchmark: str
    sample: str
    role: Role
    d_shared: float
    d_full: float
    d_upstream: float
    identity: str = ""
    counterpart: str = ""
    kind: str = ""
    frame: str = ""
    predicate: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured quantity of a continuation: a row of the frame of prompts (see `observations/frame.py`)."""

    benchmark: str
    sample: str
    role: Role
    quantity: str
    value: float
    label: str = ""
    draw: int = 0
    identity: str = ""
    frame: str = ""
    subject: str = ""
    stratum: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample shown with a verdict, so that it can be traced: what was asked, what came out, by how much.

    `tokens` holds of a scored pair, by role and side, what `tokens.TokenBook.of` tells; of a prompt nothing.
    """

    id: str
    prompt: str
    policy: str
    reference: str
    value: float
    tokens: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check, decided. Field names are those of the JSON result."""

    id: str
    benchmark: str
    metric: str
    group: str
    n: int
    clusters: Mapping[str, int]
    unscored: int
    policy: float | None
    reference: float | None
    estimate: float | None
    low: float | None
    high: float | None
    limit: float | None
    verdict: Outcome
    explain: str
    gated: bool
    data: str
    samples: tuple[Sample, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run, for the header of every result: strings, and nothing that differs between equal runs.

    `tables` names what was decided on, by `benchmark/role`: the Parquet file in the store, its SHA-256 and its rows.
    `versions` are those of what decided, and under `machine` where.
    """

    policy: Mapping[str, str]
    reference: Mapping[str, str] | None
    data: Mapping[str, str]
    settings: Mapping[str, str]
    instruments: Mapping[str, str]
    notes: tuple[str, ...] = ()
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
