"""Public pytest fixtures: a decided check, the whole run, the settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rootfruit_checks.app.pytest.stash import SETTINGS, VERDICTS
from rootfruit_checks.base.errors import RootfruitError

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Verdict
    from rootfruit_checks.config.settings import Settings
    from rootfruit_checks.gating.checks import Check
    from rootfruit_checks.runs.run import Run

_LET_THROUGH = "inconclusive, but not blocking (--rootfruit-inconclusive=warn); see the reason under the table"


class RootfruitWarning(UserWarning):
    """A check did not pass, but does not block because of the user's settings."""


@contextmanager
def instrument() -> Iterator[None]:
    """Turn a `RootfruitError` into one line; raised in a fixture, pytest reports it as ERROR, not as a failure."""
    try:
        yield
    except RootfruitError as error:
        from rootfruit_checks.base.text import plain

        # From None: the one line is the whole message, without the exception chain. Plain: it may quote a model's
        # files or a row of data.
        raise pytest.fail.Exception(plain(f"{type(error).__name__}: {error}"), pytrace=False) from None


class DecidedCheck:
    """One check with its verdict. `require()` passes or fails the test."""

    def __init__(self, verdict: Verdict, inconclusive: str) -> None:
        self.verdict = verdict
        self._inconclusive = inconclusive

    def require(self) -> None:
        """Fail the test unless the verdict is `pass`.

        A descriptive or exploratory check has no verdict, so the test passes. An inconclusive check fails, or warns
        with `--rootfruit-inconclusive=warn`.
        """
        from rootfruit_checks.base.text import plain

        verdict = self.verdict
        if not verdict.gated or verdict.verdict in {"pass", "none"}:
            return
        if verdict.verdict == "inconclusive" and self._inconclusive == "warn":
            # The same text for every check, so that pytest lists them as one; the closing lines give each reason.
            with warnings.catch_warnings():
                # Even if the project turns warnings into errors, it asked for a warning here.
                warnings.simplefilter("always", RootfruitWarning)
                warnings.warn(RootfruitWarning(_LET_THROUGH), stacklevel=2)
            return
        from rootfruit_checks.report.terminal import headline
        from rootfruit_checks.results import check

        pytest.fail(f"{plain(headline(check.Check.of(verdict)))}\n{plain(verdict.explain, 4000)}", pytrace=False)


PROPERTIES = ("id", "verdict", "estimate", "low", "high", "limit", "n", "unscored", "data")


def properties(verdict: Verdict) -> list[tuple[str, object]]:
    """Return a verdict's figures as JUnit properties; "" for missing figures."""
    from rootfruit_checks.base.text import plain

    told = ((key, getattr(verdict, key)) for key in PROPERTIES)
    return [(f"rootfruit_{key}", "" if value is None else plain(str(value))) for key, value in told]


def note(node: pytest.Item, verdict: Verdict) -> None:
    """Attach a verdict to its test item, and its figures as JUnit properties."""
    node.stash.setdefault(VERDICTS, []).append(verdict)
    node.user_properties += properties(verdict)


@pytest.fixture(scope="session")
def rootfruit_settings(pytestconfig: pytest.Config) -> Settings:
    """The settings of this session."""
    return pytestconfig.stash[SETTINGS]


@pytest.fixture(scope="session")
def rootfruit_run(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Run:
    """Everything measured in this session; models run when the first test requests it."""
    from rootfruit_checks.app.pytest.measuring import measure

    with instrument():
        return measure(request.session, pytestconfig)


@pytest.fixture
def rootfruit_check(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> DecidedCheck:
    """One decided check. The marker `rootfruit(measure)` names the measure; its groups become test parameters."""
    from rootfruit_checks.gating.checks import require_model, require_reference

    check: Check = request.param
    with instrument():  # before any model runs
        require_model(pytestconfig.stash[SETTINGS])
        require_reference(pytestconfig.stash[SETTINGS], check.measure)
    run: Run = request.getfixturevalue("rootfruit_run")
    with instrument():
        verdict = run.verdict(check)
    note(request.node, verdict)
    if verdict.verdict == "error":
        from rootfruit_checks.base.text import plain

        pytest.fail(plain(verdict.explain, 4000), pytrace=False)
    return DecidedCheck(verdict, pytestconfig.stash[SETTINGS].inconclusive)


@pytest.fixture
def rootfruit_exploration(request: pytest.FixtureRequest) -> list[Verdict]:
    """Descriptions (verdict "none") of every identity that is not gated, for the benchmark of the test's parameter."""
    benchmark: str = request.param
    run: Run = request.getfixturevalue("rootfruit_run")
    with instrument():
        verdicts = run.explore(benchmark)
    for verdict in verdicts:
        request.node.stash.setdefault(VERDICTS, []).append(verdict)
    return verdicts
