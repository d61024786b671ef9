"""Keys for what the plugin stores on pytest objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Verdict
    from rootfruit_checks.config.settings import Settings
    from rootfruit_checks.runs.factory import Factory
    from rootfruit_checks.runs.run import Run

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
VERDICTS: pytest.StashKey[list[Verdict]] = pytest.StashKey()
RUN: pytest.StashKey[Run] = pytest.StashKey()
SHARE: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
TOLD: pytest.StashKey[bool] = pytest.StashKey()
GONE: pytest.StashKey[list[str]] = pytest.StashKey()
WRONG_MARKERS: pytest.StashKey[list[str]] = pytest.StashKey()
FACTORY: pytest.StashKey[Factory] = pytest.StashKey()
