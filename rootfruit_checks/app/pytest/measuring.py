"""Running what the selected tests need, when the first of them asks."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from rootfruit_checks.app.pytest.session import takes
from rootfruit_checks.app.pytest.stash import RUN, SETTINGS, SHARE

if TYPE_CHECKING:
    from rootfruit_checks.runs.run import Run


def asks_to_gate(item: pytest.Item) -> bool:
    """Whether a test gates, and is not skipped by a marker."""
    return item.get_closest_marker("skip") is None and takes(item)


def measure(session: pytest.Session, config: pytest.Config) -> Run:
    """Run what the selected tests need; called by the session fixture when the first test asks.

    With `--rootfruit-shard` the share is computed, and the tests that asked are skipped: they are neither passed nor
    failed by it.
    """
    from rootfruit_checks.runs.progress import progress
    from rootfruit_checks.runs.run import Run
    from rootfruit_checks.runs.sequential import SequentialRun

    settings = config.stash[SETTINGS]
    needed: set[str] = set()
    for item in session.items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        check, benchmark = params.get("rootfruit_check"), params.get("rootfruit_exploration")
        if check is not None:
            needed.add(check.measure.benchmark)
        elif benchmark is not None:
            needed.add(benchmark)
        elif asks_to_gate(item):
            needed.update(settings.benchmarks)
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if settings.shard:
            from rootfruit_checks.runs.shard import Share

            share = Share(settings, progress())
            config.stash[SHARE] = share.told()
            pytest.skip(f"{share.title} computes and gates nothing")
        run = SequentialRun(settings, progress()) if settings.sequential else Run(settings, needed, progress())
    config.stash[RUN] = run
    return run
