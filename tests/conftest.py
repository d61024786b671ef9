"""What several test files ask for."""

from __future__ import annotations

import signal
import threading

import pytest
from hypothesis import settings
from shell import CONFTEST

# A job that a shell starts in the background ignores Ctrl-C and hands that on; tests of it need the usual handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes on a busy machine says nothing of the code; speed is measured in bench/.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the tests marked `full` too")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes long; run with --full")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.fixture
def project(tmp_path):
    """A project of its own whose models and classifier are scripted: see support/shell.py."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path
