"""The level of each check's lower bound, given the family of gated checks that the settings declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

from rootfruit_checks.stats.multiplicity import max_t_level, step_levels

if TYPE_CHECKING:
    from rootfruit_checks.config.settings import Settings
    from rootfruit_checks.metrics.evidence import Evidence

_NAMES = {"max-t": "single-step max-t", "holm": "Holm", "bh": "Benjamini and Hochberg"}


def corrected(
    members: Mapping[str, Evidence | None], bars: Mapping[str, float], settings: Settings
) -> dict[str, tuple[float | None, str]]:
    """Return the level of each check's lower bound (None: not corrected) and how it was derived, in words.

    Args:
        members: every gated check of the family; None if nothing is known about it.
        bars: what each of them is compared with, including the instrument's shift.
        settings: alpha, the seed of the multipliers, the correction method.

    """
    way, alpha = settings.correction, settings.alpha
    if settings.sequential and way == "max-t":
        way = "holm"  # the joint distribution that max-t uses holds for a single look
    found: dict[str, tuple[float | None, str]] = dict.fromkeys(members, (None, ""))
    # A refused estimate has no bound and cannot fail, so it does not count in the correction.
    open_ones = {key: one for key, one in members.items() if one is None or not one.interval.refused}
    if way == "none" or len(members) < 2:
        return found
    if way == "max-t":
        known = [one.interval.scores for one in open_ones.values() if one is not None]
        level = max_t_level(known, alpha, others=len(open_ones) - len(known), seed=settings.seed)
        levels = [level] * len(open_ones)
    else:
        p_values = [1.0 if one is None else one.interval.p_above(bars[key]) for key, one in open_ones.items()]
        levels = step_levels(p_values, alpha, cast("Literal['holm', 'bh']", way))
    for key, level in zip(open_ones, levels, strict=True):
        found[key] = level, f"corrected for {len(open_ones)} gated checks ({_NAMES[way]}: level {100 * level:.2g} %)"
    return found
