"""Runs what the selected tests need, when the first of them requests it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from rootfruit_checks.app.pytest.session import takes
from rootfruit_checks.app.pytest.stash import FACTORY, RUN, SETTINGS, SHARE

if TYPE_CHECKING:
    from rootfruit_checks.runs.run import Run


def asks_to_gate(item: pytest.Item) -> bool:
    """Whether a test gates and is not skipped by a marker."""
    return item.get_closest_marker("skip") is None and takes(item)


def measure(session: pytest.Session, config: pytest.Config) -> Run:
    """Run what the selected tests need. The session fixture calls this when the first test requests it.

    With `--rootfruit-shard`, compute the shard and skip the tests: a shard neither passes nor fails them.
    """
    from rootfruit_checks.runs.measure import compute_share
    from rootfruit_checks.runs.measure import measure as measure_run
    from rootfruit_checks.runs.progress import progress

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
            share = compute_share(settings, progress(), config.stash[FACTORY])
            config.stash[SHARE] = share.told()
            pytest.skip(f"{share.title} computes and gates nothing")
        run = measure_run(settings, needed, progress(), config.stash[FACTORY])
    config.stash[RUN] = run
    return run
