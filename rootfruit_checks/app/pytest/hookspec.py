"""Hooks that other plugins and conftest.py files may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rootfruit_checks.runs.factory import Factory


@pytest.hookspec(firstresult=True)
def pytest_rootfruit_factory(config: pytest.Config) -> Factory | None:
    """Return what opens models and judges in this session; None leaves it to others.

    For tests of a gate without models, and for engines of your own. The first answer counts.
    """
