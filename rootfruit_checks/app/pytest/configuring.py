"""Reads the settings of a session from pytest, and registers what collects its verdicts in the main process.

Nothing here imports pytest: the session's `Config` and `PytestPluginManager` are passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rootfruit_checks.app.pytest import preflight
from rootfruit_checks.app.pytest.collector import Results
from rootfruit_checks.app.pytest.session import Session, looks, named_here
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog import registry
from rootfruit_checks.config import project
from rootfruit_checks.config.build import build, check_ini_keys
from rootfruit_checks.config.options import OPTIONS
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.runs import outputs

_OURS = ("rootfruit-fixtures", "rootfruit-results", "rootfruit-session")


def read(config: Any) -> Settings:
    """Return the session's settings.

    Raises:
        RootfruitError: a setting is wrong, or a file that it names cannot be written.

    """
    cli = {option.key: config.getoption(option.ini, default=None) for option in OPTIONS}
    ini = {option.key: config.getini(option.ini) for option in OPTIONS}
    # No public call lists unregistered keys; without `--strict-config`, pytest only warns about them.
    check_ini_keys(vars(config).get("_inicfg") or vars(config).get("inicfg") or ())
    root, here = config.rootpath, config.invocation_params.dir
    spaced = [f for o in OPTIONS if o.kind != "switch" for f in (o.flag, f"--{o.key}")]
    project.misled([str(argument) for argument in config.invocation_params.args], spaced, config.args, root, here)
    sources = cli, project.anchored(ini, root, here), project.anchored(project.table(root), root, here)
    _extensions(*sources)
    settings = build(*sources)
    if settings.gate or settings.limit:
        from rootfruit_checks.gating.checks import family

        family(settings)  # rejects unknown groups here rather than in each worker
    if not is_worker(config):
        preflight.baseline(settings)
        outputs.check(settings, _files(config, "xmlpath", "htmlpath", "log_file"), {"pytest": config.inipath})
    if settings.target_mde is None or settings.plan or looks(config):
        return settings
    from rootfruit_checks.planning.sizing import sized

    return sized(settings)


def _files(config: Any, *names: str) -> dict[str, str | None]:
    """Return the files that pytest and its plugins write, by their options."""
    flags = {"xmlpath": "--junit-xml", "htmlpath": "--html", "log_file": "--log-file"}
    return {flags[name]: config.getoption(name, default=None) for name in names}


def _extensions(*sources: Mapping[str, object]) -> None:
    """Load what other packages register, if the project uses this plugin at all; then close registration."""
    from rootfruit_checks.config.build import first_given

    concerned = any(raw not in (None, [], "") for source in sources for raw in source.values())
    try:
        if concerned and first_given("extensions", *sources) != "off":
            from rootfruit_checks.catalog.entry_points import load

            load()
    finally:
        registry.seal()


def begin(config: Any, settings: Settings, gone: list[str], *, named: bool) -> None:
    """Refuse what cannot work before workers start and anything is loaded, and register what gathers the verdicts."""
    here, looking = named_here(config), looks(config)
    if settings.model:
        for name in _OURS:
            if config.pluginmanager.is_blocked(name):
                raise ConfigError(f"option -p no:{name}: leaves no gate; drop it, or switch all off: -p no:rootfruit")
        gone += [path for path in (settings.json, settings.report) if path and outputs.forget(path)]
        if here:
            preflight.check(settings, runs=not looking, named=named)
    results = Results(settings, _retries(config))
    config.pluginmanager.register(results, "rootfruit-results")
    whole = Session(settings, results, here=here, looking=looking, gone=gone)
    config.pluginmanager.register(whole, "rootfruit-session")


def is_worker(config: Any) -> bool:
    """Whether this process is a pytest-xdist worker."""
    return hasattr(config, "workerinput")


def _retries(config: Any) -> bool:
    """Whether a plugin reruns failed tests: rerunning until they pass invalidates a statistical gate."""
    return any(config.getoption(name, default=None) for name in ("reruns", "retries", "force_flaky"))
