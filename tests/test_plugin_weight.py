"""A project that merely has us installed must not pay for us."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

HEAVY = {
    "torch",
    "transformers",
    "pandas",
    "numpy",
    "jinja2",
    "scipy",
    "pyarrow",
    "trl",
    "vllm",
    "tqdm",
    "filelock",
    "msgspec",
}


def _python(code: str, *options: str, cwd=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, cwd=cwd
    )


def test_loading_the_plugin_imports_nothing_heavy():
    out = _python("""
        import sys, json
        import pytest
        before = set(sys.modules)
        import rootfruit_checks.plugin
        print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
    """).stdout
    new = set(json.loads(out))
    assert not new & HEAVY
    # Beside ourselves and the standard library nothing comes along.
    assert new - set(sys.stdlib_module_names) <= {"rootfruit_checks"}


def test_loading_the_plugin_costs_a_fraction_of_loading_pytest():
    """CPU time of either import in one process, so that a busy machine slows both; the least ratio of five."""
    code = """
        import time, tomllib
        start = time.process_time()
        import pytest
        between = time.process_time()
        import rootfruit_checks.plugin
        print((time.process_time() - between) / (between - start))
    """
    assert min(float(_python(code).stdout) for _ in range(5)) < 0.5


def test_an_unrelated_project_sees_nothing(tmp_path):
    (tmp_path / "test_x.py").write_text("def test_x():\n    pass\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:html", "-v", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0
    shown = "\n".join(
        line for line in run.stdout.splitlines() if not line.startswith(("plugins:", "rootdir:", "metadata:"))
    )
    assert "rootfruit" not in shown
    assert list(tmp_path.glob(".rootfruit*")) == []


def test_a_project_with_its_own_model_option_keeps_it(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--model', default='theirs')\n"
    )
    (tmp_path / "test_x.py").write_text(
        "def test_x(request):\n    assert request.config.getoption('--model') == 'mine'\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--model=mine", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
