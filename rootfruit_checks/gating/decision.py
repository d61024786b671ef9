"""Evidence and a limit become a verdict that explains itself; verdicts become a release decision. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.numbers import finite
from rootfruit_checks.base.types import Outcome, Sample, Verdict
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.gating.explain import explanation, unit_of

if TYPE_CHECKING:
    from rootfruit_checks.metrics.evidence import Evidence  # it brings pandas, which deciding does not need

DECISIONS = ("confident", "point", "superior")


def decide(
    measure: Measure,
    group: str,
    evidence: Evidence,
    *,
    limit: float | None,
    max_unscored: float,
    data: str,
    gated: bool = True,
    samples: tuple[Sample, ...] = (),
    shift: float = 0.0,
    decision: str = "confident",
    level: float | None = None,
    correction: str = "",
) -> Verdict:
    """Decide one check: `pass` if the upper bound is at most the limit, `fail` if the lower bound exceeds it.

    The lower bound may be corrected for the family of checks: it then stands at 1 - `level`, in what decides and in
    what is shown. Anything between is `inconclusive`; so are too few clusters for a bound and too many unscored
    answers. No data, or nothing that could be scored, is `error`. What is not gated gets `none`.

    Args:
        measure: the registry's row.
        group: the group's name.
        evidence: what was measured for it.
        limit: T, on the scale of the estimate; needed for what is gated.
        max_unscored: the largest share of unscored answers in any arm with which a check may still be decided.
        data: name of the data, for the result.
        gated: whether this check decides.
        samples: the samples shown with the verdict.
        shift: the instrument's own shift b, for ceilings: pass if upper + b <= T, fail if lower - b > T. To first
            order it cancels in what is compared with a reference, and is only spoken of there.
        decision: `confident`; `point`: the estimate itself against the limit; or `superior`: a difference must lie
            below that of a policy that changed nothing, and a ceiling is decided as by `confident`.
        level: level of the lower bound, corrected for the family; None leaves the interval's own.
        correction: in words, how it was corrected, for the explanation.

    Raises:
        ConfigError: no limit, one outside the measure's range, a shift below 0, an unknown decision.

    """
    gated = gated and measure.gated
    if decision not in DECISIONS:
        raise ConfigError(f"option --rootfruit-decision: {decision!r} is not one of {', '.join(DECISIONS)}")
    if not (math.isfinite(shift) and shift >= 0.0):
        raise ConfigError(
            f"{evidence.check_id}: the instrument's shift is {shift!r}; it must be a number of at least 0"
        )
    applied = shift if measure.gate == "ceiling" else 0.0
    bar = bar_of(measure, evidence.check_id, limit, decision) if gated else None
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
        outcome, reason = _judge(
            evidence, bar, max_unscored, applied, decision, strict=_must_improve(measure, decision)
        )
    return Verdict(
        id=evidence.check_id,
        benchmark=measure.benchmark,
        metric=measure.metric,
        group=group,
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
        explain=explanation(
            measure, group, evidence, outcome, bar, reason, applied, correction, cancels=shift > applied
        ),
        gated=gated,
        data=data,
        samples=samples,
        details={
            **evidence.details,
            **details,
            **({"shift": applied} if applied else {}),
            "method": interval.method,
            "se": finite(interval.se),
            "note": interval.note,
            "unscored_share": evidence.unscored_share,
        },
    )


def blocks(outcome: str, inconclusive: str = "fail") -> bool:
    """Tell whether the outcome of a gated check blocks a release.

    A release passes when none of its declared checks does and each has an outcome. That needs no correction for many
    checks (an intersection-union test).

    Args:
        outcome: `Verdict.verdict` of a gated check.
        inconclusive: of `--rootfruit-inconclusive`; with "warn", inconclusive checks do not block.

    """
    return outcome in {"fail", "error"} or (outcome == "inconclusive" and inconclusive == "fail")


def _judge(
    evidence: Evidence, bar: float, max_unscored: float, shift: float, decision: str, *, strict: bool
) -> tuple[Outcome, str]:
    """Return the outcome and, where the bounds alone do not tell it, the reason."""
    interval = evidence.interval
    if shift >= bar and shift > 0.0:
        return "error", (
            f"the instrument is unfit for this check: its own shift, {100 * shift:.1f} points, "
            f"is not below the limit of {100 * bar:.1f}"
        )
    if not math.isfinite(interval.estimate) or evidence.n == 0:
        return "error", f"there is nothing to decide on: {interval.note or 'no data'}"
    if evidence.unscored_share >= 1.0:
        return "error", "no answer of at least one model could be scored"
    if not evidence.unscored_share <= max_unscored:
        return "inconclusive", (
            f"{100 * evidence.unscored_share:.0f} % of the answers on one side could not be scored, "
            f"more than the {100 * max_unscored:.0f} % allowed (--rootfruit-max-unscored)"
        )
    if interval.refused:
        return "inconclusive", interval.note
    low, high = interval.low, interval.high
    reason = ""
    if decision == "point":
        low = high = interval.estimate
        reason = "the estimate alone decides (--rootfruit-decision=point), whatever its bounds"
    if not (math.isfinite(low) and math.isfinite(high)):
        return "error", "the bounds are not numbers"
    if strict:
        reason = "the policy must be better than its reference (--rootfruit-decision=superior)"
    if high + shift < bar or (high + shift == bar and not strict):
        return "pass", reason
    if low - shift > bar:
        return "fail", reason
    return "inconclusive", ""


def _must_improve(measure: Measure, decision: str) -> bool:
    return decision == "superior" and measure.no_change is not None


def bar_of(measure: Measure, check_id: str, limit: float | None, decision: str) -> float:
    """Return what a gated check is held against: its limit, or what no change comes to where that is stricter
    and the policy must be superior.

    Raises:
        ConfigError: no limit, or one outside the measure's range.

    """
    bar = _checked(measure, check_id, limit)
    return min(bar, measure.no_change) if _must_improve(measure, decision) and measure.no_change is not None else bar


def _checked(measure: Measure, check_id: str, limit: float | None) -> float:
    if limit is None:
        raise ConfigError(f"{check_id}: is gated and has no limit; set one with --rootfruit-limit={check_id}=X")
    low = 0.0 if unit_of(measure) == "%" else -1.0
    if not low <= limit < 1.0:
        raise ConfigError(
            f"{check_id}: limit {limit!r} is outside [{low:g}, 1): it could never be exceeded, "
            "or never be met; 5 % is written 0.05"
        )
    return float(limit)
