"""The wheel in an environment of its own, as somebody has it who has just installed it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fixtures" / "models"
# Long enough for a busy machine; a command that hangs is a failure and not an endless test.
PATIENCE_S = 600
# Nothing listens there: whoever asks the network is refused at once, and no name is looked up.
NOWHERE = "http://127.0.0.1:9"


def build_wheel(folder):
    """Build the wheel with the build backend that is installed; nothing is downloaded."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def _core_entries():
    """Top-level names in site-packages of what the package needs without any extra."""
    wanted, seen = ["rootfruit-checks"], set()
    names = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        if name != "rootfruit-checks":
            names |= {file.parts[0] for file in found.files or () if file.parts[0] != ".."}
        for line in found.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return names


class Installed:
    """A virtual environment with the wheel. What it depends on is seen through links, so that nothing is downloaded.

    The running environment may hold an editable install of this checkout, which must not leak in: neither its files
    nor any `.pth` are linked.
    """

    def __init__(self, folder, wheel, *, core=False):
        self.folder, self.home = Path(folder) / "env", Path(folder) / "home"
        self.home.mkdir(parents=True)
        venv.EnvBuilder(with_pip=False, symlinks=True).create(self.folder)
        self.python = self.folder / "bin" / "python"
        (self.site,) = self.folder.glob("lib/python*/site-packages")
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q", "--no-deps"]
        command += ["--no-index", "--disable-pip-version-check", str(wheel)]
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
        entries = _core_entries() if core else None
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            ours = "rootfruit" in entry.name.lower() or entry.suffix == ".pth" or entry.name == "__pycache__"
            if not ours and (entries is None or entry.name in entries):
                (self.site / entry.name).symlink_to(entry)
        script = self.folder / "bin" / "pytest"
        (entry,) = metadata.entry_points(group="console_scripts", name="pytest")
        script.write_text(
            f"#!{self.python}\nimport sys\n\nfrom {entry.module} import {entry.attr}\n\nsys.exit({entry.attr}())\n"
        )
        script.chmod(0o755)

    def environment(self, **extra):
        """What a shell of a newcomer has; of ours only the place of system tools."""
        return {
            "PATH": os.pathsep.join([str(self.folder / "bin"), os.defpath]), "HOME": str(self.home), "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1", "COLUMNS": "80", "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1", **extra,
        }  # fmt: skip

    def bash(self, line, cwd, **extra):
        """Run a line as a shell would, and return it when it is done."""
        return subprocess.run(
            ["bash", "-c", line], cwd=cwd, env=self.environment(**extra), capture_output=True, text=True, check=False,
            timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def healthy(done, status):
    """Check what holds of every command; return all that it printed."""
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert "Traceback (most recent call last)" not in said, said
    assert "INTERNALERROR" not in said, said
    return said
