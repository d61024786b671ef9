"""Turns measurements into verdicts: the evidence of each check, its level in the declared family, the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from rootfruit_checks.base.errors import BaselineError, RootfruitError, StoreError
from rootfruit_checks.base.types import Verdict
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.gating.check_spec import CheckSpec, resolve
from rootfruit_checks.gating.checks import Check, exploratory, family, require_reference
from rootfruit_checks.gating.decision import Shown, decide
from rootfruit_checks.gating.earlier_release import Earlier
from rootfruit_checks.gating.family_levels import corrected
from rootfruit_checks.gating.instrument_bias import Auditing
from rootfruit_checks.gating.worst_samples import worst_samples
from rootfruit_checks.metrics.evaluate import Evidence, evaluate
from rootfruit_checks.metrics.regression import regression
from rootfruit_checks.observations import fingerprints
from rootfruit_checks.observations.token_scores import Books
from rootfruit_checks.stats.confidence_sequence import sequential


class Decider:
    """Decides checks on frames that one run has measured.

    Args:
        settings: declared checks, limits, levels.
        data: the samples by benchmark.
        frames: tidy frames by benchmark, policy and reference.
        noise_floor: nats within which a difference of two log-probs is a tie.
        baseline: the earlier release, if given.
        auditing: what is known about the regard classifier; None if none was used.
        share: for sequential looks, the share of a check's planned clusters that was seen.
        books: token scores of pairs, by benchmark.

    """

    def __init__(
        self,
        settings: Settings,
        data: Mapping[str, DataSet],
        frames: Mapping[str, pd.DataFrame],
        noise_floor: float,
        baseline: Earlier | None = None,
        auditing: Auditing | None = None,
        share: Callable[[Check], float] | None = None,
        books: Books | None = None,
    ) -> None:
        self._books = books or {}
        self._share = share
        self.settings = settings
        self.data = data
        self._frames = frames
        self._floor = noise_floor
        self._baseline = baseline
        self._auditing = auditing
        self._specs: dict[Check, CheckSpec] = {}
        self._evidence: dict[str, Evidence] = {}
        self._levels: dict[frozenset[Check], dict[str, tuple[float | None, str]]] = {}

    def frame(self, benchmark: str) -> pd.DataFrame:
        """The tidy frame of one benchmark (see `observations/frame.py`), policy and reference."""
        if benchmark not in self._frames:
            raise StoreError(
                f"{benchmark} was not measured in this run; measured: {', '.join(self._frames) or 'nothing'}"
            )
        return self._frames[benchmark]

    def spec(self, check: Check) -> CheckSpec:
        """Return a check as this run resolves it; resolved once."""
        if check not in self._specs:
            # Benchmarks whose tests were not selected have no data, but their checks count in the family.
            data = self.data.get(check.measure.benchmark)
            named = f"{data.name}, scale {self.settings.scale}" if data else ""
            self._specs[check] = resolve(check, self.settings, self._shift(check), named)
        return self._specs[check]

    def verdict(self, check: Check) -> Verdict:
        """Decide one check."""
        require_reference(self.settings, check.measure)
        spec = self.spec(check)
        evidence = self.evidence(check)
        level, correction = self._level(check) if spec.gated else (None, "")
        return decide(spec, evidence, level=level, correction=correction, shown=self._shown(check, evidence))

    def _shown(self, check: Check, evidence: Evidence) -> Shown:
        """What is shown with the verdict: the worst samples, and details on the instrument and the looks."""
        measure = check.measure
        # A baseline keeps no tokens; without this, the reference's tokens would be shown as its own.
        tokens = None if measure.needs_baseline else self._books.get(measure.benchmark)
        samples = worst_samples(evidence, self.data[measure.benchmark], self._compared(check), tokens)
        details = self._audited(check)
        if self._share is None:
            return Shown(samples, details)
        share = self._share(check)
        return Shown(
            samples,
            {**details, "planned_share_seen": share},
            f"The bounds hold at every sequential look; {100 * share:.0f} % of the planned clusters were seen.",
        )

    def evidence(self, check: Check) -> Evidence:
        """Return the evidence for one check, evaluated once."""
        if check.id not in self._evidence:
            self._evidence[check.id] = self._evaluated(check, self.frame(check.measure.benchmark))
        return self._evidence[check.id]

    def _evaluated(self, check: Check, frame: pd.DataFrame) -> Evidence:
        measure, settings, spec = check.measure, self.settings, self.spec(check)
        how: dict[str, Any] = {
            "alpha": settings.alpha,
            "beta": settings.beta,
            "seed": settings.seed,
            "noise_floor": self._floor,
            "members": spec.members,
            "controls": spec.controls,
        }
        if measure.needs_baseline:
            earlier = self._earlier()
            how["noise_floor"] = max(self._floor, earlier.noise)
            return regression(measure, check.group, frame, earlier.of(measure.benchmark), **how)
        found = evaluate(measure, check.group, frame, **how)
        if self._share is None or found.interval.refused:
            return found
        return replace(found, interval=sequential(found.interval, self._share(check), settings.alpha))

    def _earlier(self) -> Earlier:
        if self._baseline is None:
            raise BaselineError("this check compares with an earlier release: add --rootfruit-baseline=FILE")
        return self._baseline

    def _compared(self, check: Check) -> pd.DataFrame:
        """Return the rows of both sides of a check; for a regression, the baseline's replace the reference's."""
        frame = self.frame(check.measure.benchmark)
        earlier = self._earlier().of(check.measure.benchmark) if check.measure.needs_baseline else None
        if earlier is None:
            return frame
        return pd.concat([frame[frame["role"] == "policy"], earlier.assign(role="reference")], ignore_index=True)

    def _audited(self, check: Check) -> dict[str, object]:
        """What is known about the instrument, for a check's details."""
        if self._auditing is None:
            return {}
        frame = self.frame(check.measure.benchmark)
        if check.measure.needs_baseline:  # only the labels of the earlier release are kept
            return {}
        # There are many exploratory groups, so only gated checks get the extra evaluation.
        again = partial(self._evaluated, check) if check.gated else None
        return self._auditing.details(check.measure, check.group, frame, again)

    def _shift(self, check: Check) -> float:
        """The instrument's own shift, which widens the bounds of a ceiling and cancels in a difference of models."""
        own = self._auditing.shift(check.measure, check.group) if self._auditing else 0.0
        return max(own, fingerprints.shift(check.measure.benchmark))

    def _level(self, check: Check) -> tuple[float | None, str]:
        """The level of a gated check's lower bound, corrected for the declared family, and the correction in words.

        A check that a test adds joins the family. A member that cannot be evaluated stays in the family, with nothing
        known about it: its own test reports the error.
        """
        family_of = {one.id: one for one in (*family(self.settings), check) if one.gated}
        known = self._levels.get(frozenset(family_of.values()))
        if known is not None:
            return known[check.id]
        found: dict[str, Evidence | None] = {}
        for one in family_of.values():
            try:
                found[one.id] = self.evidence(one)
            except RootfruitError:
                found[one.id] = None
        specs = [self.spec(one) for one in family_of.values()]
        bars = {spec.id: spec.bar + spec.widening for spec in specs if spec.bar is not None}
        levels = corrected(found, bars, self.settings)
        self._levels[frozenset(family_of.values())] = levels
        return levels[check.id]

    def explore(self, benchmark: str) -> list[Verdict]:
        """Describe every identity of a benchmark that is not gated: estimates and bounds, no verdict."""
        return [
            self.verdict(check)
            for check in exploratory(self.settings, benchmark, self._present(benchmark))
            if self.settings.reference or not check.measure.needs_reference
        ]

    def _present(self, benchmark: str) -> set[str]:
        """Identities that have samples."""
        data = self.data[benchmark]
        return {pair.identity for pair in data.pairs} | {prompt.identity for prompt in data.prompts}
