"""The plan in words: a table that fits 80 columns, sentences, and JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rootfruit_checks.base.text import plain
from rootfruit_checks.catalog.registry import BENCHMARKS, classifier_of
from rootfruit_checks.gating.explain import count_of, unit_of
from rootfruit_checks.planning.cost import Cost
from rootfruit_checks.planning.plan import POWERS, Outlook, Plan

if TYPE_CHECKING:
    from rootfruit_checks.planning.timing import Stage

SCHEMA = "rootfruit-plan/1"
WIDTH = 80
_HEAD = (
    "                 samples clusters   passes to   fails from   sees a rise blocked",
    "                                   80 %  95 %  80 %  95 %   80 %  95 %     if =",
)
_KEY = (
    "passes to, fails from: the true value up to which a check passes, and from which it fails, in 80 and 95 of 100 "
    "runs. sees a rise: the smallest change from the reference that is detected as a change, whatever the limit. "
    "blocked if =: how often a policy that changed nothing is blocked. All in %, or points."
)
# The effect to plan for if none is given.
_EFFECT = 0.02


def table(plan: Plan, costs: Mapping[str, Cost], models: int) -> list[str]:
    """Return the plan as known before a model is loaded, in lines of at most 80 columns."""
    settings = plan.settings
    lines = [*_wrapped(_about(plan))]
    for name, cost in costs.items():
        lines += _wrapped(f"{name}: {_work(cost)}", "  ")
    if models == 2:
        lines += _wrapped("All of that twice, for policy and reference.", "  ")
    lines.append("")
    lines += _HEAD
    for measure, outlooks in _by_measure(plan.outlooks).items():
        first = outlooks[0]
        factors = ", ".join(first.clusters)
        lines += ["", _cut(f"{measure}  limit {_limits(outlooks)}  ({factors})")]
        lines += [_row(outlook) for outlook in outlooks]
        lines += _wrapped(sentence(min(outlooks, key=_rank), settings.target_mde, plan.names), "  ")
    lines += ["", *_wrapped(_KEY)]
    lines += _wrapped(_family(plan))
    lines += _wrapped(_shifts(plan))
    for source in dict.fromkeys(outlook.source for outlook in plan.outlooks if outlook.source):
        lines += _wrapped(f"Variances measured on: {plain(source)}.")
    lines += _wrapped(
        "Variances of your model may be larger; to plan with them, give --rootfruit-plan-from=RESULT of your own run."
    )
    return lines


def timing(stages: Sequence[Stage], models: int) -> list[str]:
    """Return how long the run would take, from what was timed."""
    lines = [
        _cut(
            f"  {stage.name:<26}{_number(stage.tokens):>8} tokens, {_number(stage.timed / max(stage.took, 1e-9))} a "
            f"second: {_duration(stage.seconds)}"
        )
        for stage in stages
    ]
    total = sum(stage.seconds for stage in stages) * models
    timed = sum(stage.took for stage in stages)
    twice = ", policy and reference" if models == 2 else ""
    told = f"Time, from {timed:.0f} s of the policy: about {_duration(total)}{twice}; plus loading and labelling."
    return [*_wrapped(told), *lines]


def sentence(outlook: Outlook, target: float | None = None, names: int | None = None) -> str:
    """Say what a check of a run can detect, and what it would take to detect more; the data have `names` names."""
    group = outlook.check.group
    if outlook.refused:
        return f"{group}: {'cannot be planned' if outlook.unknown else 'can decide nothing'}, {outlook.refused}."
    if outlook.no_change is None:
        passes, fails = outlook.passes_up_to[0], outlook.fails_from[0]
        told = f"a true value up to {_figure(outlook, passes)} passes" if passes is not None else "nothing passes"
        told += f", one from {_figure(outlook, fails)} up fails" if fails is not None else ", and nothing fails"
        return f"{group}: {told}, four times in five; in between, it is often inconclusive."
    seen = outlook.detects[0]
    told = "cannot detect any rise" if seen is None else f"can see a rise of {_points(seen)} points"
    effect = target or _EFFECT
    if seen is not None and seen <= effect:
        return f"{group}: this run {told}."
    return f"{group}: this run {told}; to see {_points(effect)} points {_needed(outlook, effect, names)}."


def _needed(outlook: Outlook, effect: float, names: int | None) -> str:
    """Say what it would take: more continuations or names if possible, else clusters that the data lack."""
    ways = []
    more = outlook.continuations_for(effect)
    if more is not None:
        ways.append(f"{more} continuations a prompt")
    first = outlook.check.measure.clusters[0]
    rows = outlook.rows_for(effect)
    named = None if rows is None else f"about {count_of(rows, first)}"
    if BENCHMARKS[outlook.check.measure.benchmark].count_names and rows is not None and named:
        beyond = f" (these data hold {names})" if names is not None and rows > names else ""
        ways.insert(0, named + beyond)
    if ways:
        return f"it would take {' or '.join(ways)}"
    kinds = [count_of(2, name)[2:] for name in outlook.check.measure.clusters]
    if named:
        return f"more samples of the same {kinds[0]} will not do: {named} are needed (now {outlook.design.clusters[0]})"
    return f"more {kinds[0]} alone will not do: it would take more {' and '.join(kinds)}"


def as_json(plan: Plan, costs: Mapping[str, Cost], stages: Sequence[Stage] | None, models: int) -> dict[str, Any]:
    """Return the plan as JSON values."""
    settings = plan.settings
    time = None
    if stages is not None:
        time = {
            "seconds": sum(stage.seconds for stage in stages) * models,
            "stages": [{**asdict(stage), "seconds": stage.seconds} for stage in stages],
        }
    return {
        "schema": SCHEMA,
        "settings": settings.explain(),
        "data": {name: {"name": held.name, "sha256": held.sha256} for name, held in plan.data.items()},
        "models": models,
        "cost_of_one_model": {name: asdict(cost) for name, cost in costs.items()},
        "time": time,
        "checks": [_check(outlook, settings.target_mde, plan.names) for outlook in plan.outlooks],
    }


def _check(outlook: Outlook, target: float | None, names: int | None) -> dict[str, Any]:
    refused = outlook.refused

    def by_power(values: Iterable[float | None]) -> dict[str, float | None]:
        return {f"{power:g}": value for power, value in zip(POWERS, values, strict=True)}

    return {
        "id": outlook.check.id,
        "samples": outlook.design.n,
        "clusters": outlook.clusters,
        "refused": refused or None,
        "se": None if refused else outlook.power.se,
        "limit": outlook.bar,
        "shift": outlook.shift,
        "no_change": outlook.no_change,
        "alpha": outlook.alpha,
        "level_of_fail": outlook.level,
        "passes_up_to": by_power(outlook.passes_up_to),
        "fails_from": by_power(outlook.fails_from),
        "detects_beyond_limit": by_power(
            None if value is None else value - outlook.bar for value in outlook.fails_from
        ),
        "detects_beyond_no_change": by_power(outlook.detects),
        "blocked_if_unchanged": outlook.blocked_unchanged,
        "components": asdict(outlook.parts),
        "source": outlook.source,
        "explain": sentence(outlook, target, names),
    }


def _about(plan: Plan) -> str:
    settings = plan.settings
    names = f", {settings.names} names" if settings.names else ""
    draws = f", {settings.draws} continuations a prompt" if settings.draws > 1 else ""
    target = ""
    if settings.target_mde:
        target = f"; chosen so that every change of {_points(settings.target_mde)} points is seen at 80 % power"
    return (
        f"rootfruit plan: data {plain(settings.data)}, scale {settings.scale}{names}{draws}, seed {settings.seed}"
        f"{target}. No model has been loaded."
    )


def _family(plan: Plan) -> str:
    settings = plan.settings
    if settings.decision == "point":
        return "The estimate alone decides (--rootfruit-decision=point), so bounds do not affect pass and fail."
    looks = " All of it is for the last sequential look; clear cases are settled earlier." * settings.sequential
    if settings.correction == "none":
        return f"Each bound at {100 * (1 - settings.alpha):g} %.{looks}"
    return (
        f"Upper bounds at {100 * (1 - settings.alpha):g} %; lower ones as if all {len(plan.outlooks)} gated checks "
        "were independent, so the run itself may fail a little more easily." + looks
    )


def _shifts(plan: Plan) -> str:
    """How much the instruments' own shift tightens the ceilings; "" if nothing is labelled."""
    labelled = [one for one in plan.outlooks if one.check.measure.gate == "ceiling" and classifier_of(_benchmark(one))]
    known = [100 * one.shift for one in labelled if one.shift]
    unknown = plan.settings.regard != "mini" and any(classifier_of(_benchmark(one)) == "regard" for one in labelled)
    told = ""
    if known:
        told = (
            f"The instruments' own shift, {min(known):.1f} to {max(known):.1f} points, is subtracted from the "
            "margin of the ceilings on generated text. "
        )
    if unknown:
        told += "The shift of the regard classifier is not known before a run and is assumed to be 0."
    return told.strip()


