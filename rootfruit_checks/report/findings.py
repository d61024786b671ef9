"""The findings of a result: what alignment changed and for whom, what exceeds its limit, what is inconclusive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.informative_bounds import informative
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.explain import figure, unit_of
from rootfruit_checks.report.markdown import gravity
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result

Line = dict[str, str]
# How many of the checks that do not pass are listed at the top of a page.
FIRST = 3
# In the explanation of an inconclusive check, the text after this says what would settle it.
_BETWEEN = "lies between the bounds. "
# A concordance of stigma and control predicates within one run: 0.5 is no preference; there is no before and after.
_HALF = 0.5
_SIDES = {"group": "group", "control": "its control"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Lists of lines for the page.

    A change is listed as `more` or `fewer` if its one-sided bound excludes no change. That bound is at 1 - alpha and
    not corrected for the number of checks; the lower bound of a verdict is corrected, and so stricter.

    Attributes:
        more: more harm after alignment.
        fewer: less harm after alignment.
        open: changes that are inconclusive.
        rewarded: what the implicit reward prefers.
        both: rates that rose for a group's control, or for both; a disparity hides this.
        failed: checks that exceed their limit.
        unsettled: inconclusive checks.
        errors: checks that were not decided.
        people: who the groups are.
        first: the worst verdicts, for the top of the page.

    """

    more: Sequence[Line]
    fewer: Sequence[Line]
    open: Sequence[Line]
    rewarded: Sequence[Line]
    both: Sequence[Line]
    failed: Sequence[Line]
    unsettled: Sequence[Line]
    errors: Sequence[Line]
    people: Sequence[tuple[str, str]]
    first: Sequence[Line]


def findings(value: Result) -> Findings:
    """Return the findings of a result."""
    gated = value.gated
    changes: dict[str, list[Line]] = {"more": [], "fewer": [], "open": [], "rewarded": []}
    for row in gated:
        measure = _measure(row)
        none = measure.no_change
        if none is not None and measure.needs_reference and row.estimate is not None and row.low is not None:
            low = _low(row, row.low)
            kind = "more" if low > none else "fewer" if row.high is not None and row.high < none else "open"
            line = {**_line(row), "bounds": _bounds(row, low)}
            told = {"more": "prefers stigma", "fewer": "prefers the controls", "open": "shows no preference"}[kind]
            changes["rewarded" if none == _HALF else kind].append(line | {"kind": told})
    return Findings(
        **changes,
        both=_both(gated),
        failed=[_line(row) for row in gated if row.verdict == "fail"],
        unsettled=[_line(row) for row in gated if row.verdict == "inconclusive"],
        errors=[_line(row) for row in gated if row.verdict == "error"],
        people=_people(gated),
        first=[_line(row) for row in sorted(gated, key=gravity) if row.verdict != "pass"][:FIRST],
    )


def _measure(row: Check) -> Measure:
    return MEASURES[row.measure]


def _low(row: Check, low: float) -> float:
    """The lower bound before the correction for many checks, if the result has it."""
    told = row.known.low_uncorrected
    return told if isinstance(told, float) else low


def _rates(row: Check) -> dict[str, tuple[float, float]]:
    """Return the rates of a disparity's group and control, before and after; empty unless all four are known."""
    rates = row.known.rates or {}
    before, after = rates.get("reference"), rates.get("policy")
    if before is None or after is None:
        return {}
    sides = {"group": (before.group, after.group), "control": (before.control, after.control)}
    return {side: (old, new) for side, (old, new) in sides.items() if old is not None and new is not None}


def _line(row: Check) -> Line:
    measure = _measure(row)
    unit = unit_of(measure)
    told = {"estimate": figure(row.estimate, unit), "limit": figure(row.limit, unit)}
    text = row.explain
    settle = text.partition(_BETWEEN)[2] or text.partition("INCONCLUSIVE")[2].lstrip(": ")
    level = ""
    rates = _rates(row)
    if len(rates) == len(_SIDES):
        level = "; ".join(
            f"{name} {figure(rates[side][0], '%')} before, {figure(rates[side][1], '%')} after"
            for side, name in _SIDES.items()
        )
    elif row.policy is not None and row.reference is not None:
        level = f"{figure(row.reference, measure.levels)} before, {figure(row.policy, measure.levels)} after"
    title = measure.title + (" (50 % is no preference)," if measure.no_change == _HALF else ",")
    return {
        "id": row.id, "group": row.group, "title": title, "levels": level, "settle": settle,
        "word": WORDS[row.verdict], "verdict": row.verdict, "bounds": _bounds(row, row.low), **told,
    }  # fmt: skip


def _bounds(row: Check, low: float | None) -> str:
    """Return the bounds in words: `at least 3.0 %, at most 5.0 %`; a missing bound is named."""
    unit = unit_of(_measure(row))
    least, most = informative(_measure(row), low, row.high)
    told = [
        f"{word} {figure(bound, unit)}" if bound is not None else f"no {side} bound"
        for bound, word, side in ((least, "at least", "lower"), (most, "at most", "upper"))
    ]
    return ", ".join(told)


def _both(gated: Sequence[Check]) -> list[Line]:
    """Disparity checks whose control's rate rose from reference to policy: estimates, without bounds."""
    found = []
    for row in gated:
        rates = _rates(row)
        whole = len(rates) == len(_SIDES)
        if whole and _measure(row).no_change == 0.0 and rates["control"][1] > rates["control"][0]:
            found.append(_line(row))
    return found


def _people(gated: Sequence[Check]) -> list[tuple[str, str]]:
    """Who the groups are, by benchmark: the labels counted in this run, otherwise all labels of the group."""
    found: dict[str, str] = {}
    for row in gated:
        here = row.known.by_identity
        name = f"{row.group} ({row.benchmark})"
        if here:
            found[name] = ", ".join(sorted(here))
            continue
        try:
            found.setdefault(name, ", ".join(groups().members(row.benchmark, row.group)))
        except DataError:  # the page may be made where a registered benchmark is not installed
            continue
    return list(found.items())
