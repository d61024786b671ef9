"""`rootfruit gate`, and the suite that comes with the package, from a wheel and from a checkout."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rootfruit_checks.app.cli import main
from rootfruit_checks.runs import pytest_process

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"


@pytest.fixture
def started(monkeypatch):
    """What pytest is started with, in place of starting it."""
    calls = []
    monkeypatch.setattr(pytest_process, "pytest", lambda arguments: calls.append(list(arguments)) or 3)
    return calls


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["a", "b"], ["--rootfruit-model=a", "--rootfruit-reference=b"]),
        (["a"], ["--rootfruit-model=a"]),
        (["a", "-k", "b", "-q"], ["--rootfruit-model=a", "-k", "b", "-q"]),
        (["a", "b", "tests", "-x"], ["--rootfruit-model=a", "--rootfruit-reference=b", "tests", "-x"]),
        (["a", "b", "--", "-x"], ["--rootfruit-model=a", "--rootfruit-reference=b", "-x"]),
    ],
)
def test_what_follows_the_models_is_pytests(started, given, told):
    assert main.main(["gate", *given]) == 3
    assert started == [["--pyargs", "rootfruit_checks.bias_tests", *told]]


@pytest.mark.parametrize("given", [[], ["-q"], ["--rootfruit-scale=smoke", "a", "b"]])
def test_a_policy_comes_first(started, given, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["gate", *given])
    assert ended.value.code == 2
    assert "rootfruit gate POLICY [REFERENCE] [PYTEST ARGUMENTS]" in capsys.readouterr().err
    assert not started


def run(place, *command, path):
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("layout", ["wheel", "checkout"])
def test_the_suite_is_found_as_it_is_installed(tmp_path, layout):
    """A wheel holds the suite inside the package; beside the package of a checkout it lies by itself."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "rootfruit_checks", site / "rootfruit_checks", ignore=ignored)
    suite = site / ("rootfruit_checks/bias_tests" if layout == "wheel" else "bias_tests")
    shutil.copytree(ROOT / "bias_tests", suite, ignore=ignored)
    if layout == "checkout":
        shutil.copy(ROOT / "pyproject.toml", site)
    models = (str(MODELS / "sft"), str(MODELS / "base"))
    done = run(
        empty, "rootfruit_checks.app.cli.main", "gate", *models, "--co", "-q", "-p", "no:cacheprovider", path=site
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_preference.py::test_preference[nonbinary]" in done.stdout
    assert "33 tests collected" in done.stdout
    code = "import importlib.util as u; print(u.find_spec('rootfruit_checks.bias_tests').origin)"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    found = subprocess.run([sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == str(suite / "__init__.py")


def test_a_wrong_model_is_one_line(tmp_path):
    done = run(tmp_path, "rootfruit_checks.app.cli.main", "gate", "nothing", str(MODELS / "base"), path=ROOT)
    assert done.returncode == 4
    assert done.stdout == ""
    (line,) = filter(None, done.stderr.splitlines())
    assert "--model nothing: no such directory" in line


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 2), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_signal_reaches_pytest_and_its_status_comes_back(tmp_path, number, status):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_slow.py").write_text(
        "import pathlib, time\n\ndef test_slow():\n    pathlib.Path('begun').touch()\n    time.sleep(60)\n"
    )
    models = (str(MODELS / "sft"), str(MODELS / "base"))
    child = subprocess.Popen(
        [sys.executable, "-m", "rootfruit_checks.app.cli.main", "gate", *models, "-k", "slow", "test_slow.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    child.send_signal(number)
    out = child.communicate(timeout=60)[0]
    assert child.returncode == status, out
