"""Start and end of a session: remove earlier results first, and exit with 0 only if the gate allows it.

Tests, marks, other plugins and `pytest.exit()` may change the exit status, but a blocked gate, or a session that names
a model and gates nothing, never ends with 0.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Generator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from pluggy import HookimplMarker

from rootfruit_checks.app.pytest.collector import ONLY_LOOKS, Results
from rootfruit_checks.base.console import complain
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.paths import expanded
from rootfruit_checks.config import project
from rootfruit_checks.config.build import first_given
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.runs import outputs

hookimpl = HookimplMarker("pytest")

FIXTURES = frozenset({"rootfruit_check", "rootfruit_run", "rootfruit_exploration"})
# Options with which pytest does not start a session.
_NO_SESSION = ("help", "markers", "rootfruit_plan")
# Key under which a worker reports to the main process that some of its tests gate.
GATES = "rootfruit_gates"
# Attribute of the report with which a worker tells the main process why it refuses to start.
REFUSED = "rootfruit_refused"
_USAGE_ERROR = 4


def takes(item: Any) -> bool:
    """Whether a test uses one of our fixtures."""
    return bool(FIXTURES & set(getattr(item, "fixturenames", ())))


def looks(config: Any) -> bool:
    """Whether the session only lists tests."""
    return any(config.getoption(name, default=False) for name in ONLY_LOOKS)


def named_here(config: Any) -> bool:
    """Whether this session is meant to gate: its command line names a model, or the shipped suite."""
    return bool(config.getoption("rootfruit_model", default=None)) or any(
        "bias_tests" in str(argument) for argument in config.args
    )


def forget_early(config: Any, parser: Any, arguments: list[str]) -> list[str]:
    """Remove the results that this session would replace, as soon as pytest knows its options; returns their paths.

    If anything fails afterwards (a conftest file, an extension, an option), no earlier "released" is left behind.
    """
    # Errors in options or files are reported when the settings are read.
    with suppress(Exception, SystemExit):
        known = parser.parse_known_args(arguments, namespace=copy.copy(config.option))
        given = {key: getattr(known, f"rootfruit_{key}", None) for key in ("model", "json", "report", "plan_from")}
        if any(getattr(known, name, False) for name in _NO_SESSION) and not given["model"]:
            return []
        root, here = config.rootpath, config.invocation_params.dir
        ini = {key: config.getini(f"rootfruit_{key}") for key in given}
        sources = given, project.anchored(ini, root, here), project.anchored(project.table(root), root, here)
        if first_given("model", *sources):
            return _forget(sources)
    return []


def _forget(sources: tuple[Mapping[str, object], ...]) -> list[str]:
    found = {}
    for key in ("json", "report", "plan_from"):
        raw = first_given(key, *sources)
        found[key] = expanded(key, str(raw).strip()) if raw else None
    gone = []
    for path in (found["json"], found["report"]):
        kept = path and found["plan_from"] and Path(path).resolve() == Path(found["plan_from"]).resolve()
        with suppress(ConfigError):
            if path and not kept and outputs.forget(path):
                gone.append(path)
    return gone


class Session:
    """The session in the main process, once its settings are read.

    Args:
        settings: of the session.
        results: collects its verdicts.
        here: whether the session is meant to gate (`named_here`).
        looking: whether the session only lists tests (`looks`).
        gone: earlier results that were removed.

    """

    def __init__(self, settings: Settings, results: Results, *, here: bool, looking: bool, gone: list[str]) -> None:
        self.settings, self.results = settings, results
        self.here, self.looking, self.gone = here, looking, gone
        self.gates = False
        self._broke = False
        self._raised = False
        self._lost = False
        self._owed = False
        self._cut = False
        self._told = False
        self._session: Any = None

    # -- what is selected ----------------------------------------------------------------------------------------------

    @hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Note whether any test gates, before some are deselected."""
        self.gates = self.gates or any(map(takes, items))

    def pytest_collectreport(self, report: Any) -> None:
        """Note whether a file could not be collected, here or on a worker: its tests are unknown."""
        self._broke = self._broke or report.failed

    @hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note what a worker of pytest-xdist collected."""
        self.gates = self.gates or bool((getattr(node, "workeroutput", None) or {}).get(GATES))

    # -- how it ends ---------------------------------------------------------------------------------------------------

    def pytest_keyboard_interrupt(self) -> None:
        """Note that the session was interrupted, by Ctrl-C or by `pytest.exit()`."""
        self._cut = True

    @hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any) -> Generator[None, Any, Any]:
        """Write the results before other plugins finish, and enforce the exit status."""
        self._session = session
        capture = session.config.pluginmanager.getplugin("capturemanager")
        # A result may go to /dev/stdout, which pytest captures until the session ends.
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            well = self.results.finish(looking=self.looking)
        self._lost = not well
        self._owed = self._lost or self._owes()
        self._hold()
        try:
            return (yield)
        except BaseException as error:
            # With `pytest.exit(returncode=0)` in another hook, pytest would exit with 0.
            if self._owed and getattr(error, "returncode", None) == 0:
                error.returncode = 1  # type: ignore[attr-defined]
            raise
        finally:
            self._hold()

    @hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Enforce the exit status once more, and print what no terminal summary printed."""
        if self._session is None:
            return
        self._hold()
        if self._is_idle() and not self._told and self._session.exitstatus != _USAGE_ERROR:
            for line in self._lines():
                complain(line)

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Say that nothing was gated, or why the exit status differs from the outcome of the tests."""
        if self._raised and self.results.concerned:
            terminalreporter.write_line(f"Exit status 1, although no test failed: {self._why()}.")
        if not self._is_idle() or exitstatus == _USAGE_ERROR:
            return
        self._told = True
        if self.here or self.gates:
            terminalreporter.section("rootfruit", sep="=")
        for line in self._lines():
            terminalreporter.write_line(line)

    def _hold(self) -> None:
        if self._owed and self._session.exitstatus == 0:
            self._session.exitstatus = 1
            self._raised = True

    def _why(self) -> str:
        if self._lost:
            return "a result could not be written (see above)"
        return "the gate is blocked" if self.results.blocked() else "the gate was interrupted"

    def _owes(self) -> bool:
        """Whether this session must not exit with 0."""
        if self.looking or self.settings.shard:  # a shard itself reports whether it is complete
            return False
        if self.results.concerned:
            value = self.results.value()
            return self.results.blocked() or (self._cut and not value.complete)
        return bool(self.settings.model) and (self.here or self.gates)

    def _is_idle(self) -> bool:
        """Whether a model is named but nothing was gated."""
        return bool(self.settings.model) and not self.results.concerned and not self.settings.shard

    def _lines(self) -> list[str]:
        """Return the lines for a session that gated nothing."""
        from rootfruit_checks.base.text import plain

        status = self._session.exitstatus
        if self.looking:
            lines = ["Nothing was gated: no test was run."]
        elif self.gates:
            lines = ["Nothing was gated: none of the gating tests ran; they were deselected, skipped or interrupted."]
        elif status in {0, 1, 5} and not self._broke:
            lines = ["Nothing was gated: no test here requests a check."]
        else:
            lines = ["Nothing was gated: the session ended before its tests."]
        if status in {0, 1, 5} and self.here and not (self.gates or self.looking or self._broke):
            models = [name for name in (self.settings.model, self.settings.reference) if name]
            short = plain(shlex.join(models), 300)
            flags = [f"--rootfruit-{role}={name}" for role, name in zip(("model", "reference"), models, strict=False)]
            lines += [
                f"Run the shipped suite: rootfruit gate {short}",
                f"or: pytest --pyargs rootfruit_checks.bias_tests {plain(shlex.join(flags), 600)}",
            ]
        if self.gone:
            lines.append(f"Removed the results of an earlier run: {plain(', '.join(self.gone), 600)}")
        return lines
