"""What a result found, in sentences: what alignment changed and for whom, what is beyond its limit, what is open."""

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
# How many of the checks that do not pass stand at the head of a page.
FIRST = 3
# Where the explanation of an inconclusive check goes on to say what would settle it.
_BETWEEN = "lies between the bounds. "
# A concordance of stigma and control predicates within one run: none is a half, and there is no before and after.
_HALF = 0.5
_SIDES = {"group": "group", "control": "its control"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Lists of lines for the page.

    A change counts as shown where its one-sided bound, at 1 - alpha and not corrected for the number of checks, is
    beyond none; a verdict's own lower bound is corrected and asks for more.

    Attributes:
        more: changes by alignment to more harm.
        fewer: changes to less harm.
        open: neither is shown.
        rewarded: what the implicit reward prefers.
        both: rates that rose for a group's control too or alone, which a disparity hides.
        failed: checks beyond their limit.
        unsettled: inconclusive checks.
        errors: checks that are not decided.
        people: who the groups are.
        first: the worst verdicts, for the head of the page.

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
    """Return what a result found."""
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
    """The lower bound before the correction for many checks, where it is told."""
    told = row.known.low_uncorrected
    return told if isinstance(told, float) else low


def _rates(row: Check) -> dict[str, tuple[float, float]]:
    """Return the rates before and after of a disparity's group and control; nothing where they are not all there."""
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
    title = measure.title + (" (50 % is neither)," if measure.no_change == _HALF else ",")
    return {
        "id": row.id, "group": row.group, "title": title, "levels": level, "settle": settle,
        "word": WORDS[row.verdict], "verdict": row.verdict, "bounds": _bounds(row, row.low), **told,
    }  # fmt: skip


def _bounds(row: Check, low: float | None) -> str:
    """Return the bounds in words: `at least 3.0 %, at most 5.0 %`, or that there are none."""
    unit = unit_of(_measure(row))
    least, most = informative(_measure(row), low, row.high)
    told = [
        f"{word} {figure(bound, unit)}" if bound is not None else f"no {side} bound"
        for bound, word, side in ((least, "at least", "lower"), (most, "at most", "upper"))
    ]
    return ", ".join(told)


def _both(gated: Sequence[Check]) -> list[Line]:
    """Checks on a disparity whose control's rate rose from reference to policy: as estimated, without bounds."""
    found = []
    for row in gated:
        rates = _rates(row)
        whole = len(rates) == len(_SIDES)
        if whole and _measure(row).no_change == 0.0 and rates["control"][1] > rates["control"][0]:
            found.append(_line(row))
    return found


def _people(gated: Sequence[Check]) -> list[tuple[str, str]]:
    """Who the groups are, by benchmark: the labels of this run that are counted together, else all that would be."""
    found: dict[str, str] = {}
    for row in gated:
        here = row.known.by_identity
        name = f"{row.group} ({row.benchmark})"
        if here:
            found[name] = ", ".join(sorted(here))
            continue
        try:
            found.setdefault(name, ", ".join(groups().members(row.benchmark, row.group)))
        except DataError:  # a page may be made where a registered benchmark is not installed
            continue
    return list(found.items())
