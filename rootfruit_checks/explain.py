"""One paragraph for a release manager: what was measured, for whom, the figures, the verdict, what would settle it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rootfruit_checks.measures.evidence import Evidence
    from rootfruit_checks.registry import Measure
    from rootfruit_checks.types import Outcome

_PLURAL = {"antecedent": "antecedents", "name": "names", "form": "disclosure forms", "template": "templates"}
# A planned sample beyond this multiple is no plan.
_TOO_MANY = 200.0
_BEYOND = "The estimate itself lies beyond the limit, so that no number of samples is likely to make it pass"


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
    """Return the paragraph: plain text, a few sentences. See `gates.decide` for the arguments."""
    sentences = [f"Measured: {measure.title}, for {group}."]
    if evidence.n:
        sentences.append(_figures(measure, evidence))
    else:
        sentences.append("There are no data for it.")
    if evidence.unscored:
        sentences.append(f"Not scored: {evidence.unscored} answers.")
    if shift:
        sentences.append(f"The instrument's own shift of {100 * shift:.1f} points widens both bounds.")
    if cancels:
        sentences.append("The instrument's own shift is the same for both models and cancels to first order.")
    if correction and limit is not None and not evidence.interval.refused:
        sentences.append(f"The lower bound is {correction}.")
    sentences.append(_verdict(measure, evidence, outcome, limit, reason))
    if outcome == "inconclusive" and not reason and limit is not None:
        sentences.append(_settle(evidence, limit, shift))
    if outcome == "inconclusive" and evidence.interval.refused:
        sentences.append(_more_clusters(evidence))
    return " ".join(sentences)


def _figures(measure: Measure, evidence: Evidence) -> str:
    unit, interval = unit_of(measure), evidence.interval
    counted = " and ".join(count_of(number, name) for name, number in evidence.clusters.items() if number)
    text = f"The estimate is {figure(interval.estimate, unit)}"
    if not interval.refused:
        text += f", one-sided bounds {figure(interval.low, unit)} to {figure(interval.high, unit)}"
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
    return f"INCONCLUSIVE: the limit of {bar} lies between the bounds."


def _settle(evidence: Evidence, limit: float, shift: float) -> str:
    """Say how many clusters would settle it, were the truth where the estimate is: bounds shrink with sqrt(clusters).

    The part of the variance that belongs to the clusters themselves does not shrink with more samples of the same
    ones; where it alone keeps the bound beyond the limit, no number of samples settles anything.
    """
    interval = evidence.interval
    passing = interval.estimate <= limit
    width = (interval.high - interval.estimate) if passing else (interval.estimate - interval.low)
    room = abs(limit - interval.estimate) - shift
    ahead = "To pass" if passing else f"{_BEYOND}. To fail it clearly"
    if room <= 0 or width <= 0 or width > room * math.sqrt(_TOO_MANY):
        near = "within the instrument's shift of the limit" if shift > 0 >= room else "too close to the limit"
        text = f"No realistic number of samples would settle it: the estimate lies {near}"
        return f"{text}." if passing else f"{_BEYOND}. {text}."
    times = (width / room) ** 2
    wanted = " and ".join(
        f"about {count_of(math.ceil(number * times), name)} (now {number})"
        for name, number in evidence.clusters.items()
        if number
    )
    text = f"{ahead}, with the estimate as it is, it would take {wanted}"
    variance = interval.se**2
    share = interval.residual / variance if variance > 0 else math.nan
    if math.isfinite(share):
        # With samples times k the variance is V (1 - share + share / k): solve for the k that makes the bound fit.
        spare = (room / width) ** 2 - (1.0 - share)
        if spare <= 0 or share / spare > _TOO_MANY:
            names = " or ".join(_plural(name) for name, number in evidence.clusters.items() if number)
            text += f"; more samples of the same {names} would not do, for only more {names} narrow the bounds enough"
        else:
            more = math.ceil(evidence.n * max(1.0, share / spare))
            text += f", or about {more} samples (now {evidence.n}) with these"
    return text + f" ({100 * room:.1f} points of room)."


def _more_clusters(evidence: Evidence) -> str:
    names = " and ".join(_plural(name) for name, number in evidence.clusters.items() if 0 < number < 10)
    return f"No number of samples of the same ones would settle it: only more {names} would." if names else ""


def _plural(name: str) -> str:
    return _PLURAL.get(name, f"{name}s")


def count_of(number: int, name: str) -> str:
    """Write a number of clusters with their name, as in `12 templates`."""
    return f"{number} {_plural(name) if number != 1 else name}"
