"""The command line that repeats a run."""

from __future__ import annotations

import shlex

from rootfruit_checks.config.options import OPTIONS
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.results.run_info import Run


def reproduce(run: Run) -> str:
    """Return the pytest command for a result's `run`: models, and every setting that is not the default."""
    parts = ["pytest", "--pyargs", "rootfruit_checks.bias_tests"]
    for flag, role in (("--model", "policy"), ("--reference", "reference")):
        path = run.model(role).get("path")
        if path:
            path = "base" if path == "base of the adapter" else path
            parts.append(f"{flag}={path}")
    ours = Settings().explain()
    for option in OPTIONS:
        value = run.settings.get(option.key)
        if value is None or value == ours.get(option.key):
            continue
        if option.kind == "switch":
            parts.append(option.flag)
        elif option.key in {"limit", "gate"}:
            parts += [f"{option.flag}={one}" for one in value.split(", ")]
        else:
            parts.append(f"{option.flag}={value.replace(', ', ',') if option.kind == 'list' else value}")
    return shlex.join(parts)
