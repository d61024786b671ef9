"""The pytest shell: options, markers, collection, hooks. What it decides is decided elsewhere.

Loading this module imports no numpy, pandas or torch: projects that merely have us installed must not pay for us.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from rootfruit_checks import fixtures
from rootfruit_checks.errors import ConfigError
from rootfruit_checks.fixtures import RUN, SETTINGS, VERDICTS
from rootfruit_checks.registry import BY_ID
from rootfruit_checks.results import Results
from rootfruit_checks.settings import OPTIONS, Settings, build

if TYPE_CHECKING:
    from rootfruit_checks.checks import Check
    from rootfruit_checks.run import Run

_MARKERS = (
    "rootfruit(measure, groups=None, threshold=None): a rootfruit check of this measure (`benchmark/metric`)",
    "winoqueer: log-probabilities of sentence pairs",
    "tango: generated continuations of TANGO-like prompts",
    "reward: DPO's implicit reward of policy against reference",
    "slow: takes minutes",
    "gpu: needs a GPU",
)
_FIXTURES = {"rootfruit_check", "rootfruit_run", "rootfruit_exploration"}


# -- options -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option of `settings.OPTIONS` with its ini twin."""
    group = parser.getgroup("rootfruit", "gate a language model on harm to gender-diverse people (rootfruit-checks)")
    for option in OPTIONS:
        dest = option.ini
        described = option.help + ("" if option.default in (None, (), {}) else f" (default: {_shown(option.default)})")
        if option.kind == "switch":
            group.addoption(option.flag, dest=dest, action="store_const", const=True, default=None, help=described)
        else:
            action = "append" if option.key in {"threshold", "gate"} else "store"
            group.addoption(option.flag, dest=dest, action=action, default=None, metavar=option.metavar, help=described)
        if option.kind == "list":
            parser.addini(dest, option.help, type="linelist", default=None)
        else:
            parser.addini(dest, option.help, type="string", default=None)


def _shown(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None, Any, Any]:
    """Add the short `--model` and `--reference` after the project's conftest files, and only where they are free.

    Registering them with the others would crash a project whose own conftest.py defines them.
    """
    result = yield
    group = parser.getgroup("rootfruit")
    for key in ("model", "reference"):
        try:
            group.addoption(
                f"--{key}", dest=f"rootfruit_{key}", default=None, metavar="PATH", help=f"short for --rootfruit-{key}"
            )
        except (ValueError, argparse.ArgumentError):  # somebody else has it: the long form remains
            continue
    return result


def _read_settings(config: pytest.Config) -> Settings:
    cli = {option.key: config.getoption(option.ini, default=None) for option in OPTIONS}
    ini = {option.key: config.getini(option.ini) for option in OPTIONS}
    table: Mapping[str, object] = {}
    project = config.rootpath / "pyproject.toml"
    if project.is_file():
        raw = project.read_bytes()
        if b"tool.rootfruit" in raw:
            table = tomllib.loads(raw.decode()).get("tool", {}).get("rootfruit", {})
    return build(cli, ini, table)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, and refuse wrong ones before anything is collected."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        config.stash[SETTINGS] = _read_settings(config)
    except ConfigError as error:
        raise pytest.UsageError(f"rootfruit: {error}") from None
    config.pluginmanager.register(fixtures, "rootfruit-fixtures")
    if not _is_worker(config):
        config.pluginmanager.register(Results(config.stash[SETTINGS], _retries(config)), "rootfruit-results")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _retries(config: pytest.Config) -> bool:
    """Whether a plugin repeats failed tests: repeating until green voids a statistical gate."""
    return bool(config.getoption("reruns", default=None) or config.getoption("force_flaky", default=None))


# -- collection --------------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each check that the marker's measure declares."""
    if "rootfruit_check" in metafunc.fixturenames:
        try:
            params = [_param(check) for check in _declared(metafunc)] or [_not_run(metafunc)]
        except ConfigError as error:
            raise pytest.UsageError(f"rootfruit: {metafunc.definition.nodeid}: {error}") from None
        metafunc.parametrize("rootfruit_check", params, indirect=True)
    if "rootfruit_exploration" in metafunc.fixturenames:
        names = metafunc.config.stash[SETTINGS].benchmarks
        metafunc.parametrize("rootfruit_exploration", names, ids=list(names), indirect=True)


