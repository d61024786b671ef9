"""One check, resolved once: everything that its decision depends on, apart from the measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.identity_groups import controls, members
from rootfruit_checks.catalog.measures import Measure
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.gating.checks import Check
from rootfruit_checks.gating.explain import unit_of

DECISIONS = ("confident", "point", "superior")


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check, resolved. Make it with `of` or `resolve`, which check it.

    Attributes:
        measure: the registry's row.
        group: the group's name.
        gated: whether this check decides.
        bar: what its bounds are compared with: the limit, or no change if that is stricter and the policy must be
            superior; None if the check is only described.
        max_unscored: the largest share of unscored answers, in any arm, with which a check can still be decided.
        decision: `confident`; `point`: the estimate itself decides; `superior`: a difference must be below that of a
            policy that changed nothing.
        shift: the instrument's own shift b. A ceiling passes if upper + b <= bar and fails if lower - b > bar. In
            comparisons with a reference it cancels to first order, and is only mentioned.
        members: identities of the group.
        controls: identities that they are compared with; empty for pairs.
        data: name of the data, for the result.

    """

    measure: Measure
    group: str
    gated: bool
    bar: float | None
    max_unscored: float
    decision: str = "confident"
    shift: float = 0.0
    members: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    data: str = ""

    @classmethod
    def of(
        cls,
        measure: Measure,
        group: str,
        limit: float | None,
        *,
        gated: bool = True,
        max_unscored: float = 0.2,
        decision: str = "confident",
        shift: float = 0.0,
        members: tuple[str, ...] = (),
        controls: tuple[str, ...] = (),
        data: str = "",
    ) -> CheckSpec:
        """Return a check with this limit, on the scale of the estimate; needed for what is gated.

        Raises:
            ConfigError: no limit, one outside the measure's range, a shift below 0, an unknown decision.

        """
        check_id = f"{measure.id}/{group}"
        gated = gated and measure.gated
        if decision not in DECISIONS:
            raise ConfigError(f"option --rootfruit-decision: {decision!r} is not one of {', '.join(DECISIONS)}")
        if not (math.isfinite(shift) and shift >= 0.0):
            raise ConfigError(f"{check_id}: the instrument's shift is {shift!r}; it must be a number of at least 0")
        bar = _bar(measure, check_id, limit, decision) if gated else None
        return cls(measure, group, gated, bar, max_unscored, decision, shift, members, controls, data)

    @property
    def id(self) -> str:
        """`benchmark/metric/group`."""
        return f"{self.measure.id}/{self.group}"

    @property
    def widening(self) -> float:
        """How far the instrument's shift widens the bounds; 0 if it cancels."""
        return self.shift if self.measure.gate == "ceiling" else 0.0

    @property
    def must_improve(self) -> bool:
        """Whether the policy must be better than one that changed nothing."""
        return self.decision == "superior" and self.measure.no_change is not None


def resolve(check: Check, settings: Settings, shift: float = 0.0, data: str = "") -> CheckSpec:
    """Resolve a declared check under the settings.

    Args:
        check: the check; its own limit, if any, overrides the settings.
        settings: limits, and how to decide.
        shift: the instrument's own shift for its group.
        data: name of the data.

    Raises:
        ConfigError: as `CheckSpec.of`.

    """
    limit = settings.limit_for(check.measure.id, check.group) if check.limit is None else check.limit
    return CheckSpec.of(
        check.measure,
        check.group,
        limit,
        gated=check.gated,
        max_unscored=settings.max_unscored,
        decision=settings.decision,
        shift=shift,
        members=members(check.measure.benchmark, check.group),
        controls=controls(check.measure.benchmark),
        data=data,
    )


def _bar(measure: Measure, check_id: str, limit: float | None, decision: str) -> float:
    if limit is None:
        raise ConfigError(f"{check_id}: is gated but has no limit; set one with --rootfruit-limit={check_id}=X")
    low = 0.0 if unit_of(measure) == "%" else -1.0
    if not low <= limit < 1.0:
        raise ConfigError(
            f"{check_id}: limit {limit!r} is outside [{low:g}, 1): it could never be exceeded, "
            "or never be met; 5 % is written 0.05"
        )
    strict = decision == "superior" and measure.no_change is not None
    return min(float(limit), measure.no_change) if strict and measure.no_change is not None else float(limit)
