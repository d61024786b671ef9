"""What a result found, in sentences: what alignment changed and for whom, what is beyond its limit, what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog import informative_bounds
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.explain import figure, unit_of
from rootfruit_checks.report.markdown import gravity
from rootfruit_checks.report.terminal import WORDS

Row = Mapping[str, Any]
Line = dict[str, str]
# How many of the checks that do not pass stand at the head of a page.
FIRST = 3
# Where the explanation of an inconclusive check goes on to say what would settle it.
_BETWEEN = "lies between the bounds. "
# A concordance of stigma and control predicates within one run: none is a half, and there is no before and after.
_HALF = 0.5


def findings(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return lists of lines for the page.

    `more`, `fewer` and `open`: changes by alignment; `rewarded`: what the implicit reward prefers; `both`: rates that
    rose for a group's control too or alone, which a disparity hides; `failed`, `unsettled`, `errors`: by verdict;
    `people`: who the groups are; `first`: the worst verdicts, for the head of the page.

    A change counts as shown where its one-sided bound, at 1 - alpha and not corrected for the number of checks, is
    beyond none; a verdict's own lower bound is corrected and asks for more.
    """
    gated = [row for row in value["checks"] if row["gated"]]
    changes: dict[str, list[Line]] = {"more": [], "fewer": [], "open": [], "rewarded": []}
    for row in gated:
        measure = _measure(row)
        none = measure.no_change
        if none is not None and measure.needs_reference and row["estimate"] is not None and row["low"] is not None:
            low = _low(row)
            kind = "more" if low > none else "fewer" if row["high"] < none else "open"
            line = {**_line(row), "bounds": _bounds(row, low)}
            told = {"more": "prefers stigma", "fewer": "prefers the controls", "open": "shows no preference"}[kind]
            changes["rewarded" if none == _HALF else kind].append(line | {"kind": told})
    return {
        **changes,
        "both": _both(gated),
        "failed": [_line(row) for row in gated if row["verdict"] == "fail"],
        "unsettled": [_line(row) for row in gated if row["verdict"] == "inconclusive"],
        "errors": [_line(row) for row in gated if row["verdict"] == "error"],
        "people": _people(gated),
        "first": [_line(row) for row in sorted(gated, key=gravity) if row["verdict"] != "pass"][:FIRST],
    }


def _measure(row: Row) -> Measure:
    return MEASURES[f"{row['benchmark']}/{row['metric']}"]


def _low(row: Row) -> float:
    """The lower bound before the correction for many checks, where it is told."""
    low = row["details"].get("low_uncorrected")
    return float(row["low"] if low is None else low)


def _rates(row: Row) -> Mapping[str, Mapping[str, float]]:
    """Rates of group and control by model, of a disparity; nothing where they are not all there."""
    rates = row["details"].get("rates") or {}
    whole = all(isinstance((rates.get(role) or {}).get(side), float) for role in rates for side in ("group", "control"))
    return rates if whole and {"policy", "reference"} <= set(rates) else {}


def _line(row: Row) -> Line:
    measure = _measure(row)
    unit = unit_of(measure)
    told = {name: figure(row[name], unit) for name in ("estimate", "limit")}
    text = str(row["explain"])
    settle = text.partition(_BETWEEN)[2] or text.partition("INCONCLUSIVE")[2].lstrip(": ")
    level = ""
    if rates := _rates(row):
        level = "; ".join(
            f"{name} {figure(rates['reference'][side], '%')} before, {figure(rates['policy'][side], '%')} after"
            for side, name in (("group", "group"), ("control", "its control"))
        )
    elif row["policy"] is not None and row["reference"] is not None:
        level = f"{figure(row['reference'], measure.levels)} before, {figure(row['policy'], measure.levels)} after"
    title = measure.title + (" (50 % is neither)," if measure.no_change == _HALF else ",")
    return {
        "id": row["id"], "group": row["group"], "title": title, "levels": level, "settle": settle,
        "word": WORDS[row["verdict"]], "verdict": row["verdict"], "bounds": _bounds(row, row["low"]), **told,
    }  # fmt: skip


def _bounds(row: Row, low: float | None) -> str:
    """Return the bounds in words: `at least 3.0 %, at most 5.0 %`, or that there are none."""
    unit = unit_of(_measure(row))
    known = informative_bounds.shown({**row, "low": low})
    told = [
        f"{word} {figure(known[name], unit)}" if known[name] is not None else f"no {side} bound"
        for name, word, side in (("low", "at least", "lower"), ("high", "at most", "upper"))
    ]
    return ", ".join(told)


def _both(gated: Sequence[Row]) -> list[Line]:
    """Checks on a disparity whose control's rate rose from reference to policy: as estimated, without bounds."""
    found = []
    for row in gated:
        rates = _rates(row)
        if rates and _measure(row).no_change == 0.0 and rates["policy"]["control"] > rates["reference"]["control"]:
            found.append(_line(row))
    return found


def _people(gated: Sequence[Row]) -> list[tuple[str, str]]:
    """Who the groups are, by benchmark: the labels of this run that are counted together, else all that would be."""
    found: dict[str, str] = {}
    for row in gated:
        here = row["details"].get("by_identity")
        name = f"{row['group']} ({row['benchmark']})"
        if isinstance(here, Mapping) and here:
            found[name] = ", ".join(sorted(here))
            continue
        try:
            found.setdefault(name, ", ".join(groups().members(row["benchmark"], row["group"])))
        except DataError:  # a page may be made where a registered benchmark is not installed
            continue
    return list(found.items())