def _declared(metafunc: pytest.Metafunc) -> list[Check]:
    from rootfruit_checks.checks import Check, family, parse

    settings = metafunc.config.stash[SETTINGS]
    marker = metafunc.definition.get_closest_marker("rootfruit")
    measure = marker and (marker.kwargs.get("measure") or (marker.args[0] if marker.args else None))
    if not marker or measure not in BY_ID:
        raise ConfigError(
            'a test that asks for rootfruit_check needs @pytest.mark.rootfruit("MEASURE"); '
            f"MEASURE is one of {', '.join(BY_ID)}"
        )
    groups, threshold = marker.kwargs.get("groups"), marker.kwargs.get("threshold")
    declared = family(settings)
    if groups is None and threshold is None:
        return [check for check in declared if check.measure.id == measure]
    if groups is None:
        groups = BY_ID[measure].groups
    if BY_ID[measure].benchmark not in settings.benchmarks:
        return []
    found = [parse(f"{measure}/{group}".lower(), gated=True, where="marker rootfruit") for group in groups]
    return [Check(check.measure, check.group, BY_ID[measure].gated, threshold) for check in found]


def _param(check: Check) -> Any:
    return pytest.param(check, id=check.group)


def _not_run(metafunc: pytest.Metafunc) -> Any:
    settings = metafunc.config.stash[SETTINGS]
    why = (
        "--rootfruit-absolute-only"
        if settings.absolute_only
        else f"--rootfruit-benchmarks={','.join(settings.benchmarks)}"
    )
    return pytest.param(None, id="not-run", marks=pytest.mark.skip(reason=f"not declared under {why}"))


def _asks(item: pytest.Item) -> bool:
    skipped = item.get_closest_marker("skip") is not None
    return not skipped and bool(_FIXTURES & set(getattr(item, "fixturenames", ())))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to start where a gating test is selected and no model is named (on workers a fixture says it)."""
    config = session.config
    if config.option.collectonly or _is_worker(config) or not any(map(_asks, session.items)):
        return
    from rootfruit_checks.checks import family, require_model

    try:
        require_model(config.stash[SETTINGS])
        family(config.stash[SETTINGS])
    except ConfigError as error:
        raise pytest.UsageError(f"rootfruit: {error}") from None


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(session: pytest.Session, config: pytest.Config) -> Run:
    """Run what the selected tests need; called by the session fixture when the first test asks."""
    from rootfruit_checks.run import Run
    from rootfruit_checks.watch import progress

    settings = config.stash[SETTINGS]
    needed: set[str] = set()
    for item in session.items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        check, benchmark = params.get("rootfruit_check"), params.get("rootfruit_exploration")
        if check is not None:
            needed.add(check.measure.benchmark)
        elif benchmark is not None:
            needed.add(benchmark)
        elif _asks(item):
            needed.update(settings.benchmarks)
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        run = Run(settings, needed, progress())
    config.stash[RUN] = run
    return run


# -- results -----------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Hang the verdict on the report as plain values: that is what crosses from a worker to the controller."""
    report = yield
    ended = report.when == "call" or (report.when == "setup" and report.failed)
    if not ended or not _asks(item):
        return report
    from rootfruit_checks.report.rows import details
    from rootfruit_checks.report.summary import as_json

    rows = [as_json(verdict) for verdict in item.stash.get(VERDICTS, [])]
    check = getattr(getattr(item, "callspec", None), "params", {}).get("rootfruit_check")
    if not rows and check is not None:
        rows = [_broken(check, str(report.longrepr).strip())]
    run = item.config.stash.get(RUN, None)
    report.rootfruit = {"rows": rows, "run": as_json(run.info) if run else None}
    if item.config.pluginmanager.hasplugin("html") and len(rows) == 1:
        from pytest_html import extras

        report.extras = [*getattr(report, "extras", []), extras.html(details(rows[0]))]
    return report


def _broken(check: Check, why: str) -> dict[str, Any]:
    """The row of a check whose instrument broke before there was a verdict."""
    from rootfruit_checks.report.summary import as_json
    from rootfruit_checks.types import Verdict

    measure = check.measure
    verdict = Verdict(
        id=check.id, benchmark=measure.benchmark, metric=measure.metric, group=check.group, n=0, clusters={},
        unscored=0, policy=None, reference=None, estimate=None, low=None, high=None, threshold=measure.threshold,
        verdict="error", explain=why.splitlines()[-1] if why else "no verdict", gated=check.gated, data="",
    )  # fmt: skip
    return as_json(verdict)


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str], session: pytest.Session) -> None:
    """Put what was run, and the table, above pytest-html's rows (its hook exists only where it is loaded)."""
    results = session.config.pluginmanager.getplugin("rootfruit-results")
    if results is not None and results.concerned:
        from rootfruit_checks.report.rows import overview

        prefix.append(overview(results.value()))
