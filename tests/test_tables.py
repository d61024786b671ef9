"""A finished table is found again by everything that decided it: weights, samples, sampling and instrument."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from rootfruit_checks.base.types import Sampling
from rootfruit_checks.catalog.measures import Origin
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.engines.stored_units import Silent
from rootfruit_checks.observations import fingerprints
from rootfruit_checks.observations.cached_tables import Tables
from rootfruit_checks.observations.fingerprints import (
    HERE,
    PRONOUN_JUDGE,
    REGARD,
    SOURCES,
    fingerprint,
    rules,
    source_hash,
)
from rootfruit_checks.store.store import Store

SAMPLING = Sampling(max_new_tokens=8)


def imported(path):
    """Modules of our package that a source file imports anywhere, as paths below the package."""
    found = set()
    for node in ast.walk(ast.parse((HERE / path).read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            below = name.removeprefix("rootfruit_checks.").replace(".", "/") + ".py"
            if name.startswith("rootfruit_checks.") and (HERE / below).is_file():
                found.add(below)
    return found


def closure(*roots):
    seen, todo = set(), list(roots)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += imported(path)
    return seen


def test_the_lists_hold_every_module_that_decides_a_label():
    # What reads, names and refuses a file, and what is said when something is wrong, decides no label.
    words = closure("base/errors.py", "base/digests.py", "engines/model_files.py")
    judge = closure("judges/pronouns/judge.py") - words
    assert set(PRONOUN_JUDGE) == judge
    assert set(REGARD) == closure("judges/regard/protocol.py") - words
    # observations.py brings the engines' Protocols, which decide nothing either.
    every = (
        closure("observations/from_answers.py", "observations/frame.py")
        - words
        - {"engines/base.py", "engines/work_units.py"}
    )
    assert every == {path for paths in SOURCES.values() for path in paths}


@pytest.mark.parametrize("judge", SOURCES)
def test_a_changed_source_is_another_instrument(tmp_path, judge):
    def copied(turn):
        for path in SOURCES[judge]:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(turn((HERE / path).read_bytes()))
        return source_hash(SOURCES[judge], tmp_path)

    assert copied(lambda content: content) == rules(judge)
    assert copied(lambda content: content.replace(b"\n", b"\r\n")) == rules(judge)
    for path in SOURCES[judge]:
        copied(lambda content: content)
        (tmp_path / path).write_bytes((HERE / path).read_bytes() + b"#")
        assert source_hash(SOURCES[judge], tmp_path) != rules(judge), path


def test_a_judge_or_a_registration_that_changes_is_another_instrument(monkeypatch):
    names = ("winoqueer", "disclosure", "misgendering")
    before = {name: fingerprint(name) for name in names}
    assert len(set(before.values())) == len(names)
    monkeypatch.setattr(fingerprints, "rules", lambda judge: "other" if judge == "pronoun" else rules(judge))
    assert [name for name in names if fingerprint(name) != before[name]] == ["misgendering"]
    monkeypatch.undo()
    held = BENCHMARKS["disclosure"]
    monkeypatch.setitem(BENCHMARKS, "disclosure", replace(held, origin=Origin(held.origin.module, lambda: "other")))
    assert [name for name in names if fingerprint(name) != before[name]] == ["disclosure"]


RUN = """
import json, sys
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.stored_units import Silent
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.store.store import Store
from rootfruit_checks.observations.cached_tables import Tables
from rootfruit_checks.base.types import Sampling

engine = ScriptedEngine("model", lambda *_: -1.0, lambda prompt, draw: " and that was that.")
with Store(sys.argv[1]) as store:
    tables = Tables(store, Sampling(), None, Silent())
    frame = tables.measure("policy", engine, "misgendering", load("misgendering", "starter", "smoke", 0))
