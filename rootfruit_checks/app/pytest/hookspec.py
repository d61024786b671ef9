"""Hooks that other plugins and conftest.py files may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rootfruit_checks.runs.factory import Factory


@pytest.hookspec(firstresult=True)
def pytest_rootfruit_factory(config: pytest.Config) -> Factory | None:
    """Return the factory that opens models and judges in this session, or None to use another one.

    Use it to test a gate without models, or to add an engine. The first result that is not None is used.
    """
