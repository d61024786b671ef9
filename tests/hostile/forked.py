"""Runs an action in a fork of this process, so that a crash or a hang is an outcome, and says how it ended."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """An exit status (None: it was ended after LONGEST_S; negative: a signal), and what was printed."""

    status: int | None
    out: str
    err: str

    @property
    def fault(self) -> str:
        """What no input may bring about, or ""."""
        text = self.out + self.err
        if self.status is None:
            return "hang"
        if self.status < 0:
            return f"crash (signal {-self.status})"
        if "INTERNALERROR" in text:
            return "INTERNALERROR"
        if "Traceback (most recent call last)" not in text:
            return ""
        # pytest reads its configuration before it loads any plugin.
        before_us = "_pytest/config/findpaths.py" in text and "rootfruit_checks/" not in text.split("Traceback")[-1]
        return "" if before_us else "traceback"


def run(act: Callable[[], int], folder: Path, longest: float = LONGEST_S) -> Outcome:
    """Run `act`, which returns an exit status, in a fork that stands in `folder`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _child(act, folder, out.fileno(), err.fileno())
        status = _wait(child, longest)
        texts = []
        for held in (out, err):
            held.seek(0)
            texts.append(held.read().decode("utf-8", "replace"))
    return Outcome(status, *texts)


def _wait(child: int, longest: float) -> int | None:
    deadline = time.monotonic() + longest
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _child(act: Callable[[], int], folder: Path, out: int, err: int) -> None:
    status = 70
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        os.chdir(folder)
        status = int(act())
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
