"""The pytest hooks: options, markers, collection, reports. Decisions are made elsewhere.

This module does not import numpy, pandas or torch, so projects that have the plugin installed but unused start fast.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rootfruit_checks.app.pytest import fixtures, preflight
from rootfruit_checks.app.pytest.configuring import begin, is_worker, read
from rootfruit_checks.app.pytest.fixtures import properties
from rootfruit_checks.app.pytest.measuring import asks_to_gate
from rootfruit_checks.app.pytest.reporting import broken, extras, told
from rootfruit_checks.app.pytest.session import GATES, REFUSED, forget_early, looks, named_here, takes
from rootfruit_checks.app.pytest.stash import FACTORY, GONE, RUN, SETTINGS, SHARE, TOLD, VERDICTS, WRONG_MARKERS
from rootfruit_checks.base.errors import ConfigError, RootfruitError
from rootfruit_checks.catalog import registry, removal
from rootfruit_checks.config.options import OPTIONS
from rootfruit_checks.runs import outputs

if TYPE_CHECKING:
    from rootfruit_checks.gating.checks import Check
    from rootfruit_checks.runs.factory import Factory

_MARKER = "rootfruit(measure, groups=None, limit=None): a rootfruit check of this measure (`benchmark/metric`)"
# The latest result in a store, as `report.result_file.RESULT`; that module is not imported here.
RESULT = "result.json"


# -- options -----------------------------------------------------------------------------------------------------------


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our own hooks."""
    from rootfruit_checks.app.pytest import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option of `options.OPTIONS` with its ini twin."""
    group = parser.getgroup("rootfruit", "gate a language model on harm to gender-diverse people (rootfruit-checks)")
    for option in OPTIONS:
        dest = option.ini
        unset = option.kind == "switch" or option.default in (None, (), {})
        described = option.help if unset else f"{option.help} (default: {_shown(option.default)})"
        # argparse expands % in a help text; pytest prints an ini key's text as it is.
        described = described.replace("%", "%%")
        if option.kind == "switch":
            group.addoption(option.flag, dest=dest, action="store_const", const=True, default=None, help=described)
        else:
            action = "append" if option.key in {"limit", "gate"} else "store"
            group.addoption(option.flag, dest=dest, action=action, default=None, metavar=option.metavar, help=described)
        if option.kind == "list":
            parser.addini(dest, option.help, type="linelist", default=None)
        else:
            parser.addini(dest, option.help, type="string", default=None)


def _shown(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Add the short `--model` and `--reference` after the project's conftest files, unless these define them.

    Registering them with the other options would crash a project whose own conftest.py defines them. Once all options
    are known, results of earlier sessions are removed, even if a conftest file cannot be loaded.
    """
    try:
        return (yield)
    finally:
        group = parser.getgroup("rootfruit")
        for key in ("model", "reference"):
            # If another plugin has it, the long form remains.
            with suppress(ValueError, argparse.ArgumentError):
                group.addoption(
                    f"--{key}",
                    dest=f"rootfruit_{key}",
                    default=None,
                    metavar="PATH",
                    help=f"short for --rootfruit-{key}",
                )
        early_config.stash[GONE] = forget_early(early_config, parser, args)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """With `--rootfruit-plan`, print the plan and exit with 0, without collecting tests."""
    if not config.getoption("rootfruit_plan", default=False):
        return None
    try:
        settings = read(config)
        from rootfruit_checks.base.console import say
        from rootfruit_checks.planning.command import tell

        tell(settings, say, factory_of(config))
    except RootfruitError as error:
        raise pytest.UsageError(_line(error)) from None
    return 0


def factory_of(config: pytest.Config) -> Factory:
    """Return the factory for models and judges: the one of a plugin, or the default."""
    from rootfruit_checks.runs.factory import Models

    given: Factory | None = config.hook.pytest_rootfruit_factory(config=config)
    return given or Models()


def _line(error: RootfruitError) -> str:
    """Return the error as one line. It is escaped, because it may quote a model's files or a row of data."""
    from rootfruit_checks.base.text import plain

    return plain(f"rootfruit: {error}", 4000)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, and reject wrong ones before anything is collected."""
    config.addinivalue_line("markers", _MARKER)
    for marker, help_text in _markers().items():
        config.addinivalue_line("markers", f"{marker}: {help_text}")
    if config.getoption("help", default=False) or config.getoption("markers", default=False):
        if config.getoption("rootfruit_model", default=None):
            from rootfruit_checks.base.console import say

            say("rootfruit: nothing was gated: --help and --markers run no tests")
        return  # show help even if the settings are wrong
    try:
        config.stash[SETTINGS] = settings = read(config)
        config.stash[FACTORY] = factory_of(config)
        if not is_worker(config):
            begin(config, settings, config.stash.get(GONE, []), named=config.stash[FACTORY].named)
            config.pluginmanager.register(_Leading(), "rootfruit-leading")
    except RootfruitError as error:
        raise pytest.UsageError(_line(error)) from None
    config.pluginmanager.register(fixtures, "rootfruit-fixtures")


def pytest_unconfigure() -> None:
    """Another session in this process may register anew."""
    removal.reopen()


# -- collection --------------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the test with each check that the marker's measure declares."""
    if "rootfruit_check" in metafunc.fixturenames:
        try:
            checks = _asked(metafunc)
            several = len({check.measure.id for check in checks}) > 1
            params = [_param(check, several) for check in checks] or [_not_run(metafunc)]
        except ConfigError as error:
            # Here it would be one of many collection errors; after collection it ends the session with one line.
            metafunc.config.stash.setdefault(WRONG_MARKERS, []).append(f"{metafunc.definition.nodeid}: {error}")
            params = []
        metafunc.parametrize("rootfruit_check", params, indirect=True)
    if "rootfruit_exploration" in metafunc.fixturenames:
        names = metafunc.config.stash[SETTINGS].benchmarks
        described = [pytest.param(name, id=name, marks=_marks(name)) for name in names]
        metafunc.parametrize("rootfruit_exploration", described, indirect=True)


