"""Merges options, ini keys and `[tool.rootfruit]` into one frozen Settings. Unknown keys are errors.

Precedence: command line > ini > `[tool.rootfruit]` in pyproject.toml > default. `options.py` lists the options.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.untrusted import is_there
from rootfruit_checks.catalog.registry import defaults
from rootfruit_checks.config import conflicts
from rootfruit_checks.config.options import BY_KEY, OPTIONS, Option
from rootfruit_checks.config.settings import ADAPTER_CONFIG, BASE, Settings, is_adapter


def build(
    cli: Mapping[str, object], ini: Mapping[str, object] | None = None, table: Mapping[str, object] | None = None
) -> Settings:
    """Merge the three sources into Settings; a value of None means "not given".

    Args:
        cli: option key -> raw value.
        ini: option key -> raw value.
        table: `[tool.rootfruit]`; keys may be written with dashes.

    Raises:
        ConfigError: an unknown key, a value that cannot be read, or options that contradict each other.

    """
    values: dict[str, object] = {}
    sources: Sequence[tuple[Mapping[str, object], Callable[[Option], str]]] = (
        (_table(table or {}), lambda o: f"[tool.rootfruit] {o.key}"),
        # Ignore empty lines of an ini file and the empty lists that pytest fills in.
        ({key: raw for key, raw in (ini or {}).items() if raw not in ([], "")}, lambda o: f"ini key {o.ini}"),
        (cli, lambda o: f"option {o.flag}"),
    )
    for source, name in sources:
        for key, raw in source.items():
            if raw is not None:
                option = BY_KEY[key]
                values[key] = _joined(key, values.get(key), option.parse(name(option), raw))
    values.setdefault("benchmarks", defaults())
    if values.get("plan") and not cli.get("plan"):
        raise ConfigError(
            "option --rootfruit-plan: give it on the command line only; in a configuration file no gate would ever run"
        )
    settings = with_base(Settings(**values))  # type: ignore[arg-type]
    conflicts.refuse(settings)
    return settings


def first_given(key: str, *sources: Mapping[str, object]) -> object:
    """Return one option's raw value by precedence (sources as in `build`); None if it is not given."""
    given = (source[name] for source in sources for name in (key, key.replace("_", "-")) if name in source)
    return next((raw for raw in given if raw not in (None, [], "")), None)


def with_base(settings: Settings) -> Settings:
    """Return the settings, with an adapter's own base as the reference if no other is named.

    Raises:
        ConfigError: `--reference=base`, but the model is not an adapter.

    """
    adapter = is_adapter(settings.model)
    if adapter and not settings.reference and not settings.absolute_only:
        return replace(settings, reference=BASE)
    # A model on the Hub may turn out to be an adapter, and a directory may be named `base`.
    known = settings.model is not None and is_there(settings.model)
    if settings.reference == BASE and known and not adapter and not Path(BASE).is_dir():
        raise ConfigError(
            f"option --reference: base means the base of an adapter, but --model {settings.model} is not an "
            f"adapter (it has no {ADAPTER_CONFIG}); give the reference's directory"
        )
    return settings


def _joined(key: str, before: Any, value: Any) -> object:
    """Merge one option. Gates and limits accumulate, so adding one on the command line keeps the project's.

    For two limits of the same check, precedence applies; any other value is replaced.
    """
    if key == "limit":
        return {**(before or {}), **value}
    if key == "gate":
        return tuple(dict.fromkeys((*(before or ()), *value)))
    return value


def _table(table: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, raw in table.items():
        name = _known(key, BY_KEY, "[tool.rootfruit] ")
        if name in found:
            raise ConfigError(f"[tool.rootfruit] {key}: is given twice")
        found[name] = raw
    return found


def check_ini_keys(keys: Iterable[str]) -> None:
    """Raise ConfigError for an ini key with our prefix that is not one of our options."""
    names = {option.ini: option for option in OPTIONS}
    for key in sorted(keys):
        if key.startswith("rootfruit_"):
            _known(key, names, "ini key ")


def _known(key: str, names: Mapping[str, Option], where: str) -> str:
    name = key.replace("-", "_")
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
        raise ConfigError(f"{where}{key}: unknown key{hint}")
    return name
