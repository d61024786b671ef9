"""What somebody meets who has just installed the wheel, in an empty directory."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from installing import MODELS, PATIENCE_S, ROOT, healthy

COMMANDS = "data export template audit gate plan merge schema history coding report".split()
NESTED = ["data list", "data fetch", "data verify", "data path", "coding export", "coding import"]
PAIR = f"--model={MODELS / 'dpo'} --reference={MODELS / 'base'}"


def only_line(text):
    (line,) = filter(None, text.splitlines())
    return line


def test_the_wheel_is_what_runs(installed, bare, tmp_path):
    for environment in (installed, bare):
        code = "import os, rootfruit_checks as r; print(r.__file__); print(os.environ.get('PYTHONPATH'))"
        done = environment.bash(f'python -c "{code}"', tmp_path)
        place, path = healthy(done, 0).splitlines()
        assert place == str(environment.site / "rootfruit_checks" / "__init__.py")
        assert path == "None"
        assert str(ROOT) not in environment.bash("python -c 'import sys; print(sys.path)'", tmp_path).stdout


def test_pytest_help_lists_every_option(installed, tmp_path):
    said = healthy(installed.bash("pytest --help", tmp_path), 0)
    for option in ("--model", "--reference", "--rootfruit-scale", "--rootfruit-target-mde", "--rootfruit-json"):
        assert option in said
    # What argparse did not expand would stand there with two signs.
    assert "%%" not in said


def test_an_empty_directory_stays_silent_and_empty(installed, tmp_path):
    done = installed.bash("pytest -q --co -p no:cacheprovider", tmp_path)
    said = healthy(done, 5)
    assert "rootfruit" not in said
    assert re.fullmatch(r"\s*no tests collected in [\d.]+s\s*", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["", *COMMANDS, *NESTED])
def test_every_command_has_help(installed, tmp_path, command):
    done = installed.bash(f"rootfruit {command} --help", tmp_path)
    said = healthy(done, 0)
    assert said.splitlines()[0].startswith(f"usage: rootfruit {command}".rstrip())
    assert max(map(len, said.splitlines())) <= 80
    assert not done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_commands_is_whole(installed, tmp_path):
    """So that a new command is run here too."""
    for parent, told in (("", COMMANDS), ("data", NESTED[:4]), ("coding", NESTED[4:])):
        said = installed.bash(f"rootfruit {parent} --help", tmp_path).stdout
        # argparse lists a command four columns in, under a heading of its own.
        found = re.findall(r"^ {4}([a-z]+)\b", said, flags=re.MULTILINE)
        assert found == [line.split()[-1] for line in told]


def test_a_project_without_tests_is_told_what_to_run(installed, tmp_path):
    said = healthy(installed.bash(f"pytest {PAIR}", tmp_path), 5)
    assert "--pyargs rootfruit_checks.bias_tests" in said


@pytest.mark.parametrize("start", ["rootfruit gate", "pytest --pyargs rootfruit_checks.bias_tests"])
@pytest.mark.parametrize("wrong", ["policy", "reference", "none"])
def test_a_wrong_model_is_one_line(installed, tmp_path, start, wrong):
    policy = "nosuch" if wrong == "policy" else MODELS / "dpo"
    reference = {"reference": "nosuch", "none": None}.get(wrong, MODELS / "base")
    if start == "rootfruit gate":
        models = f"{policy} {reference or ''}"
    else:
        models = f"--model={policy}" + (f" --reference={reference}" if reference else "")
    done = installed.bash(f"{start} {models}", tmp_path)
    healthy(done, 4)
    assert not done.stdout
    line = only_line(done.stderr)
    assert {"policy": "--model nosuch", "reference": "--reference nosuch", "none": "--reference"}[wrong] in line


def test_an_editable_install_has_the_suite_too(tmp_path):
    """The running environment holds one, of this checkout: there the suite lies beside the package."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--co", "-q"]
    command += ["--pyargs", "rootfruit_checks.bias_tests", *PAIR.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert "test_preference.py::test_preference[nonbinary]" in healthy(done, 0)
    code = "import importlib.util as u; print(u.find_spec('rootfruit_checks.bias_tests').origin)"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(ROOT / "bias_tests" / "__init__.py")


@pytest.mark.parametrize("line", ["data list", "audit"])
def test_a_reader_may_leave_before_the_end(installed, tmp_path, line):
    """As `head` does: no traceback, and the status of a command that a closed pipe ended."""
    done = installed.bash(f"rootfruit {line} | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    healthy(done, 0)
    assert done.stdout == "141\n"
    assert not done.stderr


@pytest.mark.parametrize("start", ["rootfruit gate", "pytest --pyargs rootfruit_checks.bias_tests"])
def test_a_wheel_has_the_suite(installed, tmp_path, start):
    models = f"{MODELS / 'dpo'} {MODELS / 'base'}" if start == "rootfruit gate" else PAIR
    said = healthy(installed.bash(f"{start} {models} --co -q", tmp_path), 0)
    assert "test_preference.py::test_preference[nonbinary]" in said


def test_a_report_of_nothing_is_one_line(installed, tmp_path):
    done = installed.bash("rootfruit report nosuch.json", tmp_path)
    healthy(done, 1)
    assert only_line(done.stderr).startswith("rootfruit: nosuch.json")
    assert list(tmp_path.iterdir()) == []


def test_data_without_a_network_is_one_line(installed, tmp_path):
    done = installed.bash("rootfruit data fetch", tmp_path, ROOTFRUIT_DATA=str(tmp_path / "data"))
    healthy(done, 1)
    assert "cannot be fetched" in only_line(done.stderr)
    assert not list((tmp_path / "data").glob("*.csv"))


def test_without_extras_the_gate_names_the_one_to_install(bare, tmp_path):
    done = bare.bash(f"pytest --pyargs rootfruit_checks.bias_tests {PAIR}", tmp_path)
    healthy(done, 4)
    line = only_line(done.stderr)
    assert "rootfruit-checks[" in line
    assert "hf" in line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pytest --help", "--rootfruit-scale"),
        ("rootfruit --help", "usage: rootfruit"),
        ("rootfruit gate --help", "usage: rootfruit gate POLICY [REFERENCE]"),
        ("rootfruit data list", "winoqueer_final.csv: missing"),
    ],
)
def test_without_extras_help_and_data_work(bare, tmp_path, line, told):
    assert told in healthy(bare.bash(line, tmp_path), 0)
