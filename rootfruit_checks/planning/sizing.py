"""`--rootfruit-target-mde=X`: the smallest sample that shows a change of X, from data and settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.benchmarks.loading import names_held
from rootfruit_checks.catalog.measures import kind_of
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.planning.plan import MOST_CONTINUATIONS, Outlook, Plan, make
from rootfruit_checks.stats.intervals import FEWEST_CLUSTERS

_FLAG = "option --rootfruit-target-mde"


def sized(settings: Settings) -> Settings:
    """Return the settings with the names and continuations that `target_mde` asks for; unchanged without it.

    Every gated check against the reference must show a rise of X above no change at 80 % power. What can be chosen is
    the number of names of the disclosure prompts, unless it is given, and of continuations, no fewer than given: of
    the samples that do, the one with fewest answers. Doing it again changes nothing.

    Raises:
        ConfigError: no sample of these data does; says which check falls short, and the best that it can show.
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
    """Return how many names there are to choose from; 0 where no disclosure is gated."""
    if "disclosure" not in plan.settings.benchmarks:
        return 0
    return plan.settings.names or names_held(plan.settings.data)


def _smallest(plan: Plan, judged: Sequence[Outlook], effect: float) -> Settings | None:
    settings = plan.settings
    fixed = [one for one in judged if one.check.measure.benchmark != "disclosure"]
    chosen = [one for one in judged if one.check.measure.benchmark == "disclosure"]
    if any(not one.sees(effect) for one in fixed if one.check.measure.benchmark == "winoqueer"):
        return None
    held = _held(plan)
    now = settings.names or len({prompt.subject for prompt in plan.data["disclosure"].prompts}) if held else 0
    prompts = {name: len(data.prompts) for name, data in plan.data.items()}
    best: tuple[int, int, int] | None = None
    for count in range(settings.draws, MOST_CONTINUATIONS + 1):
        if best and count * prompts.get("misgendering", 0) >= best[0]:
            break
        if not all(_drawn(one, count).sees(effect) for one in fixed):
            continue
        names = _names([_drawn(one, count) for one in chosen], effect, settings.names, held) if held else 0
        if names is None:
            continue
        answers = prompts.get("misgendering", 0) + (prompts["disclosure"] * names // now if held else 0)
        if best is None or answers * count < best[0]:
            best = (answers * count, names, count)
    if best is None:
        return None
    _, names, count = best
    found = replace(settings, names=names or settings.names, continuations=count)
    # The sample itself has the last word: its names may have fewer prompts than the first ones had.
    while held and not _shows(found, effect):
        if found.names is None or found.names >= held:
            return None
        found = replace(found, names=found.names + 1)
    return found


def _shows(settings: Settings, effect: float) -> bool:
    return all(one.sees(effect) for one in make(settings).outlooks if one.no_change is not None)


def _drawn(outlook: Outlook, continuations: int) -> Outlook:
    return (
        outlook if kind_of(outlook.check.measure.benchmark) == "pairs" else outlook.under(continuations=continuations)
    )


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
    """Name the checks that fall short with all the data and continuations that there are, the worst first."""
    held = _held(plan)
    short: list[tuple[float, str]] = []
    for one in judged:
        best = _drawn(one, MOST_CONTINUATIONS)
        if one.check.measure.benchmark == "disclosure":
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
