"""What a result describes beside its checks: scores beside texts, and intersections. Nothing here gates."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from rootfruit_checks.results.narratives import Narratives
from rootfruit_checks.results.parts import Closed, Count, Name, Number, never_gated, told

# What pages show of a cell of intersections; texts, and figures.
_WORDS = {"identity", "by", "note"}
_FIGURES = {"n", "clusters"} | {
    f"{arm}_{part}" for arm in ("policy", "reference", "change") for part in ("raw", "shrunk", "low", "high")
}
_COLUMNS = [{"contains": {"const": name}} for name in sorted(_WORDS | _FIGURES)]
NotMeasured = Annotated[str | UnsetType, told("Why there is nothing here.")]
Value = str | int | float | None
_AS = told("As of a check.")


class Side(Closed, frozen=True):
    """A check's verdict and figures, as in `checks`; `not run` where this run has none."""

    id: Annotated[str, told("The check's, or `log-prob twin`.")]
    verdict: Annotated[Literal["pass", "fail", "inconclusive", "error", "none", "not run"], _AS]
    policy: Annotated[Number, _AS]
    reference: Annotated[Number, _AS]
    estimate: Annotated[Number, _AS]
    low: Annotated[Number, _AS]
    high: Annotated[Number, _AS]
    limit: Annotated[Number, _AS]


class Together(Closed, frozen=True):
    """One group, one question."""

    group: Annotated[str, told("The group.")]
    question: Annotated[Literal["level", "change"], told("The policy itself, or the policy against its reference.")]
    likelihood: Annotated[list[Side], told("Verdicts on what the model finds likely.")]
    generation: Annotated[list[Side], told("Verdicts on what it writes.")]
    agreement: Annotated[
        Literal["agree", "disagree", "open", "not compared"],
        told("Whether the two sides agree; open: one is inconclusive."),
    ]
    instances_that_differ: Annotated[
        Number, told("Share of prompts on which twin and text differ; of `change`, by how much it moved.")
    ]
    says: Annotated[str, told("The same in words.")]


class Rate(Closed, frozen=True):
    """A rate or a disparity with its bounds."""

    estimate: Annotated[Number, told("Estimate.")]
    low: Annotated[Number, told("Lower bound.")]
    high: Annotated[Number, told("Upper bound.")]
    n: Annotated[Count, told("Prompts.")]
    clusters: Annotated[list[Count] | UnsetType, told("How many templates and antecedents.")] = UNSET
    note: Annotated[str | UnsetType, told("What to know of the bounds.")] = UNSET


class Arm(Closed, frozen=True, kw_only=True):
    """One model on one pronoun group, or the change from one to the other."""

    prompts: Annotated[Count | UnsetType, told("Prompts about the group.")] = UNSET
    unscored_twins: Annotated[Count | UnsetType, told("Prompts whose twin has no score.")] = UNSET
    not_comparable: Annotated[
        Count | UnsetType, told("Prompts whose text uses no singular pronoun for the person.")
    ] = UNSET
    twin: Annotated[Rate | UnsetType, told("Share of prompts whose twin misgenders.")] = UNSET
    generated: Annotated[Rate | UnsetType, told("Share of continuations that misgender.")] = UNSET
    twin_disparity: Annotated[Rate | UnsetType, told("The twin's rate minus that of the controls.")] = UNSET
    generated_disparity: Annotated[Rate | UnsetType, told("The continuations' rate minus that of the controls.")] = (
        UNSET
    )
    disagreement: Annotated[Rate, told("Share of prompts on which twin and text differ.")]
    likelihood_only: Annotated[Number | UnsetType, told("Share of prompts on which the twin alone misgenders.")] = UNSET
    generation_only: Annotated[Number | UnsetType, told("Share of prompts on which the text alone misgenders.")] = UNSET


class Instances(Closed, frozen=True, kw_only=True):
    """One pronoun group, prompt by prompt."""

    group: Annotated[str, told("The group.")]
    families: Annotated[list[str] | UnsetType, told("Its pronoun families.")] = UNSET
    policy: Annotated[Arm | None, told("The policy.")]
    reference: Annotated[Arm | None, told("The reference; null where there is none.")]
    change: Annotated[Arm | None, told("Policy minus reference.")]


