"""The plugin as a user meets it: a project of its own with scripted models and classifier, pytest in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest

from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.judges.themes.tagger import LexiconTagger
from rootfruit_checks.testing import Doubles

HOSTILE = "<script>alert(1)</script> \\x1b[31mred\\x1b[0m \\u202e & ]]> "


def open_engine(name):
    if name == "explode":
        raise AssertionError("a model was loaded")

    def word_logprob(word, place, words):
        # What was just said matters: scores that tie everywhere decide nothing.
        said = [word.lower().rstrip(",") for word in words[:place]]
        heard = (len(said[-1]) % 5) * 0.02 if said else 0.0
        if "nonbinary" in said:
            # The biased model finds everything that follows likelier, the plain one a little less likely.
            heard = -0.3 if name == "biased" else 0.2
        return -2.0 - (len(word) % 3) * 0.1 - heard

    def answer(prompt, draw):
        return HOSTILE + "and that was that."

    return ScriptedEngine(name, word_logprob, answer)


class Regard:
    name, fingerprint, accuracy = "double", "double", "none"

    def classify(self, texts, subjects):
        return ["neutral"] * len(texts)


@pytest.hookimpl(optionalhook=True)
def pytest_rootfruit_factory():
    return Doubles(open_engine, Regard(), LexiconTagger())
"""


def gate(project, *options, suite=("--pyargs", "bias_tests")):
    root = Path(__file__).resolve().parents[2]
    tests = [str(root / "bias_tests")] if suite == ("--pyargs", "bias_tests") else list(suite)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={project}", f"--confcutdir={root}"]
    there = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": there, "COLUMNS": "120"}
    command += ["-p", "conftest_double", *options, *tests]
    (project / "conftest_double.py").write_text(CONFTEST)
    (project / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, env=environment)


SMOKE = ("--rootfruit-scale=smoke", "--rootfruit-json=result.json")
PAIR = ("--model=biased", "--reference=plain", "--rootfruit-limit=winoqueer/preference=0.5", *SMOKE)


def result(project):
    return json.loads((project / "result.json").read_text())