def _markers() -> dict[str, str]:
    """Return the markers of the benchmarks with their descriptions."""
    return {name: told for held in registry.BENCHMARKS.values() for name, told in (held.markers or {}).items()}


def _marks(benchmark: str) -> list[pytest.MarkDecorator]:
    """Return the mark for a test of a whole benchmark: the first one, which all of its tests have."""
    return [getattr(pytest.mark, name) for name in list(registry.BENCHMARKS[benchmark].markers or {})[:1]]


def _asked(metafunc: pytest.Metafunc) -> tuple[Check, ...]:
    from rootfruit_checks.gating.checks import asked

    marker = metafunc.definition.get_closest_marker("rootfruit")
    return asked(metafunc.config.stash[SETTINGS], marker.args if marker else (), marker.kwargs if marker else {})


def _param(check: Check, several: bool) -> Any:
    return pytest.param(check, id=check.id if several else check.group)


def _not_run(metafunc: pytest.Metafunc) -> Any:
    settings = metafunc.config.stash[SETTINGS]
    marker = metafunc.definition.get_closest_marker("rootfruit")
    why = (
        "no --rootfruit-baseline"
        if marker
        and str(marker.args[0] if marker.args else marker.kwargs.get("measure")).endswith("/regression")
        and not settings.baseline
        else "--rootfruit-absolute-only"
        if settings.absolute_only
        else f"--rootfruit-benchmarks={','.join(settings.benchmarks)}"
    )
    return pytest.param(None, id="not-run", marks=pytest.mark.skip(reason=f"not declared under {why}"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker, report to the main process whether any test gates."""
    if is_worker(config):
        vars(config)["workeroutput"][GATES] = any(map(takes, items))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop if a marker is wrong, or if a gating test is selected and no model can be measured."""
    try:
        _startable(session)
    except RootfruitError as error:
        if not is_worker(session.config):
            raise pytest.UsageError(_line(error)) from None
        # A worker cannot end the session; the main process does when it reads this.
        line = _line(error)
        report = pytest.CollectReport("", "failed", line, [])
        vars(report)[REFUSED] = line
        session.config.hook.pytest_collectreport(report=report)


class _Leading:
    """Hooks for the main process of a session only."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """End the session if a pytest-xdist worker refuses to start."""
        if told := getattr(report, REFUSED, None):
            raise pytest.UsageError(told)


def _startable(session: pytest.Session) -> None:
    config = session.config
    if wrong := config.stash.get(WRONG_MARKERS, []):
        raise ConfigError(wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
    if looks(config) or not any(map(asks_to_gate, session.items)):
        return
    settings = config.stash[SETTINGS]
    from rootfruit_checks.gating.checks import require_model

    if not is_worker(config):
        for earlier in (settings.json, settings.report, None if settings.shard else Path(settings.store) / RESULT):
            if earlier:
                outputs.forget(earlier)
    require_model(settings)
    if not named_here(config):
        preflight.check(settings, named=config.stash[FACTORY].named)


# -- results -----------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Attach the verdict to the report as plain values, so that it crosses from worker to controller."""
    report = yield
    share = item.config.stash.get(SHARE, None)
    ended = report.when == "call" or (report.when == "setup" and (report.failed or share is not None))
    if not ended or not asks_to_gate(item):
        return report
    from msgspec import to_builtins

    from rootfruit_checks.results.run_info import Run

    rows = [told(verdict) for verdict in item.stash.get(VERDICTS, [])]
    check = getattr(getattr(item, "callspec", None), "params", {}).get("rootfruit_check")
    computes_only = share is not None and report.skipped
    if not rows and check is not None and call.excinfo is not None and not computes_only:
        found = broken(check, call.excinfo.value)
        rows = [told(found)]
        item.user_properties += properties(found)
    run = item.config.stash.get(RUN, None)
    breach = (
        isinstance(call.excinfo.value, pytest.fail.Exception) and not call.excinfo.value.pytrace
        if call.excinfo
        else False
    )
    if breach and getattr(report.longrepr, "reprcrash", None):
        # If CI is set, pytest's short summary prints the whole message; the explanation is printed above already.
        report.longrepr.reprcrash.message = report.longrepr.reprcrash.message.partition("\n")[0]
    info = to_builtins(Run.of(run.info)) if run else None
    report.rootfruit = {"rows": to_builtins(rows), "run": info, "share": share, "breach": breach}
    if run and not item.config.stash.get(TOLD, False):  # once per process: it is large, and the same for all tests
        item.config.stash[TOLD] = True
        report.rootfruit["views"] = to_builtins(run.views)
        if run.settings.save_baseline:
            report.rootfruit["to_keep"] = to_builtins(run.to_keep)
    if rows and (page := item.config.getoption("htmlpath", default=None)):
        report.extras = [*getattr(report, "extras", []), *extras(item.config.stash[SETTINGS], rows, page)]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_html(report: pytest.TestReport, data: list[str]) -> None:
    """Remove from a row's log what its verdict already shows."""
    if told := getattr(report, "rootfruit", None):
        from rootfruit_checks.report.pytest_html import cleared

        data[:] = cleared(told, report.failed, data)


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str], session: pytest.Session) -> None:
    """Put the run and the table above the rows of pytest-html (optional hook: pytest-html may not be loaded)."""
    results = session.config.pluginmanager.getplugin("rootfruit-results")
    if results is not None and results.concerned:
        from rootfruit_checks.report.pytest_html import overview

        prefix.append(overview(results.value()))
