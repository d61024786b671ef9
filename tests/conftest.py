"""What several test files ask for."""

from __future__ import annotations

import pytest
from shell import CONFTEST


@pytest.fixture
def project(tmp_path):
    """A project of its own whose models and classifier are scripted: see support/shell.py."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path
