"""Whole results, for tests that care for a part of one: readers refuse a result that lacks anything."""

from __future__ import annotations

from msgspec import convert

from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result


def whole_row(check, **changes):
    benchmark, metric, group = check.split("/", 2)
    return {
        "id": check, "benchmark": benchmark, "metric": metric, "group": group, "n": 40, "clusters": {}, "unscored": 0,
        "policy": None, "reference": None, "estimate": 0.01, "low": -0.02, "high": 0.04, "limit": 0.05,
        "verdict": "pass", "explain": "", "gated": True, "data": "", "samples": [], "details": {},
    } | changes  # fmt: skip


def whole_result(*rows, **changes):
    run = {
        "policy": {"path": "m"}, "reference": None, "data": {"scale": "ci"}, "settings": {}, "instruments": {},
        "notes": [], "tables": {},
    }  # fmt: skip
    held = all(row["verdict"] not in {"fail", "error"} for row in rows)
    return {
        "schema": "rootfruit-result/1", "run": run, "checks": list(rows), "complete": True, "missing": [],
        "released": held, "reservations": [], "combined": {"gated": False, "groups": [], "instances": {}},
        "intersections": {"not_measured": "x"},
    } | changes  # fmt: skip


def typed(value):
    """The result as everything but a reader takes it."""
    return convert(value, Result)


def check(row):
    """One check, likewise."""
    return convert(row, Check)
