"""The house stays one that can be drawn: few rooms at the top, none of them crowded."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rootfruit_checks"
FOLDERS = [path for path in PACKAGE.rglob("*") if path.is_dir() and list(path.glob("*.py"))]


def test_the_top_of_the_package_is_short():
    assert len(list(PACKAGE.glob("*.py"))) <= 5
    assert len([path for path in FOLDERS if path.parent == PACKAGE]) <= 22


def test_no_folder_is_crowded():
    crowded = {str(path): count for path in FOLDERS if (count := len(list(path.glob("*.py")))) > 19}
    assert not crowded


def test_every_package_says_what_it_is_for():
    for folder in FOLDERS:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))), folder


def test_the_layers_name_every_package():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract for contract in contracts if contract["type"] == "layers")
    (forbidden,) = (contract for contract in contracts if contract["type"] == "forbidden")
    named = {name for layer in layers["layers"] for name in layer.split(" | ")}
    there = {path.name for path in FOLDERS if path.parent == PACKAGE}
    assert there == named - {"plugin", "testing"}
    assert {f"rootfruit_checks.{name}" for name in named - {"benchmarks"}} == set(forbidden["source_modules"])
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert all(f"| `{name}` |" in told for name in there)
