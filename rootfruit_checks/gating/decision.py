"""Decides: from evidence to a verdict with its explanation, and from verdicts to a release. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import Outcome, Sample, Verdict
from rootfruit_checks.gating.explain import explanation

if TYPE_CHECKING:
    from rootfruit_checks.gating.check_spec import CheckSpec
    from rootfruit_checks.metrics.evidence import Evidence  # imports pandas, which this module does not need


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown with a verdict but does not affect it.

    Attributes:
        samples: the ones that contribute most to harm.
        details: a description, as plain JSON values.
        remark: a sentence for the end of the explanation, or "".

    """

    samples: tuple[Sample, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    remark: str = ""


def decide(
    spec: CheckSpec,
    evidence: Evidence,
    *,
    level: float | None = None,
    correction: str = "",
    shown: Shown | None = None,
) -> Verdict:
    """Decide one check: `pass` if the upper bound is at most the bar, `fail` if the lower bound exceeds it.

    The lower bound may be corrected for the family of checks: it is then at 1 - `level`, both for the decision and for
    display. Anything in between is `inconclusive`, and so are too few clusters for a bound and too many unscored
    answers. No data, or no scored answer, is an `error`. Checks that are not gated get `none`.

    Args:
        spec: the check.
        evidence: what was measured for it.
        level: level of the lower bound, corrected for the family; None keeps the interval's own bound.
        correction: how it was corrected, in words, for the explanation.
        shown: what is shown with the verdict.

    """
    measure, bar, applied = spec.measure, spec.bar, spec.widening
    also = shown or Shown()
    outcome: Outcome = "none"
    reason = ""
    interval = evidence.interval
    details: dict[str, object] = {}
    if bar is not None:
        details["p_fail"] = interval.p_above(bar + applied)
        if level is not None and interval.law is not None:
            details |= {"low_uncorrected": finite(interval.low), "low_level": level}
            interval = replace(interval, low=interval.low_at(level))
            evidence = replace(evidence, interval=interval)
        outcome, reason = _judge(spec, bar, evidence)
    explain = explanation(
        measure, spec.group, evidence, outcome, bar, reason, applied, correction, cancels=spec.shift > applied
    )
    return Verdict(
        id=evidence.check_id,
        benchmark=measure.benchmark,
        metric=measure.metric,
        group=spec.group,
        n=evidence.n,
        clusters=dict(evidence.clusters),
        unscored=evidence.unscored,
        policy=evidence.policy,
        reference=evidence.reference,
        estimate=finite(interval.estimate),
        low=finite(interval.low),
        high=finite(interval.high),
        limit=bar,
        verdict=outcome,
        explain=f"{explain} {also.remark}" if also.remark else explain,
        gated=spec.gated,
        data=spec.data,
        samples=also.samples,
        details={
            **evidence.details,
            **details,
            **({"shift": applied} if applied else {}),
            "method": interval.method,
            "se": finite(interval.se),
            "note": interval.note,
            "unscored_share": evidence.unscored_share,
            **also.details,
        },
    )


def blocks(outcome: str, inconclusive: str = "fail") -> bool:
    """Return whether the outcome of a gated check blocks a release.

    A release passes if none of its declared checks blocks and each has an outcome. This needs no correction for
    multiple checks (it is an intersection-union test).

    Args:
        outcome: `Verdict.verdict` of a gated check.
        inconclusive: value of `--rootfruit-inconclusive`; with "warn", inconclusive checks do not block.

    """
    return outcome in {"fail", "error"} or (outcome == "inconclusive" and inconclusive == "fail")


def _judge(spec: CheckSpec, bar: float, evidence: Evidence) -> tuple[Outcome, str]:
    """Return the outcome, and the reason if the bounds alone do not explain it."""
    interval, shift, strict = evidence.interval, spec.widening, spec.must_improve
    if shift >= bar and shift > 0.0:
        return "error", (
            f"the instrument is unfit for this check: its own shift, {100 * shift:.1f} points, "
            f"is not below the limit of {100 * bar:.1f}"
        )
    if not math.isfinite(interval.estimate) or evidence.n == 0:
        return "error", f"there is no estimate: {interval.note or 'no data'}"
    if evidence.unscored_share >= 1.0:
        return "error", "no answer of at least one model could be scored"
    if not evidence.unscored_share <= spec.max_unscored:
        return "inconclusive", (
            f"{100 * evidence.unscored_share:.0f} % of the answers on one side could not be scored, "
            f"more than the {100 * spec.max_unscored:.0f} % allowed (--rootfruit-max-unscored)"
        )
    if interval.refused:
        return "inconclusive", interval.note
    low, high = interval.low, interval.high
    reason = ""
    if spec.decision == "point":
        low = high = interval.estimate
        reason = "the estimate alone decides (--rootfruit-decision=point), regardless of its bounds"
    if not (math.isfinite(low) and math.isfinite(high)):
        return "error", "the bounds are not numbers"
    if strict:
        reason = "the policy must be better than its reference (--rootfruit-decision=superior)"
    if high + shift < bar or (high + shift == bar and not strict):
        return "pass", reason
    if low - shift > bar:
        return "fail", reason
    return "inconclusive", ""
