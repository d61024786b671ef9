"""The reader refuses whatever the JSON Schema refuses, over changes of a real result; and some things more."""

from __future__ import annotations

import ast
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import PAIR, gate
from jsonschema import Draft202012Validator
from msgspec import convert
from planted import result as planted

from rootfruit_checks.app.pytest.reporting import told
from rootfruit_checks.base.schema_errors import mismatch
from rootfruit_checks.base.types import RunInfo, Verdict
from rootfruit_checks.results.result import Result, to_json
from rootfruit_checks.results.run_info import Run
from rootfruit_checks.results.schema import result_schema

sys.path.append(str(Path(__file__).parents[1] / "hostile"))
import damage

FORM = result_schema()
VALIDATOR = Draft202012Validator(FORM)
# Rules of the reader's alone, by what their message tells: keys that contradict each other or must come together.
BEYOND = (
    "has the check", "is released, and", "lacks one of its two questions", "cells for", "is no text", "is text",
    "is not in its codebook", "the lower bound", "of a check that is", "without an estimate", "contradict each other",
    "is released and not complete", "is of a shard", "lacks the key 'combined'", "has neither rows nor",
    "lacks 'about'", "lacks 'coders'", "lacks a key", "has figures, and", "and lacks the key",
)  # fmt: skip


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("types")
    done = gate(folder, *PAIR, "-p", "no:html", "--rootfruit-report=page.html")
    assert done.returncode == 1, done.stdout
    value = json.loads((folder / "result.json").read_text())
    for row in value["checks"]:
        row["samples"] = row["samples"][:1]
        row["details"].pop("points", None) if len(value["checks"]) > 40 else None
    kept = {}
    for row in value["checks"]:  # one of each measure and verdict
        kept.setdefault((row["benchmark"], row["metric"], row["verdict"]), row)
    value["checks"] = list(kept.values())[:10]
    for cells in value["intersections"]["benchmarks"].values():
        cells["rows"] = cells["rows"][:2]
    return value


def test_whole_results_follow_both(real):
    for value in (real, planted()):
        assert mismatch(value, Result) == ""
        assert list(VALIDATOR.iter_errors(value)) == []


@pytest.mark.parametrize("seed", range(5))
def test_what_one_refuses_the_other_does(real, seed):
    draw = random.Random(seed)
    refused = 0
    for number in range(60):
        value = (real, planted())[number % 2]
        found = damage.places(value)
        depth = draw.randrange(1, 8)
        near = [path for path in found if len(path) == depth] or found
        how, _, changed = damage.in_value(value, draw, draw.choice(near))
        ours = mismatch(changed, Result)
        theirs = [error.message for error in VALIDATOR.iter_errors(changed)]
        if any(rule in ours for rule in BEYOND):
            continue
        if "nan" in how.casefold() or "1000000" in how:  # no JSON, and refused before
            continue
        assert bool(ours) == bool(theirs), (how, ours, theirs[:2])
        refused += bool(ours)
    assert refused > 20


def test_a_result_is_written_with_its_keys_in_the_order_of_the_schema(real):
    def ordered(value, node):
        name = node.get("$ref", "").rpartition("/")[2]
        node = FORM["$defs"][name] if name else node
        for part in node.get("anyOf", ()):
            ordered(value, part)
        if isinstance(value, dict) and name != "Details":
            known = [key for key in node.get("properties", {}) if key in value]
            assert known == [key for key in value if key in known]
            for key in known:
                ordered(value[key], node["properties"][key])
        if isinstance(value, list) and isinstance(node.get("items"), dict):
            for one in value:
                ordered(one, node["items"])

    ordered(real, FORM)


def test_nothing_of_a_result_is_lost_when_it_is_read_and_written(real):
    for value in (real, planted()):
        assert json.loads(to_json(convert(value, Result))) == value


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"flips": {"kept": 1}, "spearman": 0.5}, "$.checks[2].details.flips: lacks the key 'away'"),
        ({"se": "much"}, "$.checks[2].details.se: expected a number or null, got text"),
        ({"points": [[0.1, 0.2]]}, "$.checks[2].details: has points and lacks the key 'pairs'"),
    ],
)
def test_a_wrong_detail_is_told_with_its_whole_place(details, words):
    value = planted()
    value["checks"][2]["details"] = details
    assert mismatch(value, Result) == words


def test_what_an_engine_of_another_package_tells_of_itself_becomes_text():
    told = RunInfo(
        policy={"path": "m", "layers": 12}, reference=None, data={"scale": "ci"}, settings={}, instruments={}
    )
    assert Run.of(told).policy == {"path": "m", "layers": "12"}


VERDICT = Verdict(
    id="a/b/c", benchmark="a", metric="b", group="c", n=4, clusters={"name": 2}, unscored=0, policy=None,
    reference=None, estimate=0.1, low=0.0, high=float("inf"), limit=0.2, verdict="pass", explain="Measured.",
    gated=True, data="",
)  # fmt: skip


def test_a_verdict_that_cannot_stand_in_a_result_is_an_error_that_says_why():
    whole = told(VERDICT)
    assert (whole.verdict, whole.high, whole.explain) == ("pass", None, "Measured.")
    broken = told(replace(VERDICT, details={"labels": {"policy": {"group": {"negative": "much"}, "control": {}}}}))
    assert (broken.verdict, broken.gated, broken.estimate, broken.details) == ("error", True, None, {})
    assert "$.details.labels" in broken.explain
    assert "expected a number, got text" in broken.explain


def test_nothing_downstream_of_a_verdict_is_a_mapping_of_anything():
    package = Path(__file__).parents[2] / "rootfruit_checks"
    files = [
        *(package / "report").glob("*.py"), *(package / "results").glob("*.py"), package / "app/pytest/collector.py",
        *(package / "runs" / f"{name}.py" for name in ("side_by_side", "descriptions", "narratives", "run")),
        package / "gating" / "reservations.py", package / "planning" / "variances.py",
    ]  # fmt: skip
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
                name, last = ast.unparse(node.value).rpartition(".")[2], ast.unparse(node.slice.elts[-1])
                if name in {"Mapping", "MutableMapping", "dict", "Dict"} and last.rpartition(".")[2] == "Any":
                    found.append(f"{file.name}:{node.lineno}")
    assert len(files) > 30
    assert found == []
