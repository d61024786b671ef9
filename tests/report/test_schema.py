"""The JSON Schema of the result: real results validate, wrong ones do not, and every key is described."""

from __future__ import annotations

import copy
import hashlib
import json

import pandas as pd
import pytest
from hostile import PAIR, gate
from jsonschema import Draft202012Validator
from registered import BUILT_IN

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.types import ROLES, RunInfo, Sample, Verdict
from rootfruit_checks.observations.frame import COLUMNS, PAIR_COLUMNS
from rootfruit_checks.results.json_result import SCHEMA
from rootfruit_checks.results.reading import read_result, typed_result
from rootfruit_checks.results.schema import result_schema

FORM = result_schema()
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


def part(name):
    return FORM["$defs"][name]


def test_it_is_a_schema_of_the_version_that_is_written():
    Draft202012Validator.check_schema(FORM)
    assert FORM["title"] == FORM["properties"]["schema"]["const"] == SCHEMA


def test_its_keys_are_those_of_the_code():
    assert list(part("Check")["properties"]) == list(Verdict.__dataclass_fields__)
    assert set(part("Check")["required"]) == set(Verdict.__dataclass_fields__)
    assert list(part("Sample")["properties"]) == list(Sample.__dataclass_fields__)
    assert list(part("Run")["properties"]) == list(RunInfo.__dataclass_fields__)


def described(name, node):
    for key, held in node.get("properties", {}).items():
        yield f"{name}.{key}", held.get("description", "")


def test_every_key_is_described():
    told = [one for name, node in {"": FORM, **FORM["$defs"]}.items() for one in described(name, node)]
    assert len(told) > 80
    assert [place for place, words in told if not words] == []
    assert [name for name, node in FORM["$defs"].items() if not node.get("description")] == []


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
        ("--model=explode", "--reference=plain", "--rootfruit-benchmarks=winoqueer", "--rootfruit-shard=1/2"),
    ],
)
def test_so_do_results_of_runs_that_lack_something(tmp_path, options):
    gate(tmp_path, "--rootfruit-scale=smoke", "--rootfruit-json=result.json", "-p", "no:html", *options)
    assert wrong(json.loads((tmp_path / "result.json").read_text())) == []
    assert read_result(tmp_path / "result.json", StoreError).schema == SCHEMA


def put(value, path, new):
    *parts, last = path
    for part in parts:
        value = value[part]
    if new is ...:
        del value[last]
    else:
        value[last] = new


WRONG = [
    (["schema"], "rootfruit-result/2"),
    (["schema"], ...),
    (["run"], ...),
    (["released"], "yes"),
    (["checks", 0, "verdict"], "splendid"),
    (["checks", 0, "low"], ...),
    (["checks", 0, "low"], "0.1"),
    (["checks", 0, "id"], "preference"),
    (["checks", 0, "n"], -1),
    (["checks", 0, "clusters", "name"], 1.5),
    (["checks", 0, "surprise"], 1),
    (["checks", 0, "samples", 0, "value"], ...),
    (["run", "tables", "winoqueer/policy", "sha256"], "abc"),
    (["run", "tables", "winoqueer"], {}),
    (["run", "policy", "weights"], 3),
    (["combined", "groups", 0, "agreement"], "perhaps"),
    (["surprise"], 1),
]
# What only the reader refuses: keys that contradict each other, or that must come together.
CONTRADICTIONS = [
    (["checks", 0, "verdict"], "none"),
    (["checks", -1, "verdict"], "pass"),
    (["missing"], ["winoqueer/preference/nonbinary"]),
    (["complete"], False),
    (["combined"], ...),
    (["intersections", "benchmarks", "disclosure", "rows"], ...),
    (["shard"], {"index": 1, "count": 2, "complete": True, "computed": 1, "found": 0}),
]


@pytest.mark.parametrize(("path", "new"), WRONG + CONTRADICTIONS)
def test_the_reader_refuses_a_wrong_one(real, path, new):
    changed = copy.deepcopy(real)
    put(changed, path, new)
    with pytest.raises(StoreError, match=r"^r\.json: "):
        typed_result(changed, "r.json", StoreError)


@pytest.mark.parametrize(("path", "new"), WRONG)
def test_and_so_does_the_schema(real, path, new):
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


def test_the_command_prints_the_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == FORM


def test_the_command_prints_it(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == FORM
