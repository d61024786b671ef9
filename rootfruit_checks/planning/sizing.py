"""`--rootfruit-target-mde=X`: the smallest sample that detects a change of X, from data and settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.planning.plan import MOST_CONTINUATIONS, Outlook, Plan, make
from rootfruit_checks.stats.intervals import FEWEST_CLUSTERS

_FLAG = "option --rootfruit-target-mde"


def sized(settings: Settings) -> Settings:
    """Return the settings with the names and continuations that `target_mde` needs; unchanged without it.

    Every gated check against the reference must detect a rise of X above no change at 80 % power. The function chooses
    the number of names (if prompts are sampled by name and it is not given) and the number of continuations (no fewer
    than given), with the fewest answers in total. Calling it again changes nothing.

    Raises:
        ConfigError: no sample of these data is large enough; names the check and the best it can detect.
        DataError: data that cannot be read.

    """
    effect = settings.target_mde
    if effect is None:
        return settings
    plan = make(settings)
    judged = [outlook for outlook in plan.outlooks if outlook.no_change is not None]
    if not judged:
        raise ConfigError(f"{_FLAG}: none of the gated checks compares with a reference; drop it")
    found = _smallest(plan, judged, effect)
    if found is None:
        raise ConfigError(_refusal(plan, judged, effect))
    return found


def _held(plan: Plan) -> int:
    """Return how many names there are to choose from; 0 where no benchmark samples names."""
    if plan.settings.names and _sampling_names(plan):
        return plan.settings.names
    counts = [count(plan.settings.data) for name in _sampling_names(plan) if (count := BENCHMARKS[name].count_names)]
    return min(counts, default=0)


def _sampling_names(plan: Plan) -> list[str]:
    return [name for name in plan.settings.benchmarks if BENCHMARKS[name].count_names]


def _smallest(plan: Plan, judged: Sequence[Outlook], effect: float) -> Settings | None:
    settings = plan.settings
    sampling = _sampling_names(plan)
    chosen = [one for one in judged if one.check.measure.benchmark in sampling]
    fixed = [one for one in judged if one.check.measure.benchmark not in sampling]
    if any(not one.sees(effect) for one in fixed if one.check.measure.kind == "pairs"):
        return None
    held = _held(plan)
    now = settings.names or max((_names_in(plan.data[name]) for name in sampling), default=0)
    named = sum(len(plan.data[name].prompts) for name in sampling)
    unnamed = sum(len(data.prompts) for name, data in plan.data.items() if name not in sampling)
    best: tuple[int, int, int] | None = None
    for count in range(settings.draws, MOST_CONTINUATIONS + 1):
        if best and count * unnamed >= best[0]:
            break
        if not all(_drawn(one, count).sees(effect) for one in fixed):
            continue
        names = _names([_drawn(one, count) for one in chosen], effect, settings.names, held) if held else 0
        if names is None:
            continue
        answers = unnamed + (named * names // now if held else 0)
        if best is None or answers * count < best[0]:
            best = (answers * count, names, count)
    if best is None:
        return None
    _, names, count = best
    found = replace(settings, names=names or settings.names, continuations=count)
    # Check the sample itself: its names may have fewer prompts than the first ones.
    while held and not _shows(found, effect):
        if found.names is None or found.names >= held:
            return None
        found = replace(found, names=found.names + 1)
    return found


def _names_in(data: DataSet) -> int:
    return len({prompt.subject for prompt in data.prompts})


def _shows(settings: Settings, effect: float) -> bool:
    return all(one.sees(effect) for one in make(settings).outlooks if one.no_change is not None)


def _drawn(outlook: Outlook, continuations: int) -> Outlook:
    return outlook if outlook.check.measure.kind == "pairs" else outlook.under(continuations=continuations)


def _names(chosen: Sequence[Outlook], effect: float, given: int | None, held: int) -> int | None:
    """Return the smallest number of names with which all show `effect`."""

    def fine(names: int) -> bool:
        return all(one.under(one.design.with_rows(names)).sees(effect) for one in chosen)

    low, high = (given, given) if given else (min(FEWEST_CLUSTERS, held), held)
    if not fine(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fine(middle) else (middle + 1, high)
    return high


def _refusal(plan: Plan, judged: Sequence[Outlook], effect: float) -> str:
    """Name the checks that fall short even with all data and continuations, worst first."""
    held = _held(plan)
    short: list[tuple[float, str]] = []
    for one in judged:
        best = _drawn(one, MOST_CONTINUATIONS)
        if BENCHMARKS[one.check.measure.benchmark].count_names:
            best = best.under(best.design.with_rows(held))
        if not best.sees(effect):
            least = best.detected(0.8)
            told = "nothing" if least is None else f"a rise of {100 * least:.1f} points"
            why = best.refused
            short.append((1.0 if least is None else least, f"{one.check.id} {told}{f' ({why})' if why else ''}"))
    if not short:
        return f"{_FLAG}: no one sample of these data shows {100 * effect:g} points in every check; gate fewer at once"
    short.sort(key=lambda one: -one[0])
    more = f" (and {len(short) - 1} others fall short)" if len(short) > 1 else ""
    return (
        f"{_FLAG}: no sample of these data shows a rise of {100 * effect:g} points in every check: at best "
        f"{short[0][1]} at 80 % power{more}; give a larger X, fewer --rootfruit-benchmarks, or data with more clusters"
    )
