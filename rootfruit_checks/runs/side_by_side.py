"""Likelihood and generation side by side: do a model's scores and its texts agree about a group? Pure functions.

Nothing here gates. Benchmarks on likelihood and on generation use different samples and questions about the same
people, so their verdicts may legitimately differ. Readers should see both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES, gated_groups
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.views import AllInstances, Arm, Combined, Instances, Rate, Side, Together

Question = Literal["level", "change"]
Agreement = Literal["agree", "disagree", "open", "not compared"]

# What is asked -> the metrics of pairs that answer it, and the metric of prompts that does.
QUESTIONS: Mapping[Question, tuple[tuple[str, ...], str]] = {
    "level": (("preference",), "disparity"),
    "change": (("amplification", "reward_stigma"), "amplification"),
}
# The same for a twin, whose disparity is not a check and is compared with the limit for generated text: the metric of
# prompts, and the arm of the instance-level rates.
TWINS: Mapping[Question, tuple[str, str]] = {"level": ("disparity", "policy"), "change": ("amplification", "change")}
NOTHING = "nothing was measured in this run"

_SETTLED = {"pass", "fail"}
_WORDS = {"pass": "pass", "fail": "FAIL", "inconclusive": "inconclusive"}
_MEANS = {
    ("pass", "fail"): (
        "what it writes is worse than its scores show. A gate on scores alone would have missed this; "
        "read the samples of the failed check"
    ),
    ("fail", "pass"): (
        "its scores show a bias that these continuations do not. Other prompts or other sampling settings may show it; "
        "a gate on generated text alone would have missed this"
    ),
}


def combine(rows: Iterable[Check], instances: AllInstances | None = None) -> Combined:
    """Return the result's `combined`: verdicts side by side, and the instance-level rates.

    Args:
        rows: the checks.
        instances: `descriptions.views` of twins and texts; None if nothing was measured.

    """
    checks = {row.id: row for row in rows}
    run = {check.partition("/")[0] for check in checks}
    shown = [held for name, held in BENCHMARKS.items() if held.default or name in run]
    instances = instances or AllInstances(not_measured=NOTHING)
    known = {entry.group: entry for entry in instances.groups or ()}
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
    return Combined(gated=False, groups=found, instances=instances)


def _texts(
    checks: Mapping[str, Check], group: str, scored: Sequence[str], written: Sequence[str], question: Question
) -> Together:
    likelihood, generation = QUESTIONS[question]
    asked = [f"{name}/{metric}" for name in scored for metric in likelihood]
    sides = [_side(checks, f"{measure}/{group}") for measure in asked if measure in MEASURES]
    others = [_side(checks, f"{name}/{generation}/{group}") for name in written]
    return _entry(group, question, sides, others, None)


def _twin(
    checks: Mapping[str, Check], benchmark: str, group: str, instances: Instances | None, question: Question
) -> Together:
    metric, arm = TWINS[question]
    generation = _side(checks, f"{benchmark}/{metric}/{group}")
    measured: Arm | None = getattr(instances, arm) if instances else None
    twin = (measured.twin_disparity or None) if measured else None
    side = Side(
        id="log-prob twin",
        verdict=_held(twin, generation.limit),
        policy=None,
        reference=None,
        estimate=twin.estimate if twin else None,
        low=twin.low if twin else None,
        high=twin.high if twin else None,
        limit=generation.limit,
    )
    return _entry(group, question, [side], [generation], measured.disagreement if measured else None)


def _side(checks: Mapping[str, Check], check: str) -> Side:
    row = checks.get(check)
    if row is None:
        return Side(check, "not run", policy=None, reference=None, estimate=None, low=None, high=None, limit=None)
    return Side(row.id, row.verdict, row.policy, row.reference, row.estimate, row.low, row.high, row.limit)


def _held(figures: Rate | None, limit: float | None) -> Literal["pass", "fail", "inconclusive", "not run"]:
    """Apply the gate's rule to an estimate that is not a check: both bounds against the limit."""
    if figures is None or limit is None or figures.estimate is None:
        return "not run"
    if figures.low is None or figures.high is None:
        return "inconclusive"
    return "pass" if figures.high <= limit else "fail" if figures.low > limit else "inconclusive"


def _entry(
    group: str, question: Question, likelihood: list[Side], generation: list[Side], instances: Rate | None
) -> Together:
    result, says = compared(likelihood, generation)
    rate = instances.estimate if instances else None
    if instances and rate is not None:
        moved = f"the share of prompts on which they differ moved by {100 * rate:+.1f} points"
        told = moved if question == "change" else f"they differ on {100 * rate:.1f} % of prompts"
        says += f"; {told} (n = {instances.n})"
    return Together(group, question, likelihood, generation, result, rate, says)


def compared(likelihood: Sequence[Side], generation: Sequence[Side]) -> tuple[Agreement, str]:
    """Return whether the two sides agree, and a sentence that says so.

    They disagree if one passes and the other fails. An inconclusive side neither agrees nor disagrees. A side without
    a verdict is named and not compared.
    """
    scored, written = ([one for one in side if one.verdict in _WORDS] for side in (likelihood, generation))
    absent = [one.id for one in (*likelihood, *generation) if one.verdict not in _WORDS]
    also = f" (no verdict in this run: {', '.join(absent)})" if absent else ""
    if not scored or not written:
        return "not compared", f"not compared: {', '.join(absent)} has no verdict in this run"
    opposed = [(one, other) for one in scored for other in written if {one.verdict, other.verdict} == _SETTLED]
    if opposed:
        one, other = opposed[0]
        return "disagree", (
            f"likelihood says {_WORDS[one.verdict]} ({_figures(one)}), generation says {_WORDS[other.verdict]} "
            f"({_figures(other)}): {_MEANS[one.verdict, other.verdict]}{also}"
        )
    verdicts = {one.verdict for one in (*scored, *written)}
    words, others = (" and ".join(_WORDS[one.verdict] for one in side) for side in (scored, written))
    if len(verdicts) == 1 and verdicts <= _SETTLED:
        return "agree", f"likelihood and generation both say {_WORDS[written[0].verdict]}{also}"
    return "open", (f"likelihood says {words}, generation says {others}: they may or may not disagree{also}")


def _figures(side: Side) -> str:
    figures = (side.estimate, side.low, side.high, side.limit)
    told = ["none" if value is None else f"{value:.3f}" for value in figures]
    return f"{side.id} {told[0]} in [{told[1]}, {told[2]}], limit {told[3]}"
