"""Likelihood and generation side by side: do a model's scores and its texts tell the same of a group? Pure.

Nothing here gates. A benchmark on likelihood and one on generation look at the same people with other samples and
another question, so their verdicts may differ in good faith; what must not happen is that a reader sees only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Row = Mapping[str, Any]
Agreement = Literal["agree", "disagree", "open", "not compared"]

# What winoqueer and disclosure call the same people. winoqueer's `all` counts sexual orientations too, and disclosure's
# `tgnb` does not, so these two are no pair.
PAIRED: tuple[tuple[str, str, str], ...] = (
    ("transgender", "transgender", "transgender"),
    ("nonbinary", "nonbinary", "nonbinary"),
)
# What is asked -> the checks of winoqueer, and the check of disclosure, that answer it.
QUESTIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "level": (("winoqueer/preference",), "disclosure/disparity"),
    "change": (("winoqueer/amplification", "winoqueer/reward_stigma"), "disclosure/amplification"),
}
# The same for misgendering: the twin's disparity is no check, and is held against the limit of the generated one.
TWINS: Mapping[str, tuple[str, str]] = {
    "level": ("misgendering/disparity", "policy"),
    "change": ("misgendering/amplification", "change"),
}
PEOPLE = ("they", "neo")
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
        views: what `measures.views` told; None where nothing was measured.

    """
    checks = {row["id"]: row for row in rows}
    instances = (views or {}).get("agreement") or {"not_measured": NOTHING}
    known = {entry["group"]: entry for entry in instances.get("groups", ())}
    found = [_texts(checks, *names, question) for names in PAIRED for question in QUESTIONS]
    found += [_twin(checks, group, known.get(group), question) for group in PEOPLE for question in TWINS]
    return {"gated": False, "groups": found, "instances": instances}


def _texts(checks: Mapping[str, Row], group: str, scored: str, written: str, question: str) -> dict[str, Any]:
    likelihood, generation = QUESTIONS[question]
    sides = [_side(checks, f"{check}/{scored}") for check in likelihood]
    return _entry(group, question, sides, _side(checks, f"{generation}/{written}"), None)


def _twin(checks: Mapping[str, Row], group: str, instances: Row | None, question: str) -> dict[str, Any]:
    check, arm = TWINS[question]
    generation = _side(checks, f"{check}/{group}")
    measured = (instances or {}).get(arm) or {}
    twin = measured.get("twin_disparity") or {}
    side: dict[str, Any] = {
        **dict.fromkeys(_SIDE),
        "id": "log-prob twin",
        "verdict": _held(twin, generation["limit"]),
        **{key: twin.get(key) for key in ("estimate", "low", "high")},
        "limit": generation["limit"],
    }
    return _entry(group, question, [side], generation, measured.get("disagreement"))


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
    group: str, question: str, likelihood: Sequence[Row], generation: Row, instances: Row | None
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
        "generation": [dict(generation)],
        "agreement": result,
        "instances_that_differ": rate,
        "says": says,
    }


def compared(likelihood: Sequence[Row], generation: Row) -> tuple[Agreement, str]:
    """Return whether the two sides agree, and a sentence that says so.

    They disagree where one passes and the other fails. What is inconclusive neither agrees nor disagrees, and a side
    that has no verdict at all is named: it is not compared.
    """
    told = [side for side in likelihood if side["verdict"] in _WORDS]
    absent = [side["id"] for side in (*likelihood, generation) if side["verdict"] not in _WORDS]
    also = f" (no verdict in this run: {', '.join(absent)})" if absent else ""
    written = generation["verdict"]
    if not told or written not in _WORDS:
        return "not compared", f"not compared: {', '.join(absent)} has no verdict in this run"
    opposed = [side for side in told if {side["verdict"], written} == _SETTLED]
    if opposed:
        side = opposed[0]
        return "disagree", (
            f"likelihood says {_WORDS[side['verdict']]} ({_figures(side)}), generation says {_WORDS[written]} "
            f"({_figures(generation)}): {_MEANS[side['verdict'], written]}{also}"
        )
    verdicts = {side["verdict"] for side in told} | {written}
    if len(verdicts) == 1 and written in _SETTLED:
        return "agree", f"likelihood and generation both say {_WORDS[written]}{also}"
    scored = " and ".join(_WORDS[side["verdict"]] for side in told)
    return "open", (
        f"likelihood says {scored}, generation says {_WORDS[written]}: no disagreement is shown, and none is "
        f"excluded{also}"
    )


def _figures(side: Row) -> str:
    told = ["none" if side[key] is None else f"{side[key]:.3f}" for key in ("estimate", "low", "high", "limit")]
    return f"{side['id']} {told[0]} in [{told[1]}, {told[2]}], limit {told[3]}"
