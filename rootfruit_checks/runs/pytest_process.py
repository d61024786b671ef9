"""Runs pytest for one of our commands, passing on signals and the exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# What runs the shipped suite, from a wheel and from a checkout.
SUITE = ("--pyargs", "rootfruit_checks.bias_tests")


def pytest(arguments: Sequence[str]) -> int:
    """Run pytest and return its exit status; 128 plus the signal number if a signal killed it, as in shells."""
    sys.stdout.flush()
    child = subprocess.Popen([sys.executable, "-m", "pytest", *arguments])
    with _signals_for(child):
        status = child.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _signals_for(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass signals on to the child, and wait for it.

    After Ctrl-C, pytest needs time to end its session. Python's default would kill it after a quarter of a second.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hand_on(number: int, frame: Any) -> None:
        # Ctrl-C already reaches the whole process group; a second signal would interrupt pytest's shutdown.
        if not (number == signal.SIGINT and _in_foreground()):
            child.send_signal(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    before = {}
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, hand_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether the terminal's keyboard signals this process and its children."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
