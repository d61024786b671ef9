"""Types and JSON Schema of the result say the same: over changes of a real result, one refuses what the other does."""

from __future__ import annotations

import json
import random
import sys
from importlib import resources
from pathlib import Path

import pytest
from hostile import PAIR, gate
from jsonschema import Draft202012Validator
from msgspec import structs
from planted import result as planted

from rootfruit_checks.base.schema_errors import mismatch
from rootfruit_checks.results import types

sys.path.append(str(Path(__file__).parents[1] / "hostile"))
import damage

FORM = json.loads((resources.files("rootfruit_checks.results") / "result.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(FORM)
# Rules that a JSON Schema cannot say, by what their message tells.
BEYOND = (
    "has the check", "is released, and", "holds the unknown key", "lacks one of its two questions", "cells for",
    "is no text", "is text", "is not in its codebook", "the lower bound",
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
        assert mismatch(value, types.Result) == ""
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
        ours = mismatch(changed, types.Result)
        theirs = [error.message for error in VALIDATOR.iter_errors(changed)]
        if any(rule in ours for rule in BEYOND):
            continue
        if "nan" in how.casefold() or "1000000" in how:  # no JSON, and refused before
            continue
        assert bool(ours) == bool(theirs), (how, ours, theirs[:2])
        refused += bool(ours)
    assert refused > 20


def keys(struct):
    return {field.encode_name: field.required for field in structs.fields(struct)}


@pytest.mark.parametrize(
    ("struct", "path"),
    [
        (types.Result, ()),
        (types.Run, ("properties", "run")),
        (types.Check, ("$defs", "check")),
        (types.Side, ("$defs", "side")),
        (types.Sample, ("$defs", "sample")),
        (types.Shard, ("properties", "shard")),
        (types.Combined, ("properties", "combined")),
        (types.Together, ("properties", "combined", "properties", "groups", "items")),
    ],
)
def test_both_name_the_same_keys(struct, path):
    node = FORM
    for part in path:
        node = node[part]
    found = keys(struct)
    assert set(found) == set(node["properties"])
    assert {name for name, required in found.items() if required} == set(node["required"])
