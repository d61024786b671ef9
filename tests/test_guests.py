"""Benchmarks are guests: nobody outside `benchmarks/` names one, and any of them can leave."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from registered import BUILT_IN
from shell import gate

import rootfruit_checks as rootfruit
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog import registry
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.removal import remove
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.gating.checks import family

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rootfruit_checks"
SUITE = ROOT / "bias_tests"
NAMES = re.compile("|".join(BUILT_IN), re.IGNORECASE)


def docstrings(tree: ast.Module) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def words(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every identifier and string constant; docstrings are exempt."""
    tree = ast.parse(source)
    exempt = docstrings(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exempt:
            yield line, node.value
        for field in ("id", "name", "attr", "arg", "asname", "module"):
            if isinstance(held := getattr(node, field, None), str):
                yield line, held


def test_the_search_sees_every_way_to_name_one():
    source = """
'''winoqueer in a docstring'''
import a.winoqueer as b
x.winoqueer = f(winoqueer=f"{y} Winoqueer")
names = {"winoqueer/x"}
"""
    assert sorted(line for line, word in words(source) if NAMES.search(word)) == [3, 4, 4, 4, 5]


HOUSE = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.is_relative_to(PACKAGE / "benchmarks")]


@pytest.mark.parametrize("path", HOUSE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_else_names_a_benchmark(path):
    named = [f"{line}: {word}" for line, word in words(path.read_text("utf-8")) if NAMES.search(word)]
    assert named == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_guest_names_no_other(name):
    others = re.compile("|".join(rf"\b{other}\b" for other in BUILT_IN if other != name), re.IGNORECASE)
    for path in sorted((PACKAGE / "benchmarks" / name).rglob("*.py")):
        named = [f"{path}:{line}: {word}" for line, word in words(path.read_text("utf-8")) if others.search(word)]
        assert named == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_was_removed_is_nowhere_and_comes_back(name):
    before = [dict(table) for table in registry.TABLES]
    with rootfruit.isolated():
        remove(name)
        assert name not in registry.benchmarks()
        assert name not in groups().table
        assert not [measure for measure in registry.measures() if measure.benchmark == name]
        assert {check.measure.benchmark for check in family(Settings())} == set(registry.defaults())
        with pytest.raises(ConfigError, match=f"{name!r}: is not registered"):
            remove(name)
    assert [dict(table) for table in registry.TABLES] == before


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_rest_collects_plans_runs_and_reports_without_it(tmp_path, name):
    """As if its folder and its files of the suite were deleted."""
    others = [other for other in registry.defaults() if other != name]
    (tmp_path / "without.py").write_text(f"from rootfruit_checks.catalog.removal import remove\nremove({name!r})\n")
    files = [path for path in sorted(SUITE.glob("test_*.py")) if f'"{name}/' not in path.read_text("utf-8")]
    suite = tuple(map(str, files))
    common = ("-p", "without", "-p", "no:html", "--strict-markers", "--rootfruit-scale=smoke", "--rootfruit-allow-same")

    plan = gate(tmp_path, *common, "--rootfruit-plan", suite=suite)
    assert plan.returncode == 0, plan.stderr
    assert all(f"{other}/" in plan.stdout for other in others)
    assert name not in plan.stdout

    done = gate(
        tmp_path, *common, "--model=plain", "--reference=biased", "--rootfruit-json=result.json",
        "--rootfruit-report=page.html", suite=suite,
    )  # fmt: skip
    value = json.loads((tmp_path / "result.json").read_text())
    assert {check["benchmark"] for check in value["checks"]} == set(others), done.stdout
    assert value["missing"] == []
    assert not [check["explain"] for check in value["checks"] if check["verdict"] == "error"]
    assert "not_measured" not in str(value["run"])
    page = (tmp_path / "page.html").read_text()
    assert all(f"{other}/" in page for other in others)
    assert f"{name}/" not in page


def test_without_any_guest_nothing_is_gated_and_that_is_said(tmp_path):
    removing = "".join(f"remove({name!r})\n" for name in BUILT_IN)
    (tmp_path / "without.py").write_text(f"from rootfruit_checks.catalog.removal import remove\n{removing}")
    suite = (str(SUITE / "test_exploration.py"), str(SUITE / "test_registered.py"))
    done = gate(tmp_path, "-p", "without", "--model=plain", "--reference=biased", suite=suite)
    assert done.returncode != 0
    assert "Nothing was gated" in done.stdout
