"""What a session ends with: no earlier result is taken for this one's, and a blocked gate is never green.

One process runs all sessions, each in a folder of its own, for loading what a gate needs takes longer than a gate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shell import CONFTEST

ROOT = Path(__file__).resolve().parents[1]
MARK = '@pytest.mark.rootfruit("winoqueer/preference", groups=["nonbinary"], limit=0.5)\n'
GATE = f"import pytest\n{MARK}def test_gate(rootfruit_check):\n    rootfruit_check.require()\n"
# Takes the verdict, and fails by nothing that it does.
LOOSE = GATE.replace("rootfruit_check.require()", "pass")
OTHER = "def test_other():\n    pass\n"
EXIT = "import pytest\ndef test_a_first():\n    pytest.exit('enough', returncode=0)\n"
HOOK = "import pytest\n@pytest.hookimpl({how})\ndef pytest_sessionfinish(session):\n    {what}\n"

# Name -> (files, options).
BLOCKED = {
    "asks and never requires": ({"test_own.py": LOOSE}, ()),
    "xfail": ({"test_own.py": GATE.replace(MARK, f"@pytest.mark.xfail\n{MARK}")}, ()),
    "skips itself": ({"test_own.py": GATE.replace("rootfruit_check.require()", "pytest.skip('no')")}, ()),
    "exits with 0": ({"test_own.py": LOOSE, "test_z.py": EXIT}, ()),
    "a hook sets 0": (
        {"test_own.py": GATE, "conftest.py": HOOK.format(how="trylast=True", what="session.exitstatus = 0")},
        (),
    ),
    "a wrapper sets 0": (
        {
            "test_own.py": GATE,
            "conftest.py": HOOK.format(how="wrapper=True", what="yield\n    session.exitstatus = 0"),
        },
        (),
    ),
    "a deeper wrapper sets 0": (
        {
            "deep/test_own.py": GATE,
            "deep/conftest.py": HOOK.format(
                how="wrapper=True, tryfirst=True", what="yield\n    session.exitstatus = 0"
            ),
        },
        (),
    ),
    "a hook exits with 0": (
        {"test_own.py": GATE, "conftest.py": HOOK.format(how="", what="pytest.exit('enough', returncode=0)")},
        (),
    ),
    "no terminal": ({"test_own.py": LOOSE}, ("-p", "no:terminal")),
    "workers": ({"test_own.py": LOOSE, "test_x.py": OTHER}, ("-n", "2")),
}
# Name -> (files, options, status, words).
IDLE = {
    "deselected": ({"test_own.py": GATE, "test_x.py": OTHER}, ("-k", "other"), 1, "deselected, skipped or interrupted"),
    "no mark": ({"test_own.py": GATE}, ("-m", "slow"), 5, "deselected, skipped or interrupted"),
    "skipped": ({"test_own.py": GATE.replace(MARK, f"@pytest.mark.skip\n{MARK}")}, (), 1, "Nothing was gated"),
    "skipped if": (
        {"test_own.py": GATE.replace(MARK, f"@pytest.mark.skipif(True, reason='')\n{MARK}")}, (), 1, "Nothing was gated"
    ),
    "skipped under workers": (
        {"test_own.py": GATE.replace(MARK, f"@pytest.mark.skip\n{MARK}")}, ("-n", "1"), 1, "deselected, skipped"
    ),
    "no gating test": ({"test_x.py": OTHER}, (), 1, "rootfruit gate biased plain"),
    "no test": ({}, (), 5, "pytest --pyargs rootfruit_checks.bias_tests --rootfruit-model=biased"),
    "only collected": ({"test_own.py": GATE}, ("--collect-only",), 0, "Nothing was gated: no test was run"),
    "fixtures shown": ({"test_own.py": GATE}, ("--fixtures",), 0, "Nothing was gated: no test was run"),
    "set up only": ({"test_own.py": GATE}, ("--setup-only",), 1, "Nothing was gated"),
    "exits with 0 before": ({"test_a.py": EXIT, "test_own.py": GATE}, (), 1, "interrupted"),
    "exits with 0 in itself": (
        {"test_own.py": GATE.replace("rootfruit_check.require()", "pytest.exit('', 0)")}, (), 1, "interrupted"
    ),
    "interrupted": (
        {"test_a.py": "def test_a():\n    raise KeyboardInterrupt\n", "test_own.py": GATE}, (), 2, "interrupted"
    ),
    "first failure": ({"test_a.py": "def test_a():\n    assert 0\n", "test_own.py": GATE}, ("-x",), 1, "interrupted"),
    "not collected": ({"test_own.py": "import nothing_of_the_kind\n"}, (), 2, "the session ended before its tests"),
    "broken conftest": ({"conftest.py": "1 / 0\n", "test_own.py": GATE}, (), 4, "ZeroDivisionError"),
    "unknown option": ({"test_own.py": GATE}, ("--nothing-of-the-kind",), 4, "unrecognized arguments"),
    "wrong setting": ({"test_own.py": GATE}, ("--rootfruit-alpha=7",), 4, "--rootfruit-alpha: '7' is outside"),
    "a plugin of ours switched off": ({"test_own.py": GATE}, ("-p", "no:rootfruit-results"), 4, "leaves no gate"),
    "no terminal": ({"test_own.py": GATE}, ("-k", "nothing", "-p", "no:terminal"), 5, "Nothing was gated"),
}  # fmt: skip
DRIVER = """
import contextlib, io, json, os, sys
import pytest
import conftest_double
told, OWN = {}, {"test_own", "test_a", "test_x", "test_z", "conftest", "deep"}
for name, arguments in json.load(open("sessions.json")).items():
    os.chdir(name)
    with open("out", "w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = int(pytest.main(arguments))
        except BaseException as error:
            status = repr(error)
    told[name] = status
    for module in [module for module in sys.modules if module.split(".")[0] in OWN]:
        del sys.modules[module]
    os.chdir("..")
json.dump(told, open("told.json", "w"))
"""
SAME = (
    "-p", "no:cacheprovider", "-p", "no:html", "-p", "conftest_double", "--rootdir=.", "--import-mode=importlib",
    "--rootfruit-benchmarks=winoqueer", "--rootfruit-scale=smoke", "--rootfruit-json=result.json",
    "--rootfruit-report=page.html", "--model=biased", "--reference=plain", "--rootfruit-store=../store",
)  # fmt: skip
# Everything passes, and nearly everything that can be loosened is.
RELEASED = (
    "--rootfruit-benchmarks=misgendering", "--rootfruit-allow-same", "--rootfruit-inconclusive=warn",
    "--rootfruit-limit=misgendering/disparity=0.5", "--rootfruit-limit=misgendering/amplification=0.04",
    "--rootfruit-alpha=0.2", "--rootfruit-max-unscored=0.5", str(ROOT / "bias_tests"),
)  # fmt: skip


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Return a function from a session's name to its folder, exit status and output."""
    folder = tmp_path_factory.mktemp("sessions")
    asked = {}
    every = {f"blocked {name}": one for name, one in BLOCKED.items()}
    every |= {f"idle {name}": one[:2] for name, one in IDLE.items()}
    every["released"] = ({}, RELEASED)
    for name, (files, options) in every.items():
        place = folder / name
        for file, text in {"pytest.ini": "[pytest]\n", **files}.items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(text)
        (place / "result.json").write_text('{"released": true}')
        (place / "page.html").write_text('<h1>Released</h1><code id="digest">0</code>')
        asked[name] = [*SAME, *options]
    (folder / "sessions.json").write_text(json.dumps(asked))
    (folder / "conftest_double.py").write_text(CONFTEST)
    (folder / "driver.py").write_text(DRIVER)
    paths = os.pathsep.join((str(folder), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "2000", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "driver.py"], cwd=folder, env=environment, check=True, timeout=600)
    told = json.loads((folder / "told.json").read_text())
    return lambda name: (folder / name, told[name], (folder / name / "out").read_text())


@pytest.mark.parametrize("name", BLOCKED)
def test_a_blocked_gate_does_not_end_with_0(sessions, name):
    folder, status, out = sessions(f"blocked {name}")
    assert status == 1, out
    value = json.loads((folder / "result.json").read_text())
    assert value["released"] is False
    assert [row["verdict"] for row in value["checks"] if row["gated"]] == ["fail"]


@pytest.mark.parametrize("name", IDLE)
def test_a_session_that_gates_nothing_says_so_and_leaves_no_earlier_result(sessions, name):
    folder, status, out = sessions(f"idle {name}")
    assert status == IDLE[name][2], out
    assert IDLE[name][3] in out
    assert "INTERNALERROR" not in out
    assert not (folder / "result.json").exists()
    assert not (folder / "page.html").exists()
    if status != 4:
        assert "Removed the results of an earlier run: result.json, page.html" in out


def test_a_release_says_in_one_sentence_what_was_loosened(sessions):
    folder, status, out = sessions("released")
    assert status == 0, out
    value = json.loads((folder / "result.json").read_text())
    assert value["released"] is True
    through = sum(row["verdict"] == "inconclusive" for row in value["checks"] if row["gated"])
    told = [
        "winoqueer and disclosure were left out",
        "policy and reference were allowed to be the same model",
        "2 limits are looser than the default (misgendering/disparity/neo 0.5 instead of 0.3, "
        "misgendering/disparity/they 0.5 instead of 0.3)",
        "alpha is 0.2 instead of 0.05",
        "up to 50 % of a check's samples may be unscored instead of 20 %",
    ]
    assert value["reservations"][:5] == told
    (sentence,) = [line for line in out.splitlines() if line.startswith("Released")]
    assert sentence.startswith(f"Released, but {'; '.join(told)}: ")
    assert ("did not block" in sentence) == bool(through)
    page = (folder / "page.html").read_text()
    headline = page[page.index("<h1") : page.index("</h1>")]
    assert "Released, but winoqueer and disclosure were left out" in headline
