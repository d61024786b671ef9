"""Entry points for measuring: from settings to a run whose checks can be decided."""

from __future__ import annotations

from collections.abc import Iterable

from rootfruit_checks.config.settings import Settings
from rootfruit_checks.engines.stored_units import Progress
from rootfruit_checks.runs.factory import Factory
from rootfruit_checks.runs.run import Run
from rootfruit_checks.runs.sequential import SequentialRun
from rootfruit_checks.runs.shard import Share


def measure(
    settings: Settings,
    needed: Iterable[str] | None = None,
    progress: Progress | None = None,
    factory: Factory | None = None,
) -> Run:
    """Measure what the checks of the `needed` benchmarks depend on.

    Args:
        settings: what to run.
        needed: benchmarks whose checks were selected, by default all of the settings; others are not computed. A
            sequential run measures all.
        progress: receives the progress of long work.
        factory: opens models and judges; by default those that the settings name.

    Raises:
        RootfruitError: an error in input or instrument; finished work is kept in the store.

    """
    if settings.sequential:
        return SequentialRun(settings, progress=progress, factory=factory).measured()
    return Run(settings, needed, progress, factory).measured()


def compute_share(settings: Settings, progress: Progress | None = None, factory: Factory | None = None) -> Share:
    """Compute the share of the work that `settings.shard` names; arguments and errors are those of `measure`."""
    return Share(settings, progress=progress, factory=factory).measured()
