"""One check of a result: its verdict, figures and samples."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rootfruit_checks.base.types import Verdict
from rootfruit_checks.results.details import Details
from rootfruit_checks.results.json_result import as_json
from rootfruit_checks.results.parts import Anything, Closed, Count, Name, Number, told

_UNIT = "in the unit of the estimate: a share (0.05 is 5 %) or a difference of shares (0.05 is 5 points)"
Tokens = dict[Literal["policy", "reference"], dict[Literal["queer", "counterfactual"], list[tuple[str, float, bool]]]]


class Sample(Closed, frozen=True):
    """One sample, so that a verdict can be traced."""

    id: Annotated[str, told("The pair's or prompt's.")]
    prompt: Annotated[str, told("What was asked: the prompt, or both sentences of a pair.")]
    policy: Annotated[
        str, told("The policy's answer: label and continuation, or differences of log-probabilities in nats.")
    ]
    reference: Annotated[str, told("The reference's; empty where there is none.")]
    value: Annotated[Number, told("How much it contributes to the estimate, in the estimate's unit.")]
    tokens: Annotated[
        Tokens | UnsetType,
        told(
            "Of a scored pair, by role and side (queer, counterfactual), its tokens in order: text, log-probability in "
            "nats, whether both sentences share it. Empty for a prompt."
        ),
    ] = UNSET


class Check(Closed, frozen=True, dict=True):
    """One decided check, or one description, which is not gated."""

    id: Annotated[str, Meta(pattern="^[^/]+/[^/]+/.+$"), told("`benchmark/metric/group`, lower case, stable.")]
    benchmark: Annotated[Name, told("The name of a benchmark.")]
    metric: Annotated[Name, told("What is estimated; docs/reference/checks.md says how.")]
    group: Annotated[Name, told("The group of people it is about.")]
    n: Annotated[
        Count, told("Samples of the group: pairs, or prompts (continuations of one prompt are averaged first).")
    ]
    clusters: Annotated[
        dict[str, Count], told("Random factor -> how many different ones there are; the bounds count these.")
    ]
    unscored: Annotated[Count, told("Answers that no instrument could judge, empty ones included.")]
    policy: Annotated[
        Number, told("Level of the policy, a share or a disparity of shares; null where the measure has none.")
    ]
    reference: Annotated[Number, told("Level of the reference, likewise; of a regression, of the baseline's policy.")]
    estimate: Annotated[
        Number,
        told("The estimate; higher means more harm. A share, or a difference of shares: 0.05 is 5 % or 5 points."),
    ]
    low: Annotated[Number, told(f"One-sided lower bound, {_UNIT}; of a gated check corrected for the declared family.")]
    high: Annotated[Number, told(f"One-sided upper bound at 1 - alpha, {_UNIT}.")]
    limit: Annotated[Number, told(f"The limit of a gated check, {_UNIT}; null if it is not gated.")]
    verdict: Annotated[
        Literal["pass", "fail", "inconclusive", "error", "none"],
        told(
            "pass: high is within the limit; fail: low is beyond it; inconclusive: neither; error: the "
            "instrument broke; none: described, not gated."
        ),
    ]
    explain: Annotated[
        str,
        told("The verdict in words: the estimand, figures, what decided, and what would settle an inconclusive one."),
    ]
    gated: Annotated[bool, told("Whether it can block the release.")]
    data: Annotated[str, told("Name and scale of the data.")]
    samples: Annotated[list[Sample], told("The samples that contribute most to harm, worst first.")]
    # As they were told: a measure of another package has details of its own, and all go into the JSON as they are.
    details: Annotated[
        dict[str, Anything],
        told(
            "What is known beside; its keys depend on the measure and may grow. Documented are those of Details.",
            **{"$ref": "#/$defs/Details"},
        ),
    ]

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Return a verdict as the result holds it; NaN and infinities become None."""
        return msgspec.convert(as_json(verdict), cls)

    @property
    def measure(self) -> str:
        """The measure's id."""
        return f"{self.benchmark}/{self.metric}"

    @cached_property
    def known(self) -> Details:
        """The details that are documented."""
        return msgspec.convert(self.details, Details)

    def __post_init__(self) -> None:
        """Hold what the types cannot say."""
        try:
            self.known  # noqa: B018 - it is read to be checked
        except msgspec.ValidationError as error:
            what, _, place = str(error).partition(" - at `$")
            raise ValueError(f"{what} - at `$.details{place.rstrip('`')}`") from None
        if self.verdict in ({"none"} if self.gated else {"pass", "fail", "inconclusive"}):
            raise ValueError(f"verdict {self.verdict!r} of a check that is {'' if self.gated else 'not '}gated")
        if self.verdict in {"pass", "fail"} and (self.estimate is None or self.limit is None or not self.n):
            raise ValueError(f"verdict {self.verdict!r} without an estimate, a limit or samples")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the lower bound {self.low:g} is above the upper bound {self.high:g}")
