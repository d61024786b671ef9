"""One paragraph for a release manager: what was measured, for whom, the figures, the verdict, what would settle it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rootfruit_checks.catalog.informative_bounds import informative

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Outcome
    from rootfruit_checks.catalog.measures import Measure
    from rootfruit_checks.metrics.evidence import Evidence

# A planned sample beyond this multiple is no plan.
_TOO_MANY = 200.0
_BEYOND = "The estimate itself lies beyond the limit, so more samples are more likely to show a failure than a pass."


def unit_of(measure: Measure) -> str:
    """Return `%` for a share and `points`, percentage points, for a difference of shares."""
    return "points" if measure.signed else "%"


def figure(value: float | None, unit: str) -> str:
    """Write a share as `12.3 %` and a difference as `+4.5 points`."""
    if value is None or not math.isfinite(value):
        return "unknown"
    return f"{100 * value:.1f} %" if unit == "%" else f"{100 * value:+.1f} points"


def explanation(
    measure: Measure,
    group: str,
    evidence: Evidence,
    outcome: Outcome,
    limit: float | None,
    reason: str,
    shift: float,
    correction: str = "",
    *,
    cancels: bool = False,
) -> str:
    """Return the paragraph: plain text, a few sentences. See `decision.decide` for the arguments."""
    sentences = [f"Measured: {measure.title}, for {group}."]
    if evidence.n:
        sentences.append(_figures(measure, evidence))
    else:
        sentences.append("There are no data for it.")
    if evidence.unscored:
        sentences.append(f"Not scored: {evidence.unscored} answers.")
    if shift:
        sentences.append(_shifted(measure, evidence, shift))
    if cancels:
        sentences.append("The instrument's own shift is the same for both models and cancels to first order.")
    if correction and limit is not None and not evidence.interval.refused:
        low, _ = _bounds(measure, evidence)
        told = "The lower bound is" if low is not None else "No lower bound is left once it is"
        sentences.append(f"{told} {correction}.")
    sentences.append(_verdict(measure, evidence, outcome, limit, reason))
    if outcome == "inconclusive" and not reason and limit is not None:
        sentences.append(_settle(measure, evidence, limit, shift))
    if outcome == "inconclusive" and evidence.interval.refused:
        sentences.append(_more_clusters(evidence))
    return " ".join(sentences)


def _shifted(measure: Measure, evidence: Evidence, shift: float) -> str:
    """Say with which bounds it is decided: those shown are of the samples alone."""
    unit = unit_of(measure)
    low, high = _bounds(measure, evidence)
    bounds = {"lower": None if low is None else low - shift, "upper": None if high is None else high + shift}
    decided = [f"{side} bound {figure(bound, unit)}" for side, bound in bounds.items() if bound is not None]
    text = f"The instrument's own shift of {100 * shift:.1f} points widens both bounds"
    return f"{text}: it is decided by {' and '.join(decided)}." if decided else f"{text}."


def _bounds(measure: Measure, evidence: Evidence) -> tuple[float | None, float | None]:
    return informative(measure, evidence.interval.low, evidence.interval.high)


def _figures(measure: Measure, evidence: Evidence) -> str:
    unit, interval = unit_of(measure), evidence.interval
    counted = " and ".join(count_of(number, name) for name, number in evidence.clusters.items() if number)
    text = f"The estimate is {figure(interval.estimate, unit)}"
    if not interval.refused:
        low, high = _bounds(measure, evidence)
        if low is not None and high is not None:
            text += f", one-sided bounds {figure(low, unit)} to {figure(high, unit)}"
        elif low is not None:
            text += f", lower bound {figure(low, unit)} and no upper bound"
        elif high is not None:
            text += f", upper bound {figure(high, unit)} and no lower bound"
        else:
            text += ", without a bound on either side"
    text += f", from {evidence.n} samples" + (f" in {counted}" if counted else "")
    if evidence.policy is not None and evidence.reference is not None:
        level, other = measure.levels, "baseline" if measure.needs_baseline else "reference"
        text += f" (policy {figure(evidence.policy, level)}, {other} {figure(evidence.reference, level)})"
    return text + "."


def _verdict(measure: Measure, evidence: Evidence, outcome: Outcome, limit: float | None, reason: str) -> str:
    bar = figure(limit, unit_of(measure))
    if outcome == "none":
        return "Described only, not gated."
    if outcome in ("pass", "fail") and reason:
        return f"{outcome.upper()} against the limit of {bar}: {reason}."
    if outcome == "pass":
        return f"PASS: even the upper bound is within the limit of {bar}."
    if outcome == "fail":
        return f"FAIL: even the lower bound is above the limit of {bar}."
    if outcome == "error":
        return f"ERROR, which never passes: {reason}."
    if reason:
        return f"INCONCLUSIVE against the limit of {bar}: {reason}."
    low, high = _bounds(measure, evidence)
    if low is not None and high is not None:
        return f"INCONCLUSIVE: the limit of {bar} lies between the bounds."
    if high is not None:
        return f"INCONCLUSIVE: the upper bound is above the limit of {bar}."
    if low is not None:
        return f"INCONCLUSIVE: the lower bound is not above the limit of {bar}."
    return f"INCONCLUSIVE: without bounds nothing is shown about the limit of {bar}."


def _settle(measure: Measure, evidence: Evidence, limit: float, shift: float) -> str:
    """Say how many clusters would settle it, were the truth where the estimate is: bounds shrink with sqrt(clusters).

    The part of the variance that belongs to the clusters themselves does not shrink with more samples of the same
    ones; where it alone keeps the bound beyond the limit, no number of samples settles anything.
    """
    interval = evidence.interval
    passing = interval.estimate <= limit
    low, high = _bounds(measure, evidence)
    bound, side, verdict = (high, "upper", "pass") if passing else (low, "lower", "fail")
    ahead = "" if passing else f"{_BEYOND} "
    room = abs(limit - interval.estimate) - shift
    if room <= 0:
        place = "within the instrument's shift of the limit" if shift > 0 else "on the limit"
        return f"With the estimate as it is no number of samples would settle it: it lies {place}."
    if bound is None:  # at the end of the range a bound says nothing of how fast it would come closer
        others = " and ".join(f"{name}s" for name, number in evidence.clusters.items() if number) or "samples"
        return f"{ahead}These samples are too few for {'an' if passing else 'a'} {side} bound: take more {others}."
    width = abs(bound - interval.estimate)
    if width > room * math.sqrt(_TOO_MANY):
        return (
            f"{ahead}To {verdict}, with the estimate as it is, it would take more than {_TOO_MANY:.0f} times the "
            f"samples: the {side} bound is {100 * width:.1f} points from the estimate, and the limit {100 * room:.1f}."
        )
    times = (width / room) ** 2
    wanted = " and ".join(
        f"about {count_of(math.ceil(number * times), name)} (now {number})"
        for name, number in evidence.clusters.items()
        if number
    )
    text = f"{ahead}To {verdict}, with the estimate as it is, it would take {wanted}"
    variance = interval.se**2
    share = interval.residual / variance if variance > 0 else math.nan
    if math.isfinite(share):
        # With samples times k the variance is V (1 - share + share / k): solve for the k that makes the bound fit.
        spare = (room / width) ** 2 - (1.0 - share)
        if spare <= 0 or share / spare > _TOO_MANY:
            names = " or ".join(f"{name}s" for name, number in evidence.clusters.items() if number)
            text += f"; more samples of the same {names} would not be enough"
        else:
            more = math.ceil(evidence.n * max(1.0, share / spare))
            text += f", or about {more} samples (now {evidence.n}) with these"
    return text + f" ({100 * room:.1f} points of room)."


def _more_clusters(evidence: Evidence) -> str:
    names = " and ".join(f"{name}s" for name, number in evidence.clusters.items() if 0 < number < 10)
    return f"More samples of the same {names} would not settle it: take more {names}." if names else ""


def count_of(number: int, name: str) -> str:
    """Write a number of clusters with their name, as in `12 templates`."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
