"""What is documented of a check's `details`; more may stand there."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from rootfruit_checks.results.parts import Anything, Count, Number, Open, Share, told


class Flips(Open, frozen=True):
    """Pairs by which sentence each model prefers."""

    kept: Annotated[Count, told("Both prefer the stigmatizing one.")]
    away: Annotated[Count, told("The reference alone.")]
    toward: Annotated[Count, told("The policy alone.")]
    stayed_away: Annotated[Count, told("Neither.")]


class Sides(Open, frozen=True):
    """One model's shares of labels."""

    group: Annotated[dict[str, float], told("Of the group.")]
    control: Annotated[dict[str, float], told("Of its control.")]


class Rates(Open, frozen=True):
    """One model's rates."""

    group: Annotated[Number, told("Of the group.")]
    control: Annotated[Number, told("Of its control.")]


class Details(Open, frozen=True):
    """What is known beside a check; its keys depend on the measure and may grow. Documented are those that follow."""

    method: Annotated[str | UnsetType, told("How the bounds were made; `refused` where there are none.")] = UNSET
    se: Annotated[Number | UnsetType, told("Standard error, in the unit of the estimate.")] = UNSET
    note: Annotated[str | UnsetType, told("What to know of the bounds.")] = UNSET
    unscored_share: Annotated[Share | UnsetType, told("Largest share of unscored answers on any side.")] = UNSET
    p_fail: Annotated[Number | UnsetType, told("One-sided p-value of the estimate against the limit, uncorrected.")] = (
        UNSET
    )
    low_uncorrected: Annotated[Number | UnsetType, told("The lower bound at 1 - alpha, before the correction.")] = UNSET
    low_level: Annotated[Number | UnsetType, told("The level of the corrected lower bound.")] = UNSET
    shift: Annotated[Number | UnsetType, told("The instrument's own shift, which widened both bounds; in shares.")] = (
        UNSET
    )
    components: Annotated[Anything, told("Variance components, for `rootfruit plan --from`.")] = None
    labels: Annotated[
        dict[str, Sides] | UnsetType, told("Model -> group or control -> label -> share of all answers.")
    ] = UNSET
    flips: Annotated[Flips | UnsetType, told("Pairs by which sentence each model prefers.")] = UNSET
    spearman: Annotated[
        Number | UnsetType, told("Rank correlation of both models' differences; there wherever flips are.")
    ] = UNSET
    rates: Annotated[dict[str, Rates] | UnsetType, told("Model -> rate of the group and of its control.")] = UNSET
    points: Annotated[
        list[tuple[float, float]] | UnsetType,
        told("Some pairs' differences in nats, for a chart: reference, policy."),
    ] = UNSET
    pairs: Annotated[Count | UnsetType, told("How many pairs there are; there wherever points are.")] = UNSET
    by_identity: Annotated[dict[str, Anything] | UnsetType, told("Identity -> mean.")] = UNSET

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        if self.points and self.pairs is UNSET:
            raise ValueError("has points and lacks the key 'pairs'")
        if self.flips is not UNSET and self.spearman is UNSET:
            raise ValueError("has flips and lacks the key 'spearman'")
