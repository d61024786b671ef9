"""A model in a separate process: started, controlled by frames, and always ended.

The worker's own output goes to a log. If the worker ends unexpectedly, that is an EngineError with the end of the log:
the instrument broke, which says nothing about the model.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines.vllm import pipe

# Seconds for an idle worker to end by itself, in which it frees shared memory and its own children.
_PATIENCE_S = 20.0
_TAIL_LINES, _TAIL_CHARACTERS = 6, 1200


class Worker:
    """A running worker.

    Args:
        command: the program and its arguments; it reads frames from its input and writes frames to its output.
        environment: its whole environment.
        name: the worker's name in errors.

    Raises:
        EngineError: the program cannot be started.

    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], name: str) -> None:
        self._name = name
        handle, log = tempfile.mkstemp(prefix="rootfruit-worker-", suffix=".log")
        self.log = Path(log)
        try:
            # A new session: Ctrl-C reaches only us, and one signal reaches all of the worker's children.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=handle,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            self.log.unlink(missing_ok=True)
            raise EngineError(f"{name} cannot be started ({error})") from error
        finally:
            os.close(handle)
        self._process = process
        # Runs at the latest when Python ends.
        self._kill = weakref.finalize(self, _end, process, self.log)

    @property
    def pid(self) -> int:
        """The worker's process id, which is also its group's."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send one message.

        Raises:
            EngineError: the worker has ended.

        """
        assert self._process.stdin is not None
        try:
            pipe.write(self._process.stdin, message)
        except (OSError, ValueError) as error:
            raise self._broken("") from error

    def receive(self) -> Any:
        """Return the next message.

        Raises:
            EngineError: the worker ended, reports an error, or sends something that is not a message.

        """
        assert self._process.stdout is not None
        try:
            message = pipe.read(self._process.stdout)
        except EOFError as error:
            raise self._broken("") from error
        except ValueError as error:
            self._process.kill()
            raise self._broken(f"sent something that is not a message ({error})") from error
        if isinstance(message, dict) and "error" in message:
            raise self._broken(_printable(str(message["error"])))
        return message

    def close(self, *, idle: bool = True) -> None:
        """End the worker: an idle one is asked to stop, a busy one is killed. Nothing is left running."""
        if not self._kill.alive:
            return
        if idle:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE_S)
        self._kill()

    def _broken(self, told: str) -> EngineError:
        """Return the error after the worker has ended. Its log is kept and named."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A worker that reports an error is about to end by itself.
            self._process.wait(5.0)
        status = self._process.poll()
        _end(self._process, None)
        self._kill.detach()
        lines = [line for line in map(_printable, _read_end(self.log)) if line]
        tail = " | ".join(lines[-_TAIL_LINES:])[-_TAIL_CHARACTERS:] or "its log is empty"
        return EngineError(f"{self._name} {told or _ended(status)}; log {self.log} ends: {tail}")


def _ended(status: int | None) -> str:
    if status is None:
        return "closed its output but did not end"
    if status < 0:
        name = signal.Signals(-status).name
        return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with exit status {status}"


def _read_end(log: Path) -> list[str]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 20_000))
            return stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _printable(line: str) -> str:
    """Return the line without characters that could control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())


def _end(process: subprocess.Popen[bytes], log: Path | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Its children are in its group, and may outlive it.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    if log is not None:
        log.unlink(missing_ok=True)
