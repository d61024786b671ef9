"""The wheel, built once, and environments that hold it."""

from __future__ import annotations

import pytest
from installing import Installed, build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory, wheel):
    """With all that the running environment has."""
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="session")
def bare(tmp_path_factory, wheel):
    """With what the package needs and no extra."""
    return Installed(tmp_path_factory.mktemp("bare"), wheel, core=True)