labels = sorted(set(frame.loc[frame["quantity"] == "pronoun", "label"]))
print(json.dumps({"labels": labels, "computed": tables.computed, "reused": tables.reused}))
"""


def test_a_changed_judge_reads_no_label_that_an_older_one_wrote(tmp_path):
    package = tmp_path / "rootfruit_checks"
    shutil.copytree(HERE, package, ignore=shutil.ignore_patterns("__pycache__"))

    def run():
        command = [sys.executable, "-c", RUN, str(tmp_path / "store")]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
        return json.loads(done.stdout)

    first = run()
    assert first["labels"] == ["none"]
    assert first["computed"] > 0
    assert run() == {"labels": ["none"], "computed": 0, "reused": 0}, "a finished table is read as it is"
    judge = package / "judges" / "pronouns" / "judge.py"
    source = judge.read_text(encoding="utf-8")
    changed = source.replace('return "other" if pronouns else "none"', 'return "other"')
    assert changed != source
    judge.write_text(changed, encoding="utf-8")
    second = run()
    assert second["labels"] == ["other"], "an older judge's label was read from the store"
    assert second["computed"] == 0, "answers were computed again, which no judge decides"
    assert second["reused"] == first["computed"]


def table(tmp_path, *, engine="model", sampling=SAMPLING, regard=None, benchmark="disclosure", data=None):
    class Regard:
        name, accuracy = "double", "none"
        fingerprint = regard

    with Store(tmp_path) as store:
        tables = Tables(store, sampling, Regard() if regard else None, Silent())
        scripted = ScriptedEngine(engine, lambda *_: -1.0, lambda *_: "x")
        return tables.name(scripted, benchmark, data or load("disclosure", "starter", "smoke", 0))


def test_the_address_of_a_table_holds_what_decides_it_and_nothing_else(tmp_path):
    other = load("disclosure", "starter", "smoke", 1)
    base = table(tmp_path, regard="a")
    assert table(tmp_path, regard="a") == base
    assert table(tmp_path, regard="b") != base
    assert table(tmp_path, regard="a", engine="other") != base
    assert table(tmp_path, regard="a", sampling=Sampling(max_new_tokens=9)) != base
    assert table(tmp_path, regard="a", data=other) != base
    # Where data come from, or what is noted about them, changes no answer.
    kept = load("disclosure", "starter", "smoke", 0)
    renamed = DataSet("elsewhere", "", "", "0", ("noted",), kept.pairs, kept.prompts)
    assert table(tmp_path, regard="a", data=renamed) == base


def test_scores_of_pairs_depend_on_no_sampling(tmp_path):
    pairs = load("winoqueer", "starter", "smoke", 0)
    first = table(tmp_path, benchmark="winoqueer", data=pairs)
    assert table(tmp_path, benchmark="winoqueer", data=pairs, sampling=Sampling(seed=7), regard="b") == first


def test_a_table_from_the_store_equals_the_one_that_was_measured(tmp_path):
    data = load("winoqueer", "starter", "smoke", 0)
    engine = ScriptedEngine("m", lambda word, place, _: -0.1 * len(word) - 0.01 * place, lambda *_: "")
    frames = []
    for role in ("policy", "reference"):
        with Store(tmp_path) as store:
            tables = Tables(store, SAMPLING, None, Silent())
            frames.append(tables.measure(role, engine, "winoqueer", data))
    assert set(frames[1]["role"]) == {"reference"}
    pd.testing.assert_frame_equal(
        frames[0].drop(columns="role"), frames[1].drop(columns="role"), check_dtype=False, check_exact=True
    )
    assert tables.computed == tables.reused == 0


def test_a_run_that_only_reads_tells_what_ran_when_the_table_was_made(tmp_path):
    class Telling(ScriptedEngine):
        """Says how it scored once it has, as a model does that is loaded only when it must compute."""

        how = None

        @property
        def record(self):
            return {"engine": "scripted", **(self.how or {})}

        def plan_scores(self, texts, units):
            self.how = {"scoring": "word by word"}
            return super().plan_scores(texts, units)

    data = load("winoqueer", "starter", "smoke", 0)
    told = []
    for _ in range(2):
        engine = Telling("m", lambda *_: -1.0, lambda *_: "")
        with Store(tmp_path) as store:
            tables = Tables(store, SAMPLING, None, Silent())
            tables.measure("policy", engine, "winoqueer", data)
        told.append(tables.records)
    assert engine.how is None, "the second run computed, so that it shows nothing"
    assert told[0] == told[1]
    assert told[0]["policy"]["scoring"] == "word by word"
