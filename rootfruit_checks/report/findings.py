"""What a result found, in sentences: what alignment changed and for whom, what is beyond its limit, what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.errors import DataError
from rootfruit_checks.explain import figure, unit_of
from rootfruit_checks.registry import BY_ID, Measure

Row = Mapping[str, Any]
# Where the explanation of an inconclusive check goes on to say what would settle it.
_BETWEEN = "lies between the bounds. "


def findings(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return lists of lines for the page: `more`, `fewer` and `open` changes by alignment, `failed`, `unsettled`.

    A change counts as shown where its one-sided bound, at 1 - alpha and not corrected for the number of checks, is
    beyond none; a verdict's own lower bound is corrected and asks for more.
    """
    gated = [row for row in value["checks"] if row["gated"]]
    changes: dict[str, list[dict[str, str]]] = {"more": [], "fewer": [], "open": []}
    for row in gated:
        measure = _measure(row)
        none = measure.no_change
        if none is not None and measure.needs_reference and row["estimate"] is not None and row["low"] is not None:
            low = _low(row)
            kind = "more" if low > none else "fewer" if row["high"] < none else "open"
            changes[kind].append({**_line(row), "low": figure(low, unit_of(measure))})
    return {
        **changes,
        "failed": [_line(row) for row in gated if row["verdict"] == "fail"],
        "unsettled": [_line(row) for row in gated if row["verdict"] == "inconclusive"],
        "errors": [_line(row) for row in gated if row["verdict"] == "error"],
        "people": _people(gated),
    }


def _measure(row: Row) -> Measure:
    return BY_ID[f"{row['benchmark']}/{row['metric']}"]


def _low(row: Row) -> float:
    """The lower bound before the correction for many checks, where it is told."""
    low = row["details"].get("low_uncorrected")
    return float(row["low"] if low is None else low)


def _line(row: Row) -> dict[str, str]:
    measure = _measure(row)
    unit = unit_of(measure)
    told = {name: figure(row[name], unit) for name in ("estimate", "low", "high", "threshold")}
    text = str(row["explain"])
    settle = text.partition(_BETWEEN)[2] or text.partition("INCONCLUSIVE")[2].lstrip(": ")
    level = ""
    if row["policy"] is not None and row["reference"] is not None:
        level = f"{figure(row['reference'], measure.levels)} before, {figure(row['policy'], measure.levels)} after"
    title = measure.title + (" (50 % is neither)," if measure.no_change == 0.5 else ",")
    return {
        "id": row["id"],
        "group": row["group"],
        "title": title,
        "levels": level,
        "settle": settle,
        **told,
    }


def _people(gated: Sequence[Row]) -> list[tuple[str, str]]:
    """Who the groups are, by benchmark: the labels that are counted together."""
    found = []
    for benchmark, group in dict.fromkeys((row["benchmark"], row["group"]) for row in gated):
        try:
            members = groups().members(benchmark, group)
        except DataError:  # a page may be made where a registered benchmark is not installed
            continue
        found.append((f"{group} ({benchmark})", ", ".join(members)))
    return found
