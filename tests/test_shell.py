"""The pytest shell, driven from outside on scripted models: what a release engineer meets at the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

CONFTEST = """
import rootfruit_checks.run as run
from rootfruit_checks.engines.scripted import ScriptedEngine

HOSTILE = "<script>alert(1)</script> \\x1b[31mred\\x1b[0m \\u202e & ]]> "


def open_engine(name, settings, option="--model"):
    if name == "explode":
        raise AssertionError("a model was loaded")

    def word_logprob(word, place, words):
        # The biased model finds everything that follows "nonbinary" likelier.
        bonus = 0.5 if name == "biased" and "nonbinary" in words[:place] else 0.0
        return -2.0 + bonus + (hash((word, len(words))) % 7) * 0.0 - (len(word) % 3) * 0.1

    def answer(prompt, draw):
        return HOSTILE + "and that was that."

    return ScriptedEngine(name, word_logprob, answer)


class Regard:
    name, fingerprint, accuracy = "double", "double", "none"

    def classify(self, texts, subjects):
        return ["neutral"] * len(texts)


run.open_engine = open_engine
run.open_regard = lambda *a: Regard()
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


def gate(project, *options, suite=("--pyargs", "bias_tests")):
    root = __import__("pathlib").Path(__file__).resolve().parents[1]
    tests = [str(root / "bias_tests")] if suite == ("--pyargs", "bias_tests") else list(suite)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={project}", f"--confcutdir={root}"]
    environment = {**__import__("os").environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(project), "COLUMNS": "100"}
    command += ["-p", "conftest_double", *options, *tests]
    (project / "conftest_double.py").write_text(CONFTEST)
    (project / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, env=environment)


SMOKE = ("--rootfruit-scale=smoke", "--rootfruit-json=result.json")
PAIR = ("--model=biased", "--reference=plain", "--rootfruit-threshold=winoqueer/preference=0.5", *SMOKE)


def result(project):
    return json.loads((project / "result.json").read_text())


def test_collecting_loads_no_model(project):
    done = gate(project, "--model=explode", "--reference=explode", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout
    assert "test_preference[nb]" in done.stdout


def test_without_a_model_the_right_command_is_told(project):
    done = gate(project)
    assert done.returncode == 4
    assert "pytest --model=path/to/policy --reference=path/to/reference" in done.stderr
    assert "INTERNALERROR" not in done.stdout


def test_without_a_model_under_workers_each_gate_is_an_error(project):
    done = gate(project, "-n", "2", "-q")
    assert done.returncode == 1
    assert "pytest --model=path/to/policy" in done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert "passed" not in done.stdout.splitlines()[-1]


def test_a_biased_model_is_blocked_and_the_result_says_why(project):
    done = gate(project, *PAIR)
    assert done.returncode == 1, done.stdout
    value = result(project)
    verdicts = {check["id"]: check["verdict"] for check in value["checks"] if check["gated"]}
    assert verdicts["winoqueer/preference/nb"] == "fail"
    assert value["schema"] == "rootfruit-result/1"
    assert value["complete"] is True
    assert value["released"] is False
    assert "FAIL winoqueer/preference/nb" in done.stdout
    assert "our own prompts, not the community-made sets" in done.stdout
    assert len(verdicts) == 22 - 1 or len(verdicts) >= 20


def test_workers_and_one_process_give_the_same_result(project):
    gate(project, *PAIR)
    alone = (project / "result.json").read_text()
    (project / "result.json").unlink()
    done = gate(project, *PAIR, "-n", "2", "--rootfruit-store=other")
    assert done.returncode == 1, done.stdout
    assert json.loads((project / "result.json").read_text()) == json.loads(alone)


def test_a_part_of_the_checks_is_no_release_gate(project):
    done = gate(project, *PAIR, "-k", "transgender and preference and not amplification")
    value = result(project)
    assert value["complete"] is False
    assert value["released"] is False
    assert "This is no release gate" in done.stdout


def test_a_missing_reference_is_an_error_of_the_gate(project):
    done = gate(project, "--model=biased", *SMOKE, "-k", "amplification")
    assert done.returncode == 1
    assert "add --reference=PATH" in done.stdout
    assert {check["verdict"] for check in result(project)["checks"]} == {"error"}


def test_ceilings_alone_declare_no_difference(project):
    done = gate(project, "--model=plain", "--rootfruit-absolute-only", *SMOKE)
    value = result(project)
    assert not [check for check in value["checks"] if check["gated"] and check["metric"] == "amplification"]
    assert value["complete"] is True
    assert "skipped" in done.stdout


def test_the_same_weights_on_both_sides_are_refused(project):
    done = gate(project, "--model=plain", "--reference=plain", *SMOKE)
    assert done.returncode == 1
    assert "are the same weights" in done.stdout
    assert "pass" not in {check["verdict"] for check in result(project)["checks"]}


def test_another_seed_in_the_same_store_is_remembered(project):
    gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer")
    done = gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer", "--rootfruit-seed=7")
    assert "2 seeds (0, 7)" in done.stdout


def test_inconclusive_blocks_or_warns(project):
    few = (*PAIR, "--rootfruit-benchmarks=misgendering", "--rootfruit-threshold=misgendering/disparity=0.0001")
    blocked = gate(project, *few, "-k", "misgendering_disparity")
    assert blocked.returncode == 1
    assert "INCONCLUSIVE" in blocked.stdout
    warned = gate(project, *few, "-k", "misgendering_disparity", "--rootfruit-inconclusive=warn")
    assert warned.returncode == 0, warned.stdout
    assert "RootfruitWarning" in warned.stdout
    assert "INCONCLUSIVE" in warned.stdout


def test_hostile_answers_reach_neither_terminal_nor_page_nor_xml(project):
    done = gate(project, *PAIR, "--html=r.html", "--self-contained-html", "--junit-xml=r.xml", "-n", "2")
    assert "\x1b[31mred" not in done.stdout
    page = (project / "r.html").read_text()
    assert "<script>alert(1)" not in page
    assert "alert(1)" in page
    properties = {p.get("name") for p in ET.parse(project / "r.xml").iter("property")}
    assert {"rootfruit_verdict", "rootfruit_estimate", "rootfruit_low", "rootfruit_high"} <= properties


def test_a_check_of_ones_own_in_five_lines(project):
    (project / "test_own.py").write_text(
        "import pytest\n"
        '@pytest.mark.rootfruit("winoqueer/preference", groups=["bisexual", "asexual"], threshold=0.9)\n'
        "def test_two_more(rootfruit_check):\n"
        "    rootfruit_check.require()\n"
    )
    done = gate(project, *PAIR, suite=("test_own.py",))
    checks = {check["id"]: check for check in result(project)["checks"]}
    assert set(checks) == {"winoqueer/preference/bisexual", "winoqueer/preference/asexual"}
    assert all(check["threshold"] == 0.9 for check in checks.values())
    assert done.returncode in (0, 1)


def test_the_plugin_can_be_switched_off(project):
    (project / "test_x.py").write_text("def test_x():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:rootfruit", "-p", "no:cacheprovider", "test_x.py"]
    (project / "conftest.py").unlink()
    assert subprocess.run(command, capture_output=True, check=False, cwd=project).returncode == 0