class AllInstances(Closed, frozen=True):
    """By prompt: the log-prob twin beside the pronoun that was written."""

    not_measured: NotMeasured = UNSET
    benchmark: Annotated[str | UnsetType, told("Whose prompts these are.")] = UNSET
    groups: Annotated[
        list[Instances] | UnsetType,
        told("One entry a pronoun group: group, families, and rates of policy, reference and their change."),
    ] = UNSET


class Combined(Closed, frozen=True):
    """What the scores and the texts of one group tell, side by side. Nothing here gates."""

    gated: Annotated[bool, told("It decides nothing.", const=False)]
    groups: Annotated[list[Together], told("One entry a group and question.")]
    instances: Annotated[AllInstances, told("By prompt: the log-prob twin beside the pronoun that was written.")]

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        never_gated(self.gated)
        asked = {(one.group, one.question) for one in self.groups}
        if any((one.group, question) not in asked for one in self.groups for question in ("level", "change")):
            raise ValueError("a group lacks one of its two questions")


class Pooling(Closed, frozen=True):
    """How the cells of one arm borrow strength from each other."""

    toward: Annotated[str, told("What cells are shrunk toward.")]
    between_sd: Annotated[Number, told("Standard deviation between cells beyond that.")]
    note: Annotated[str, told("Why nothing is shrunk.")]


class Cells(Closed, frozen=True):
    """Identities by what they are crossed with, of one benchmark; or why there are none."""

    not_measured: NotMeasured = UNSET
    quantity: Annotated[str | UnsetType, told("What the figures are.")] = UNSET
    by: Annotated[str | UnsetType, told("What identities are crossed with.")] = UNSET
    columns: Annotated[
        list[str] | UnsetType,
        told("What each place of a row holds; rates and disparities are shares.", uniqueItems=True, allOf=_COLUMNS),
    ] = UNSET
    rows: Annotated[
        list[list[Value]] | UnsetType,
        told("One row a cell, in the order of `columns`; n is 0 where it is empty."),
    ] = UNSET
    pooling: Annotated[
        dict[Name, Pooling] | UnsetType, told("By policy, reference and change: how their cells are shrunk.")
    ] = UNSET

    def cells(self) -> list[dict[str, Value]]:
        """Return the cells by name of column."""
        return [dict(zip(self.columns or (), row, strict=True)) for row in self.rows or ()]

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        whole = UNSET not in (self.by, self.columns, self.rows, self.quantity)
        if whole is (self.not_measured is not UNSET):
            raise ValueError("has neither rows nor a reason why there are none, or both")
        columns = self.columns or []
        if self.rows is not UNSET and (not set(columns) >= (_WORDS | _FIGURES) or len(set(columns)) < len(columns)):
            raise ValueError("its columns are not those of a result")
        for at, row in enumerate(self.rows or ()):
            if len(row) != len(columns):
                raise ValueError(f"row {at} has {len(row)} cells for {len(columns)} columns")
            for name, cell in zip(columns, row, strict=True):
                if (name in _WORDS and not isinstance(cell, str)) or (name in _FIGURES and isinstance(cell, str)):
                    raise ValueError(f"row {at}: {name} is {'text' if isinstance(cell, str) else 'no text'}")


class Intersections(Closed, frozen=True):
    """Identities by surroundings; exploratory, never gated."""

    not_measured: NotMeasured = UNSET
    gated: Annotated[bool | UnsetType, told("It decides nothing.", const=False)] = UNSET
    about: Annotated[str | UnsetType, told("How to read it.")] = UNSET
    benchmarks: Annotated[dict[str, Cells] | UnsetType, told("The cells by benchmark.")] = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        never_gated(self.gated or False)
        if self.not_measured is UNSET and UNSET in (self.about, self.benchmarks):
            raise ValueError("lacks 'about' or 'benchmarks'")


class Views(Closed, frozen=True):
    """What is described beside the checks of a run, before the verdicts are known."""

    agreement: AllInstances
    intersections: Intersections
    narratives: Narratives
