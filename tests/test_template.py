"""What `rootfruit template` writes works as it is written: its own tests pass, uninstalled and installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rootfruit_checks.app.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = {"pyproject.toml", "README.md", "tests/conftest.py", "tests/test_my_set.py", "my_set/__init__.py"}


def run(folder, *options, path=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["pairs", "prompts"])
def test_a_template_passes_its_own_tests_and_is_gated(tmp_path, kind, capsys):
    folder = tmp_path / "my-set"
    assert main(["template", str(folder), "--kind", kind]) == 0
    written = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert written == EXPECTED | ({"my_set/predicates.csv"} if kind == "pairs" else set())
    assert "PACKAGE" not in "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    own = run(folder)
    assert own.returncode == 0, own.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", own.stdout)[1]) >= 6
    # Installed, by hand: its entry point registers it, once, and its tests still pass.
    info = tmp_path / "site" / "my_set-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_set\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[rootfruit_checks]\nmy_set = my_set\n")
    site = (tmp_path / "site", folder)
    suite = ("--rootfruit-benchmarks=my_set", "--collect-only", str(ROOT / "bias_tests"))
    listed = run(tmp_path, *suite, f"--rootdir={tmp_path}", path=site)
    metric = "preference" if kind == "pairs" else "disparity"
    assert f"test_registered[my_set/{metric}/everyone]" in listed.stdout, listed.stdout + listed.stderr
    installed = run(folder, "--rootfruit-scale=ci", path=site)
    assert installed.returncode == 0, installed.stdout[-3000:]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("1st", "cannot name a package"),
        ("tests", "cannot name a package"),
        ("winoqueer", "cannot name a package"),
        ("json", "a module 'json' is already installed"),
        ("full", "already exists"),
    ],
)
def test_a_directory_that_cannot_be_it_is_refused_and_kept(tmp_path, capsys, name, told):
    if name == "full":
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept.txt").write_text("kept")
    assert main(["template", str(tmp_path / name)]) == 1
    assert told in capsys.readouterr().err
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == (["kept.txt"] if name == "full" else [])
