"""Build hook: the one suite, `bias_tests`, becomes `rootfruit_checks.bias_tests` in a wheel that people install."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SuiteHook(BuildHookInterface):  # type: ignore[type-arg]
    """Include the suite in real wheels only: an editable install would leave a stale copy in site-packages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the suite to a standard build."""
        if version != "editable":
            build_data["force_include"]["bias_tests"] = "rootfruit_checks/bias_tests"
