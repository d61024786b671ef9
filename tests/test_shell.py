"""The pytest shell, driven from outside on scripted models: what a release engineer meets at the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from registered import REGISTRY, REGRESSIONS
from results import typed, whole_result, whole_row
from shell import CONFTEST, PAIR, SMOKE, gate, result

from rootfruit_checks.report.terminal import closing

ROOT = Path(__file__).resolve().parents[1]


def test_collecting_loads_no_model(project):
    done = gate(project, "--model=explode", "--reference=explode", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout
    assert "test_preference[nonbinary]" in done.stdout


def test_a_target_chooses_the_sample_that_is_run(project):
    given = ("--model=biased", "--reference=plain", "--rootfruit-json=result.json", "--rootfruit-target-mde=0.08")
    done = gate(project, *given, "--rootfruit-benchmarks=disclosure", "--rootfruit-allow-same")
    told = result(project)["run"]["settings"]
    assert told["target_mde"] == "0.08", done.stdout
    names = int(told["names"])
    assert names < 20  # the scale's
    clusters = {check["clusters"]["name"] for check in result(project)["checks"] if check["gated"]}
    assert clusters == {names}


def test_without_a_model_the_right_command_is_told(project):
    done = gate(project)
    assert done.returncode == 4
    assert "pytest --model=path/to/policy --reference=path/to/reference" in done.stderr
    assert "INTERNALERROR" not in done.stdout


def test_without_a_model_under_workers_the_right_command_is_told(project):
    done = gate(project, "-n", "2", "-q")
    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert "pytest --model=path/to/policy --reference=path/to/reference" in line


def test_a_biased_model_is_blocked_and_the_result_says_why(project):
    done = gate(project, *PAIR)
    assert done.returncode == 1, done.stdout
    value = result(project)
    verdicts = {check["id"]: check["verdict"] for check in value["checks"] if check["gated"]}
    assert verdicts["winoqueer/preference/nonbinary"] == "fail"
    assert value["schema"] == "rootfruit-result/1"
    assert value["complete"] is True
    assert value["released"] is False
    assert "FAIL winoqueer/preference/nonbinary" in done.stdout
    assert "our own prompts, not the community-made sets" in done.stdout
    assert len(verdicts) == sum(len(measure.groups) for measure in REGISTRY if measure.gated)
    assert "Failed: FAIL winoqueer/preference/nonbinary: " in done.stdout, "the short summary names the verdict"


def test_workers_and_one_process_give_the_same_result(project):
    gate(project, *PAIR)
    alone = (project / "result.json").read_text()
    (project / "result.json").unlink()
    done = gate(project, *PAIR, "-n", "2", "--rootfruit-store=other")
    assert done.returncode == 1, done.stdout
    assert json.loads((project / "result.json").read_text()) == json.loads(alone)


def test_lower_bounds_are_corrected_for_the_family_whatever_is_selected(project):
    rows = {}
    for way in ("max-t", "none"):
        gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer", f"--rootfruit-correction={way}")
        rows[way] = {row["id"]: row for row in result(project)["checks"]}
    for name, row in rows["max-t"].items():
        plain = rows["none"][name]
        assert row["high"] == plain["high"]
        if row["gated"] and plain["details"]["method"] != "refused":
            assert row["low"] <= plain["low"] == row["details"]["low_uncorrected"]
            assert 0.05 / 9 <= row["details"]["low_level"] <= 0.05
            assert "corrected for 9 gated checks (single-step max-t" in row["explain"]
            assert (row["verdict"] == "fail") == (row["low"] > row["limit"])
        else:
            assert row["low"] == plain["low"]
    assert any(row["low"] < rows["none"][name]["low"] for name, row in rows["max-t"].items())
    gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer", "-k", "preference and nonbinary and not amplification")
    part = {row["id"]: row for row in result(project)["checks"]}
    assert part["winoqueer/preference/nonbinary"] == rows["max-t"]["winoqueer/preference/nonbinary"]


def test_superior_needs_a_reference_to_be_better_than(project):
    done = gate(project, "--model=biased", "--rootfruit-absolute-only", "--rootfruit-decision=superior")
    assert done.returncode == 4
    assert "nothing to be better than" in done.stderr
    gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer", "--rootfruit-decision=superior")
    rows = {row["id"]: row for row in result(project)["checks"]}
    assert rows["winoqueer/amplification/transgender"]["limit"] == 0.0
    assert rows["winoqueer/amplification/transgender"]["verdict"] != "pass"  # it changed nothing, and no better


def test_a_part_of_the_checks_is_no_release_gate(project):
    done = gate(project, *PAIR, "-k", "transgender and preference and not amplification")
    value = result(project)
    assert value["complete"] is False
    assert value["released"] is False
    assert "This run is not a release gate" in done.stdout


@pytest.mark.parametrize("more", [("-k", "amplification"), ("-n", "2")])
def test_a_missing_reference_is_told_in_one_line_before_anything_is_loaded(project, more):
    done = gate(project, "--model=explode", *SMOKE, *more)
    assert done.returncode == 4
    (line,) = done.stderr.split("\n")[:-2]
    assert "add --reference=PATH" in line
    assert not done.stdout


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
    # The doubles continue prompts alike, which is refused unless it is said to be meant.
    few = (*PAIR, "--rootfruit-benchmarks=misgendering", "--rootfruit-limit=misgendering/disparity=0.05")
    few += ("--rootfruit-allow-same",)
    blocked = gate(project, *few, "-k", "misgendering_disparity")
    assert blocked.returncode == 1
    assert "INCONCLUSIVE" in blocked.stdout
    warned = gate(project, *few, "-k", "misgendering_disparity", "--rootfruit-inconclusive=warn")
    assert warned.returncode == 0, warned.stdout
    assert "RootfruitWarning" in warned.stdout
    assert "INCONCLUSIVE" in warned.stdout


def test_a_release_with_inconclusive_checks_does_not_say_that_all_hold():
    rows = [
        whole_row("winoqueer/preference/nonbinary"),
        whole_row("winoqueer/preference/transgender", verdict="inconclusive"),
    ]
    assert closing(typed(whole_result(*rows)))[-1].startswith(
        "Released: 1 of 2 gated checks are inconclusive and did not block"
    )
    assert closing(typed(whole_result(rows[0])))[-1].startswith("Released: all 1 gated checks pass")


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
        '@pytest.mark.rootfruit("winoqueer/preference", groups=["bisexual", "asexual"], limit=0.9)\n'
        "def test_two_more(rootfruit_check):\n"
        "    rootfruit_check.require()\n"
    )
    done = gate(project, *PAIR, suite=("test_own.py",))
    checks = {check["id"]: check for check in result(project)["checks"]}
    assert set(checks) == {"winoqueer/preference/bisexual", "winoqueer/preference/asexual"}
    assert all(check["limit"] == 0.9 for check in checks.values())
    assert done.returncode in (0, 1)


def test_of_two_verdicts_on_one_check_the_graver_stands(project):
    marked = (
        '@pytest.mark.rootfruit("winoqueer/preference", groups=["nonbinary"], limit={})\ndef test_{}(rootfruit_check):'
    )
    tests = [marked.format(bar, name) + "\n    rootfruit_check.require()\n" for bar, name in ((0.5, "a"), (0.95, "b"))]
    (project / "test_own.py").write_text("import pytest\n" + "\n".join(tests))
    done = gate(project, *PAIR, suite=("test_own.py",))
    assert done.returncode == 1
    (check,) = result(project)["checks"]
    assert (check["verdict"], check["limit"]) == ("fail", 0.5)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ('("winoqueer/preference", limt=0.3)', "takes no argument 'limt'"),
        ('("winoqueer/preference", groups="nonbinary")', "groups='nonbinary' is not a list of groups"),
        ('("winoqueer/preference", groups=[])', "groups=[] is not a list of groups"),
        ('("winoqueer/preference", groups=["martian"])', "'martian' is not a group of winoqueer"),
        ('("winoqueer/preference", limit="x")', "'x' is not a number"),
        ('("winoqueer/preference", limit=5)', "'5' is outside [0, 1)"),
        ('("winoqueer/preservation", limit=0.5)', "described and never gated"),
        ('("winoqueer/prefrence")', "'winoqueer/prefrence' is not a measure; MEASURE is one of winoqueer/preference"),
        ("", "MEASURE is one of winoqueer/preference"),
    ],
)
def test_a_wrong_marker_is_refused_at_collection(project, marker, told):
    (project / "test_own.py").write_text(
        f"import pytest\n@pytest.mark.rootfruit{marker}\ndef test_own(rootfruit_check):\n    assert rootfruit_check\n"
    )
    done = gate(project, *PAIR, "-q", suite=("test_own.py",))
    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ERROR: rootfruit: test_own.py::test_own: ")
    assert told in line
    assert "ERRORS" not in done.stdout


def test_several_wrong_markers_are_one_line(project):
    test = '@pytest.mark.rootfruit("winoqueer/preference", groups=["{0}"])\ndef test_{0}(rootfruit_check): ...\n'
    (project / "test_own.py").write_text("import pytest\n" + test.format("martian") + test.format("venusian"))
    done = gate(project, *PAIR, "-q", suite=("test_own.py",))
    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert "'martian' is not a group of winoqueer" in line
    assert line.endswith("(and 1 more)")


def test_a_wrong_marker_on_workers_is_one_line_too(project):
    (project / "test_own.py").write_text(
        'import pytest\n@pytest.mark.rootfruit("winoqueer/preference", groups=["martian"])\n'
        "def test_own(rootfruit_check): ...\n"
    )
    done = gate(project, *PAIR, "-q", "-n", "2", suite=("test_own.py",))
    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert "'martian' is not a group of winoqueer" in line
    assert "ERRORS" not in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_wrong_model_that_is_only_configured_is_one_line(tmp_path, workers):
    (tmp_path / "pyproject.toml").write_text('[tool.rootfruit]\nmodel = "nosuch"\nreference = "other"\n')
    marked = '@pytest.mark.rootfruit("winoqueer/preference")\ndef test_own(rootfruit_check): ...\n'
    (tmp_path / "test_own.py").write_text(f"import pytest\n{marked}")
    command = [sys.executable, "-m", "pytest", *workers]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ERROR: rootfruit: --model nosuch: no such directory")
    assert "ERRORS" not in done.stdout


def test_a_reference_that_prefers_nothing_stigmatizing_blocks_nothing(project):
    """Preservation then has no pair to describe; what is only described never fails."""
    done = gate(project, *PAIR, "-k", "preservation or selection")
    assert done.returncode == 0, done.stdout
    rows = {check["id"]: check for check in result(project)["checks"]}
    assert rows["winoqueer/preservation/nonbinary"]["n"] == 0


def test_an_earlier_result_is_not_taken_for_this_runs(project):
    (project / "result.json").write_text('{"released": true}')
    assert gate(project, *SMOKE).returncode == 4
    assert not (project / "result.json").exists()


def test_looking_at_tests_without_a_model_keeps_an_earlier_result(project):
    earlier = '{"released": true}'
    (project / "result.json").write_text(earlier)
    for look in ("--collect-only", "--setup-plan", "--fixtures-per-test"):
        assert gate(project, *SMOKE, look).returncode == 0, look
    assert (project / "result.json").read_text() == earlier


def test_a_result_that_cannot_be_written_is_told_before_the_work(project):
    (project / "folder").mkdir()
    done = gate(project, *PAIR, "--rootfruit-json=folder")
    assert done.returncode == 4
    assert "option --rootfruit-json: folder is a directory" in done.stderr


def test_a_result_that_is_lost_at_the_end_is_no_success(project):
    (project / "test_own.py").write_text(
        "import pathlib, pytest\n"
        '@pytest.mark.rootfruit("winoqueer/reward_selection")\n'
        "def test_own(rootfruit_check):\n"
        "    pathlib.Path('result.json').mkdir(exist_ok=True)\n"
    )
    done = gate(project, *PAIR, suite=("test_own.py",))
    assert done.returncode == 1
    assert "result.json: cannot be written" in done.stderr


def test_an_error_before_anything_was_measured_still_says_what_was_asked(project):
    done = gate(
        project, "--model=explode", "--reference=plain", *SMOKE, "-k", "preference and nonbinary", "--junit-xml=r.xml"
    )
    assert done.returncode == 1
    value = result(project)
    assert value["run"]["policy"] == {"path": "explode"}
    assert value["run"]["settings"]["scale"] == "smoke"
    assert all(check["explain"] == "AssertionError: a model was loaded" for check in value["checks"])
    told = [
        p.get("value") for p in ET.parse(project / "r.xml").iter("property") if p.get("name") == "rootfruit_verdict"
    ]
    assert told == ["error"] * len(value["checks"])


def test_a_wrong_group_is_a_wrong_option_under_workers_too(project):
    done = gate(project, *PAIR, "-n", "2", "--rootfruit-limit=winoqueer/preference/martian=0.5")
    assert done.returncode == 4
    assert "'martian' is not a group of winoqueer" in done.stderr


def test_markers_select_what_they_say(project):
    count = {}
    for word in ("rootfruit", "winoqueer", "tango", "reward"):
        done = gate(project, *PAIR, "--collect-only", "-q", "-m", word)
        count[word] = sum("::" in line for line in done.stdout.splitlines())
    # Beside the checks, three explorations, and what says that it needs a baseline.
    everything = sum(len(measure.groups) for measure in REGISTRY) + 3 + len(REGRESSIONS)
    assert count["rootfruit"] == everything
    assert count["winoqueer"] + count["tango"] == everything
    assert count["reward"] == 6


def test_what_a_hostile_model_directory_says_of_itself_reaches_no_terminal(project):
    (project / "evil").mkdir()
    (project / "evil" / "config.json").write_text('{"architectures": ["\\u001b[31mred\\u202e"]}')
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--model=evil", "--rootfruit-absolute-only"]
    root = Path(__file__).resolve().parents[1]
    (project / "conftest.py").unlink()
    (project / "pytest.ini").write_text("[pytest]\n")
    command += ["-k", "test_preference and nonbinary", "-c", "pytest.ini", str(root / "bias_tests")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    assert done.returncode == 4
    assert "is not a causal language model" in done.stderr
    assert "\x1b[31mred" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout + done.stderr


def test_ctrl_c_leaves_no_result_and_the_next_run_goes_on(project):
    slow = CONFTEST.replace(
        "    return ScriptedEngine(name", "    import time; time.sleep(60)\n    return ScriptedEngine(name"
    )
    (project / "conftest_double.py").write_text(slow)
    (project / "pytest.ini").write_text("[pytest]\n")
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pytest", "-p", "conftest_double", "-c", "pytest.ini", str(root / "bias_tests")]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    (project / "result.json").write_text('{"released": true}')
    child = subprocess.Popen(
        [*command, *PAIR], cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (project / ".rootfruit" / "lock").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out = child.communicate(timeout=60)[0]
    assert child.returncode == 2, out
    assert "INTERNALERROR" not in out
    assert not (project / "result.json").exists()
    assert gate(project, *PAIR).returncode == 1
    assert result(project)["complete"]


def test_the_plugin_can_be_switched_off(project):
    (project / "test_x.py").write_text("def test_x():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:rootfruit", "-p", "no:cacheprovider", "test_x.py"]
    (project / "conftest.py").unlink()
    assert subprocess.run(command, capture_output=True, check=False, cwd=project).returncode == 0


# With CI set, pytest's short summary prints whole messages.
@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize(("how", "status"), [("fail", 1), ("warn", 0)])
@pytest.mark.parametrize("style", ["auto", "line", "no"])
def test_each_reason_is_printed_once(project, how, status, style, ci, monkeypatch):
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    few = (*PAIR, "--rootfruit-benchmarks=misgendering", "--rootfruit-limit=misgendering/disparity=0.05")
    done = gate(
        project, *few, "--rootfruit-allow-same", f"--rootfruit-inconclusive={how}", f"--tb={style}",
        "-k", "misgendering_disparity",
    )  # fmt: skip
    assert done.returncode == status, done.stdout
    text = " ".join(done.stdout.split())
    reasons = [row["explain"] for row in result(project)["checks"] if row["verdict"] == "inconclusive"]
    assert len(reasons) > 1
    for reason in reasons:
        assert text.count(reason.partition(". ")[2]) == 1, text
    # Said once for all, with the tests that it is about.
    assert text.count("not blocking (--rootfruit-inconclusive=warn)") == (1 if how == "warn" else 0)


def test_a_warning_that_was_asked_for_is_no_error_where_warnings_are(project):
    done = gate(
        project, *PAIR, "-k", "misgendering_disparity", "--rootfruit-benchmarks=misgendering", "--rootfruit-allow-same",
        "--rootfruit-limit=misgendering/disparity=0.05", "--rootfruit-inconclusive=warn", "-W", "error",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "not blocking (--rootfruit-inconclusive=warn)" in done.stdout


def test_one_directory_as_both_models_is_refused_in_one_line(tmp_path):
    model = ROOT / "fixtures" / "models" / "base"
    (tmp_path / "link").symlink_to(model)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(ROOT / "bias_tests")]
    for reference in (model, tmp_path / "link"):
        both = [f"--model={model}", f"--reference={reference}"]
        done = subprocess.run([*command, *both], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 4
        (line,) = done.stderr.strip().splitlines()
        assert "are the same model" in line


def test_a_status_that_no_test_made_is_explained(project):
    (project / "test_own.py").write_text(
        'import pytest\n@pytest.mark.rootfruit("winoqueer/preference")\ndef test_own(rootfruit_check): ...\n'
    )
    done = gate(project, *PAIR, "--rootfruit-benchmarks=winoqueer", suite=("test_own.py",))
    assert done.returncode == 1
    assert "Exit status 1, although no test failed: the gate is blocked." in done.stdout
