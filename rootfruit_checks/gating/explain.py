"""The paragraph that explains a verdict to a release manager: measure, group, figures, verdict and next step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rootfruit_checks.catalog.informative_bounds import informative

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Outcome
    from rootfruit_checks.catalog.measures import Measure
    from rootfruit_checks.metrics.evidence import Evidence

# Beyond this multiple of the current sample, a number of samples is not worth suggesting.
_TOO_MANY = 200.0
_BEYOND = "The estimate itself is beyond the limit, so more samples are more likely to show a failure than a pass."


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
    """Return the paragraph as plain text, a few sentences long. See `decision.decide` for the arguments."""
    sentences = [f"Measured: {measure.title}, for {group}."]
    if evidence.n:
        sentences.append(_figures(measure, evidence))
    else:
        sentences.append("There are no data for this check.")
    if evidence.unscored:
        sentences.append(f"Not scored: {evidence.unscored} answers.")
    if shift:
        sentences.append(_shifted(measure, evidence, shift))
    if cancels:
        sentences.append("The instrument's own shift is the same for both models and cancels to first order.")
    if correction and limit is not None and not evidence.interval.refused:
        low, _ = _bounds(measure, evidence)
        told = "The lower bound is" if low is not None else "There is no lower bound once it is"
        sentences.append(f"{told} {correction}.")
    sentences.append(_verdict(measure, evidence, outcome, limit, reason))
    if outcome == "inconclusive" and not reason and limit is not None:
        sentences.append(_settle(measure, evidence, limit, shift))
    if outcome == "inconclusive" and evidence.interval.refused:
        sentences.append(_more_clusters(evidence))
    return " ".join(sentences)


def _shifted(measure: Measure, evidence: Evidence, shift: float) -> str:
    """Name the bounds that decide. The ones shown before cover sampling error only."""
    unit = unit_of(measure)
    low, high = _bounds(measure, evidence)
    bounds = {"lower": None if low is None else low - shift, "upper": None if high is None else high + shift}
    decided = [f"{side} bound {figure(bound, unit)}" for side, bound in bounds.items() if bound is not None]
    text = f"The instrument's own shift of {100 * shift:.1f} points widens both bounds"
    return f"{text}, so the verdict uses the {' and the '.join(decided)}." if decided else f"{text}."


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
            text += ", with no bound on either side"
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
        return f"ERROR (never a pass): {reason}."
    if reason:
        return f"INCONCLUSIVE against the limit of {bar}: {reason}."
    low, high = _bounds(measure, evidence)
    if low is not None and high is not None:
        return f"INCONCLUSIVE: the limit of {bar} lies between the bounds."
    if high is not None:
        return f"INCONCLUSIVE: the upper bound is above the limit of {bar}."
    if low is not None:
        return f"INCONCLUSIVE: the lower bound is not above the limit of {bar}."
    return f"INCONCLUSIVE: there are no bounds to compare with the limit of {bar}."


def _settle(measure: Measure, evidence: Evidence, limit: float, shift: float) -> str:
    """Say how many clusters would settle the check if the estimate is right: bounds shrink with sqrt(clusters).

    More samples from the same clusters do not reduce the variance between clusters. If that variance alone keeps the
    bound beyond the limit, no number of samples from them settles the check.
    """
    interval = evidence.interval
    passing = interval.estimate <= limit
    low, high = _bounds(measure, evidence)
    bound, side, verdict = (high, "upper", "pass") if passing else (low, "lower", "fail")
    ahead = "" if passing else f"{_BEYOND} "
    room = abs(limit - interval.estimate) - shift
    if room <= 0:
        place = "within the instrument's shift of the limit" if shift > 0 else "on the limit"
        return f"If the estimate stays the same, no number of samples would settle this check: it lies {place}."
    if bound is None:  # a bound at the end of the range does not show how fast it would shrink
        others = " and ".join(f"{name}s" for name, number in evidence.clusters.items() if number) or "samples"
        return f"{ahead}There are too few samples for {'an' if passing else 'a'} {side} bound: add more {others}."
    width = abs(bound - interval.estimate)
    if width > room * math.sqrt(_TOO_MANY):
        return (
            f"{ahead}To {verdict} with this estimate, the check would need more than {_TOO_MANY:.0f} times the "
            f"samples: the {side} bound is {100 * width:.1f} points from the estimate, and the limit {100 * room:.1f}."
        )
    times = (width / room) ** 2
    wanted = " and ".join(
        f"about {count_of(math.ceil(number * times), name)} (now {number})"
        for name, number in evidence.clusters.items()
        if number
    )
    text = f"{ahead}To {verdict} with this estimate, the check would need {wanted}"
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
            text += f", or about {more} samples (now {evidence.n}) from the same ones"
    return text + f" (margin: {100 * room:.1f} points)."


def _more_clusters(evidence: Evidence) -> str:
    names = " and ".join(f"{name}s" for name, number in evidence.clusters.items() if 0 < number < 10)
    return f"More samples of the same {names} would not settle this check: add more {names}." if names else ""


def count_of(number: int, name: str) -> str:
    """Write a number of clusters with their name, as in `12 templates`."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
