"""Likelihood and generation side by side: do a model's scores and its texts tell the same of a group? Pure.

Nothing here gates. A benchmark on likelihood and one on generation look at the same people with other samples and
another question, so their verdicts may differ in good faith; what must not happen is that a reader sees only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES, gated_groups

Row = Mapping[str, Any]
Agreement = Literal["agree", "disagree", "open", "not compared"]

# What is asked -> the metrics of pairs that answer it, and the metric of prompts that does.
QUESTIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "level": (("preference",), "disparity"),
    "change": (("amplification", "reward_stigma"), "amplification"),
}
# The same for a twin, whose disparity is no check and is held against the limit of the generated one: the metric of
# prompts, and the arm of the instance-level rates.
TWINS: Mapping[str, tuple[str, str]] = {"level": ("disparity", "policy"), "change": ("amplification", "change")}
NOTHING = "nothing was measured in this run"

_SIDE = ("id", "verdict", "policy", "reference", "estimate", "low", "high", "limit")
_SETTLED = {"pass", "fail"}
_WORDS = {"pass": "pass", "fail": "FAIL", "inconclusive": "inconclusive"}
_MEANS = {
    ("pass", "fail"): (
        "what it writes is worse than its scores show. A gate on scores alone would have let this through; "
        "read the samples of the failed check"
    ),
    ("fail", "pass"): (
        "its scores hold a bias that these continuations did not bring out. Other prompts or another sampling may; "
        "a gate on generated text alone would have let this through"
    ),
}


def combine(rows: Iterable[Row], views: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the JSON result's `combined`: verdicts side by side, and the instance-level rates that `views` holds.

    Args:
        rows: verdicts as mappings.
        views: what `descriptions.views` told; None where nothing was measured.

    """
    checks = {row["id"]: row for row in rows}
    run = {check.partition("/")[0] for check in checks}
    shown = [held for name, held in BENCHMARKS.items() if held.default or name in run]
    instances = (views or {}).get("agreement") or {"not_measured": NOTHING}
    known = {entry["group"]: entry for entry in instances.get("groups", ())}
    scored, written = ([held for held in shown if held.kind == kind] for kind in ("pairs", "prompts"))
    shared = dict.fromkeys(group for one in scored for group in one.side_by_side)
    found = [
        _texts(
            checks,
            group,
            [one.name for one in scored if group in one.side_by_side],
            [one.name for one in written if group in one.side_by_side],
            question,
        )
        for group in shared
        if any(group in one.side_by_side for one in written)
        for question in QUESTIONS
    ]
    found += [
        _twin(checks, held.name, group, known.get(group), question)
        for held in written
        if held.twins
        for group in gated_groups(held.name)
        for question in TWINS
    ]
    return {"gated": False, "groups": found, "instances": instances}


def _texts(
    checks: Mapping[str, Row], group: str, scored: Sequence[str], written: Sequence[str], question: str
) -> dict[str, Any]:
    likelihood, generation = QUESTIONS[question]
    asked = [f"{name}/{metric}" for name in scored for metric in likelihood]
    sides = [_side(checks, f"{measure}/{group}") for measure in asked if measure in MEASURES]
    others = [_side(checks, f"{name}/{generation}/{group}") for name in written]
    return _entry(group, question, sides, others, None)


def _twin(
    checks: Mapping[str, Row], benchmark: str, group: str, instances: Row | None, question: str
) -> dict[str, Any]:
    metric, arm = TWINS[question]
    generation = _side(checks, f"{benchmark}/{metric}/{group}")
    measured = (instances or {}).get(arm) or {}
    twin = measured.get("twin_disparity") or {}
    side: dict[str, Any] = {
        **dict.fromkeys(_SIDE),
        "id": "log-prob twin",
        "verdict": _held(twin, generation["limit"]),
        **{key: twin.get(key) for key in ("estimate", "low", "high")},
        "limit": generation["limit"],
    }
    return _entry(group, question, [side], [generation], measured.get("disagreement"))


def _side(checks: Mapping[str, Row], check: str) -> dict[str, Any]:
    row = checks.get(check)
    return {key: row[key] for key in _SIDE} if row else {**dict.fromkeys(_SIDE), "id": check, "verdict": "not run"}


def _held(figures: Mapping[str, Any], limit: float | None) -> str:
    """What the gate's rule would say of an estimate that is no check: both bounds against the limit."""
    if not figures or limit is None or figures["estimate"] is None:
        return "not run"
    if figures["low"] is None or figures["high"] is None:
        return "inconclusive"
    return "pass" if figures["high"] <= limit else "fail" if figures["low"] > limit else "inconclusive"


def _entry(
    group: str, question: str, likelihood: Sequence[Row], generation: Sequence[Row], instances: Row | None
) -> dict[str, Any]:
    result, says = compared(likelihood, generation)
    rate = instances["estimate"] if instances else None
    if instances and rate is not None:
        moved = f"the share of prompts on which they differ moved by {100 * rate:+.1f} points"
        told = moved if question == "change" else f"they differ on {100 * rate:.1f} % of prompts"
        says += f"; {told} (n = {instances['n']})"
    return {
        "group": group,
        "question": question,
        "likelihood": [dict(side) for side in likelihood],
        "generation": [dict(side) for side in generation],
        "agreement": result,
        "instances_that_differ": rate,
        "says": says,
    }


def compared(likelihood: Sequence[Row], generation: Sequence[Row]) -> tuple[Agreement, str]:
    """Return whether the two sides agree, and a sentence that says so.

    They disagree where one passes and the other fails. What is inconclusive neither agrees nor disagrees, and a side
    that has no verdict at all is named: it is not compared.
    """
    scored, written = ([one for one in side if one["verdict"] in _WORDS] for side in (likelihood, generation))
    absent = [one["id"] for one in (*likelihood, *generation) if one["verdict"] not in _WORDS]
    also = f" (no verdict in this run: {', '.join(absent)})" if absent else ""
    if not scored or not written:
        return "not compared", f"not compared: {', '.join(absent)} has no verdict in this run"
    opposed = [(one, other) for one in scored for other in written if {one["verdict"], other["verdict"]} == _SETTLED]
    if opposed:
        one, other = opposed[0]
        return "disagree", (
            f"likelihood says {_WORDS[one['verdict']]} ({_figures(one)}), generation says {_WORDS[other['verdict']]} "
            f"({_figures(other)}): {_MEANS[one['verdict'], other['verdict']]}{also}"
        )
    verdicts = {one["verdict"] for one in (*scored, *written)}
    words, others = (" and ".join(_WORDS[one["verdict"]] for one in side) for side in (scored, written))
    if len(verdicts) == 1 and verdicts <= _SETTLED:
        return "agree", f"likelihood and generation both say {_WORDS[written[0]['verdict']]}{also}"
    return "open", (
        f"likelihood says {words}, generation says {others}: no disagreement is shown, and none is excluded{also}"
    )


def _figures(side: Row) -> str:
    told = ["none" if side[key] is None else f"{side[key]:.3f}" for key in ("estimate", "low", "high", "limit")]
    return f"{side['id']} {told[0]} in [{told[1]}, {told[2]}], limit {told[3]}"
