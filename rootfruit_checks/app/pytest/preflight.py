"""Checks before anything is measured: models, extras, the reference, data, classifier.

Nothing heavy is loaded: no weights, and neither torch nor transformers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError, DataError, EngineError
from rootfruit_checks.base.untrusted import is_there
from rootfruit_checks.catalog.registry import BENCHMARKS, classifier_of
from rootfruit_checks.config import endpoints
from rootfruit_checks.config.settings import Settings, is_adapter

_LOCAL = ("torch", "transformers", "safetensors")


def check(settings: Settings, *, runs: bool = True, named: bool = True) -> None:
    """Raise a RootfruitError if a run with these settings cannot work.

    Args:
        settings: of the session, with a model.
        runs: whether tests are going to run. Otherwise only check that the named models exist.
        named: whether models are paths, Hub ids or addresses (`Factory.named`); others cannot be checked here.

    """
    names = [("--model", settings.model)]
    if settings.reference and not settings.own_base:
        names.append(("--reference", settings.reference))
    for option, name in names if named else ():
        if name and not endpoints.is_served(name):
            from rootfruit_checks.engines.factory import local

            local(name, option)
    if not runs:
        return
    _reference(settings)
    if named:
        _same(settings)
    if settings.report:
        _need(("jinja2", "matplotlib"), "report", "option --rootfruit-report")
    _data(settings)
    if named:
        _extras(settings)
        _regard(settings)
        for option, name in names:
            if name and not endpoints.is_served(name):
                _model(name, option, settings)


def _same(settings: Settings) -> None:
    """Raise EngineError if both models are the same directory. Equal weights elsewhere are found by their hash."""
    model, reference = settings.model, settings.reference
    if settings.allow_same or not model or not reference or settings.own_base:
        return
    one = is_there(model) and is_there(reference) and Path(model).resolve() == Path(reference).resolve()
    if model == reference or one:
        raise EngineError(
            f"--model {model} and --reference {reference} are the same model: a wrong path? "
            "--rootfruit-allow-same accepts it"
        )


def baseline(settings: Settings) -> None:
    """Raise ConfigError if the baseline to gate against does not exist."""
    if settings.baseline and not Path(settings.baseline).is_file():
        raise ConfigError(
            f"option --rootfruit-baseline: {settings.baseline}: no such file; an earlier release saves it with "
            "--rootfruit-save-baseline=FILE"
        )


def _reference(settings: Settings) -> None:
    from rootfruit_checks.gating.checks import family, require_reference

    for declared in family(settings):
        require_reference(settings, declared.measure)


def _extras(settings: Settings) -> None:
    """Check that the packages of the engine are installed, without importing them."""
    served = any(endpoints.is_served(str(name)) for name in (settings.model, settings.reference) if name)
    if served or settings.engine == "openai":
        _need(("openai", "tenacity"), "served", "a served model")
        return
    _need(_LOCAL, "hf", "the engine")
    if settings.engine == "ray":
        _need(("ray",), "ray", "option --rootfruit-engine=ray")
    if settings.engine == "vllm":
        from rootfruit_checks.engines.vllm.setup import installed

        installed()
    if any(is_adapter(name) for name in (settings.model, settings.reference)):
        _need(("peft",), "adapter", "a PEFT adapter")


def _need(modules: Iterable[str], extra: str, what: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ConfigError(f'{what} needs {module}, which is not installed: pip install "rootfruit-checks[{extra}]"')


def _model(name: str, option: str, settings: Settings) -> None:
    """Check a model's directory; a model on the Hub is downloaded first, so that workers find it."""
    from rootfruit_checks.engines.factory import resolve, resolve_base
    from rootfruit_checks.engines.weights import check_directory

    path = resolve(name, allow_pickle=settings.allow_pickle, option=option)
    try:
        if not is_adapter(path):
            check_directory(path, allow_pickle=settings.allow_pickle)
            return
        from rootfruit_checks.engines.hf.adapter import weights_of

        weights_of(path, allow_pickle=settings.allow_pickle)
        check_directory(resolve_base(path, settings, option), allow_pickle=settings.allow_pickle)
    except EngineError as error:
        told = str(error)
        raise EngineError(told if told.startswith("--") else f"{option} {told}") from None
    except OSError as error:
        raise EngineError(f"{option} {name}: cannot be read ({error.strerror or error})") from None


def _data(settings: Settings) -> None:
    if settings.data in {"starter", "official"} or not any(BENCHMARKS[name].files for name in settings.benchmarks):
        return
    if not Path(settings.data).is_dir():
        raise DataError(
            f"option --rootfruit-data: {settings.data} is neither starter nor official, and there is no such directory"
        )


def _regard(settings: Settings) -> None:
    """Check the regard classifier's package or directory, if continuations are going to be labelled."""
    if settings.shard or "regard" not in map(classifier_of, settings.benchmarks):
        return
    where = f"option --rootfruit-regard={settings.regard}"
    if settings.regard == "mini":
        from rootfruit_checks.judges.regard.mini import encoder_folder

        encoder_folder()
    elif settings.regard.startswith("local:"):
        folder = Path(settings.regard.removeprefix("local:"))
        if not (folder / "config.json").is_file():
            there = "has no config.json" if folder.is_dir() else "no such directory"
            raise ConfigError(f"{where}: {there}; give the directory of a sequence classifier")
