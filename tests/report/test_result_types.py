"""The reader refuses whatever the JSON Schema refuses, over changes of a real result; and some things more."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from hostile import PAIR, gate
from jsonschema import Draft202012Validator
from msgspec import convert
from planted import result as planted

from rootfruit_checks.base.schema_errors import mismatch
from rootfruit_checks.results.result import Result, to_json
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
        value["run"].setdefault("versions", {})
        assert json.loads(to_json(convert(value, Result))) == value
