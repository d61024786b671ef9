"""What several test files ask for."""

from __future__ import annotations

import pytest
from hypothesis import settings
from shell import CONFTEST

# How long an example takes on a busy machine says nothing of the code; speed is measured in bench/.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def project(tmp_path):
    """A project of its own whose models and classifier are scripted: see support/shell.py."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path
