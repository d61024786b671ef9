"""What each check of a run can show: the chances of its verdicts, and the smallest effects it detects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from rootfruit_checks.catalog.registry import BENCHMARKS, METRICS
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.load import load
from rootfruit_checks.data.starter import STARTER
from rootfruit_checks.gating.check_spec import resolve
from rootfruit_checks.gating.checks import Check, family
from rootfruit_checks.gating.instrument_bias import Auditing
from rootfruit_checks.judges.audit.reference_labels import shipped
from rootfruit_checks.observations import fingerprints
from rootfruit_checks.planning import variances
from rootfruit_checks.planning.cluster_design import NOTHING, design_of
from rootfruit_checks.planning.variances import Variances
from rootfruit_checks.stats.power import Power
from rootfruit_checks.stats.variance_components import Components, Design

POWERS = (0.8, 0.95)
# Plans use at most this many continuations per prompt; beyond that, more prompts help more.
MOST_CONTINUATIONS = 16
# Plans with more clusters than this are not worth suggesting.
_MOST_CLUSTERS = 20_000


@dataclass(frozen=True)
class Outlook:
    """One gated check under a plan. Effects are on the scale of the estimate: 0.01 is a point.

    Attributes:
        check: which one.
        design: how its samples are distributed over clusters.
        parts: the variances assumed.
        source: where they come from.
        bar: the limit it will be compared with.
        alpha: level of the upper bound.
        level: level of the lower bound after the most conservative correction for the family (Bonferroni).
        decision: `confident`, `point` or `superior`.
        shift: the instrument's own shift, which widens a ceiling's bounds; 0 for comparisons with a reference.
        looks: whether looks are sequential.
        unknown: why it cannot be planned, or "".

    """

    check: Check
    design: Design
    parts: Components
    source: str
    bar: float
    alpha: float
    level: float
    decision: str
    shift: float = 0.0
    looks: bool = False
    unknown: str = ""

    @property
    def refused(self) -> str:
        """Why the check cannot be decided or planned; or ""."""
        if self.shift >= self.bar and self.shift > 0.0:
            return f"the instrument is unfit, its own shift is {100 * self.shift:.1f} points"
        return self.unknown or self.power.refused

    @cached_property
    def power(self) -> Power:
        """The chances of its verdicts."""
        point = self.decision == "point"
        return Power(
            self.design, self.parts, self.check.measure.value_range, self.check.measure.clusters, point, self.looks
        )

    @property
    def _bounded(self) -> Power:
        """A change is detected by a bound, even if the point estimate decides."""
        return replace(self.power, point=False) if self.power.point else self.power

    @property
    def clusters(self) -> dict[str, int]:
        """Clusters by factor."""
        return dict(zip(self.check.measure.clusters, self.design.clusters, strict=False))

    @property
    def no_change(self) -> float | None:
        """The true value of a policy that changed nothing; None for a ceiling, which has no reference."""
        return self.check.measure.no_change

    @cached_property
    def blocked_unchanged(self) -> float | None:
        """P(blocked | nothing changed)."""
        if self.no_change is None or self.refused:
            return None
        return 1.0 - self.power.p_pass(self.no_change, self.bar, self.alpha)

    @cached_property
    def passes_up_to(self) -> tuple[float | None, ...]:
        """By power: the largest true value that passes."""
        if self.refused:
            return (None,) * len(POWERS)
        return tuple(self.power.passes_up_to(self.bar - self.shift, self.alpha, power) for power in POWERS)

    @cached_property
    def fails_from(self) -> tuple[float | None, ...]:
        """By power: the smallest true value that fails."""
        if self.refused:
            return (None,) * len(POWERS)
        return tuple(self.power.fails_from(self.bar + self.shift, self.level, power) for power in POWERS)

    @cached_property
    def detects(self) -> tuple[float | None, ...]:
        """By power: the smallest rise that is detected, whatever the limit; None for a ceiling."""
        return tuple(self.detected(power) for power in POWERS)

    def detected(self, power: float) -> float | None:
        """Return the smallest rise above no change that a lower bound shows with this chance."""
        if self.no_change is None or self.refused:
            return None
        found = self._bounded.fails_from(self.no_change, self.alpha, power)
        return None if found is None else found - self.no_change

    def under(self, design: Design | None = None, continuations: int | None = None) -> Outlook:
        """Return the outlook with another design, or another number of continuations."""
        parts = self.parts if continuations is None else self.parts.at(continuations)
        return replace(self, design=design or self.design, parts=parts)

    def sees(self, effect: float) -> bool:
        """Whether a rise of `effect` above no change is shown at 80 % power."""
        if self.no_change is None or self.refused:
            return False
        return self._bounded.p_fail(self.no_change + effect, self.no_change, self.alpha) >= POWERS[0]

    def rows_for(self, effect: float) -> int | None:
        """Return how many clusters of the first factor would show `effect`, others unchanged; None if none would."""
        low, high = self.design.clusters[0], self.design.clusters[0]
        if not low:
            return None
        while not self.under(self.design.with_rows(high)).sees(effect):
            high *= 2
            if high > _MOST_CLUSTERS:
                return None
        while high - low > max(1, low // 100):
            middle = (low + high) // 2
            low, high = (low, middle) if self.under(self.design.with_rows(middle)).sees(effect) else (middle, high)
        return high

    def continuations_for(self, effect: float) -> int | None:
        """Return how many continuations of the same prompts would show `effect`; None if none would."""
        if self.check.measure.kind == "pairs":
            return None
        tried = range(self.parts.continuations + 1, MOST_CONTINUATIONS + 1)
        return next((count for count in tried if self.under(continuations=count).sees(effect)), None)


@dataclass(frozen=True)
class Plan:
    """A planned run: its settings, its data, and what each gated check could show."""

    settings: Settings
    data: Mapping[str, DataSet]
    outlooks: tuple[Outlook, ...]

    @cached_property
    def names(self) -> int | None:
        """How many names the data hold; None if counting them would mean reading files again."""
        if self.settings.data != STARTER:
            return None
        counted = [count(STARTER) for name in self.data if (count := BENCHMARKS[name].count_names)]
        return min(counted, default=None)


def make(settings: Settings) -> Plan:
    """Return the plan of a run. Data are read, but no model is loaded.

    Raises:
        RootfruitError: the data or the earlier result cannot be read.

    """
    data = {
        name: load(name, settings.data, settings.scale, settings.seed, settings.names) for name in settings.benchmarks
    }
    return Plan(settings, data, outlooks(settings, data))


def outlooks(settings: Settings, data: Mapping[str, DataSet]) -> tuple[Outlook, ...]:
    """Return the outlook of every gated check that the settings declare, in registry order."""
    assumed = variances.from_result(settings.plan_from) if settings.plan_from else variances.default()
    gated = [check for check in family(settings) if check.gated]
    single = settings.correction == "none" or settings.decision == "point"
    level = settings.alpha if single else settings.alpha / max(len(gated), 1)
    known = Auditing(shipped() if settings.regard == "mini" else None, alpha=settings.alpha)
    found = []
    for check in gated:
        unknown = _unknown(check, assumed)
        parts, source = (Components(0.0, 0.0, 0.0, 0.0, 0.0), "") if unknown else assumed.of(check.id)
        draws = settings.draws if check.measure.kind == "prompts" else parts.continuations
        spec = resolve(check, settings, _shift(known, check))
        found.append(
            Outlook(
                check,
                NOTHING if check.measure.id in METRICS else design_of(check, data[check.measure.benchmark]),
                parts if unknown else parts.at(draws),
                source,
                spec.bar if spec.bar is not None else math.nan,
                settings.alpha,
                level,
                spec.decision,
                spec.widening,
                settings.sequential,
                unknown,
            )
        )
    return tuple(found)


def _unknown(check: Check, assumed: Variances) -> str:
    """Why a check cannot be planned, or ""."""
    if check.measure.id in METRICS:
        return "the variance of a custom metric is not known"
    if not assumed.knows(check.id):
        return "its variances need --rootfruit-plan-from"
    return ""


def _shift(known: Auditing, check: Check) -> float:
    return max(known.shift(check.measure, check.group), fingerprints.shift(check.measure.benchmark))