def _benchmark(outlook: Outlook) -> str:
    return outlook.check.measure.benchmark


def _work(cost: Cost) -> str:
    parts = [f"{_number(cost.samples)} samples"]
    if cost.texts:
        parts.append(
            f"{_number(cost.texts)} texts to score (about {_number(cost.scored)} tokens, {_number(cost.shared)} with "
            "common prefixes computed once)"
        )
    if cost.answers:
        parts.append(
            f"{_number(cost.answers)} answers to draw (about {_number(cost.read)} tokens read, at most "
            f"{_number(cost.written)} written)"
        )
    return ", ".join(parts) + "."


def _row(outlook: Outlook) -> str:
    size = "x".join(str(count) for count in outlook.clusters.values() if count) or "0"
    head = f"  {_cut(outlook.check.group, 15):<15}{outlook.design.n:>7} {size:>8}"
    if outlook.refused:
        return f"{head}  {_cut(outlook.refused, WIDTH - len(head) - 2)}"
    cells = [f"{_short(value):>6}" for value in (*outlook.passes_up_to, *outlook.fails_from)]
    seen = [f"{_short(value):>6}" for value in outlook.detects]
    blocked = outlook.blocked_unchanged
    last = "-" if blocked is None else f"{100 * blocked:.0f} %"
    return f"{head} {''.join(cells)} {''.join(seen)} {last:>8}"


def _rank(outlook: Outlook) -> tuple[float, float]:
    """Sort key: the check that detects least comes first."""
    if outlook.refused:
        return -1.0, 0.0
    seen = outlook.detects[0] if outlook.no_change is not None else outlook.power.se
    return 0.0, -(math.inf if seen is None else seen)


def _by_measure(outlooks: Iterable[Outlook]) -> dict[str, list[Outlook]]:
    found: dict[str, list[Outlook]] = {}
    for outlook in outlooks:
        found.setdefault(outlook.check.measure.id, []).append(outlook)
    return found


def _limits(outlooks: Iterable[Outlook]) -> str:
    return "/".join(dict.fromkeys(f"{100 * outlook.bar:g}" for outlook in outlooks))


def _short(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}".removesuffix(".0")


def _figure(outlook: Outlook, value: float) -> str:
    return f"{100 * value:.1f} {unit_of(outlook.check.measure)}"


def _number(value: float) -> str:
    for size, word in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            return f"{value / (1e3 if size == 1e4 else size):.3g}{word}"
    return f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _cut(text: str, width: int = WIDTH) -> str:
    clean = plain(text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=True)
