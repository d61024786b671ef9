"""The JSON Schema of the result: real results validate, wrong ones do not, and every key is described."""

from __future__ import annotations

import copy
import hashlib
import json
from importlib import resources

import pandas as pd
import pytest
from hostile import PAIR, gate
from jsonschema import Draft202012Validator
from registered import BUILT_IN

from rootfruit_checks.base.types import ROLES, RunInfo, Sample, Verdict
from rootfruit_checks.observations.frame import COLUMNS, PAIR_COLUMNS
from rootfruit_checks.results.json_result import SCHEMA

FORM = json.loads((resources.files("rootfruit_checks.results") / "result.schema.json").read_text("utf-8"))
CHECK = Draft202012Validator(FORM)


def wrong(value):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in CHECK.iter_errors(value)]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    done = gate(folder, *PAIR, "-p", "no:html", "--rootfruit-report=page.html")
    assert done.returncode == 1, done.stdout
    return folder


@pytest.fixture
def real(project):
    return json.loads((project / "result.json").read_text())


def test_it_is_a_schema_of_the_version_that_is_written():
    Draft202012Validator.check_schema(FORM)
    assert FORM["title"] == FORM["properties"]["schema"]["const"] == SCHEMA


def test_its_keys_are_those_of_the_code():
    assert set(FORM["$defs"]["check"]["properties"]) == set(Verdict.__dataclass_fields__)
    assert set(FORM["$defs"]["check"]["required"]) == set(Verdict.__dataclass_fields__)
    assert set(FORM["$defs"]["sample"]["properties"]) == set(Sample.__dataclass_fields__)
    assert set(FORM["properties"]["run"]["properties"]) == set(RunInfo.__dataclass_fields__)


def described(node, path=""):
    for name, held in node.get("properties", {}).items():
        yield f"{path}/{name}", held.get("description", "")
        yield from described(held, f"{path}/{name}")
    for part in (node.get("items"), node.get("additionalProperties"), *node.get("oneOf", [])):
        if isinstance(part, dict):
            yield from described(part, path)


def test_every_key_is_described():
    told = [one for root in (FORM, *FORM["$defs"].values()) for one in described(root)]
    assert len(told) > 80
    assert [path for path, words in told if not words and not path.startswith("/$defs")] == []


def test_a_real_result_validates_and_so_does_the_stores(real, project):
    assert wrong(real) == []
    assert {check["verdict"] for check in real["checks"]} >= {"pass", "fail", "inconclusive", "none"}
    assert wrong(json.loads((project / ".rootfruit" / "result.json").read_text())) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--model=explode", "--reference=plain", "-k", "preference and nonbinary"),
        ("--model=biased", "--rootfruit-absolute-only", "--rootfruit-benchmarks=misgendering"),
        ("--model=biased", "--reference=biased", "-k", "preference_amplification"),
        (*PAIR, "--rootfruit-benchmarks=winoqueer", "--rootfruit-shard=1/2"),
    ],
)
def test_so_do_results_of_runs_that_lack_something(tmp_path, options):
    gate(tmp_path, "--rootfruit-scale=smoke", "--rootfruit-json=result.json", "-p", "no:html", *options)
    assert wrong(json.loads((tmp_path / "result.json").read_text())) == []


def put(value, path, new):
    *parts, last = path
    for part in parts:
        value = value[part]
    if new is ...:
        del value[last]
    else:
        value[last] = new


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (["schema"], "rootfruit-result/2"),
        (["schema"], ...),
        (["run"], ...),
        (["released"], "yes"),
        (["checks", 0, "verdict"], "splendid"),
        (["checks", 0, "verdict"], "none"),
        (["checks", 0, "low"], ...),
        (["checks", 0, "low"], "0.1"),
        (["checks", 0, "id"], "preference"),
        (["checks", 0, "n"], -1),
        (["checks", 0, "clusters", "name"], 1.5),
        (["checks", 0, "surprise"], 1),
        (["checks", -1, "verdict"], "pass"),
        (["checks", 0, "samples", 0, "value"], ...),
        (["run", "tables", "winoqueer/policy", "sha256"], "abc"),
        (["run", "tables", "winoqueer"], {}),
        (["run", "policy", "weights"], 3),
        (["missing"], ["winoqueer/preference/nonbinary"]),
        (["complete"], False),
        (["combined"], ...),
        (["combined", "groups", 0, "agreement"], "perhaps"),
        (["intersections", "benchmarks", "disclosure", "rows"], ...),
        (["surprise"], 1),
        (["shard"], {"index": 1, "count": 2, "complete": True, "computed": 1, "found": 0}),
    ],
)
def test_a_wrong_one_does_not(real, path, new):
    changed = copy.deepcopy(real)
    put(changed, path, new)
    assert wrong(changed)


def test_details_are_open(real):
    real["checks"][0]["details"]["something"] = {"new": [1]}
    assert wrong(real) == []


def test_the_result_names_the_tables_that_it_was_decided_on(real, project):
    told = real["run"]["tables"]
    assert set(told) == {f"{name}/{role}" for name in BUILT_IN for role in ROLES}
    for key, table in told.items():
        file = project / ".rootfruit" / table["path"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == table["sha256"]
        frame = pd.read_parquet(file)
        assert len(frame) == table["rows"]
        assert tuple(frame.columns) == tuple(PAIR_COLUMNS if key.startswith("winoqueer/") else COLUMNS)
        assert set(frame["benchmark"]) == {key.split("/")[0]}
    # Where they lie is no part of it: another store, another process that computes.
    gate(project, *PAIR, "-p", "no:html", "--rootfruit-store=other", "--rootfruit-json=other.json", "-n", "2")
    assert json.loads((project / "other.json").read_text())["run"]["tables"] == told
