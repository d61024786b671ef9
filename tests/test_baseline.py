"""Baselines: what is saved is what is read, what differs is refused, and a planted change is found against it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from registered import REGRESSIONS
from results import typed, whole_result

from rootfruit_checks.base.errors import BaselineError, ConfigError
from rootfruit_checks.base.types import Measurement
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.config.build import build
from rootfruit_checks.gating.checks import Check, family
from rootfruit_checks.gating.decider import Decider
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.results.result import to_json
from rootfruit_checks.runs import baseline, merge, shard_manifest
from rootfruit_checks.runs.measure import compute_share, measure

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"
FACTS = {"winoqueer": {"data": "starter", "data's sha256": "a" * 64}}
RESULT = whole_result()
RESULT["run"]["policy"] = {"path": "m", "fingerprint": "f" * 64}


def options(store, model, **more):
    return build(
        {
            "model": str(MODELS / model),
            "absolute_only": True,
            "benchmarks": "winoqueer",
            "store": str(store),
            "scale": "smoke",
            "decision": "point",  # so few clusters decide nothing otherwise
            **more,
        }
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def saved(store):
    """The baseline of the clean model, as a session saves it."""
    from rootfruit_checks.runs.baseline_file import keep

    path = store / "dpo.parquet"
    run = measure(options(store, "dpo", save_baseline=str(path)))
    result = typed({**RESULT, "run": {**RESULT["run"], "policy": dict(run.info.policy)}})
    kept = keep(run.settings, run.to_keep, result)
    assert not kept.lost, kept.line
    return path


@pytest.fixture(scope="module")
def planted(store, saved):
    return measure(options(store, "dpo_planted", baseline=str(saved)))


def check_of(group, benchmark="winoqueer"):
    return Check(MEASURES[f"{benchmark}/regression"], group, gated=True)


# -- what is measured --------------------------------------------------------------------------------------------------


def test_a_paired_regression_is_the_amplification_over_that_model(saved, planted, store):
    """The twin: the same two models as policy and reference, by the code that has no idea of baselines."""
    both = measure(options(store, "dpo_planted", absolute_only=None, reference=str(MODELS / "dpo")))
    for group in ("all", "nonbinary"):
        mine = planted.decider.evidence(check_of(group))
        other = both.decider.evidence(Check(MEASURES["winoqueer/amplification"], group, gated=True))
        assert mine.interval == other.interval
        assert (mine.policy, mine.reference, mine.n) == (other.policy, other.reference, other.n)
        assert mine.details["comparison"].startswith("paired")
    verdict = planted.verdict(check_of("nonbinary"))
    assert verdict.verdict == "fail"
    assert ", baseline " in verdict.explain
    assert ", reference " not in verdict.explain
    assert verdict.samples[0].reference, "a sample without the baseline's answer cannot be traced"


def test_a_model_against_its_own_baseline_changed_nothing(saved, store):
    run = measure(options(store, "dpo", baseline=str(saved)))
    assert run.computed == 0
    for check in family(run.settings):
        if check.measure.needs_baseline:
            verdict = run.verdict(check)
            assert (verdict.estimate, verdict.verdict) == (0.0, "pass")


def test_another_sample_is_compared_unpaired_with_variances_added(saved, store):
    run = measure(options(store, "dpo_planted", baseline=str(saved), seed=3))
    earlier = baseline.read(saved)
    level = MEASURES["winoqueer/preference"]
    found = run.decider.evidence(check_of("transgender"))
    now = run.decider.evidence(Check(level, "transgender", gated=True)).interval
    then = Decider(run.settings, run.data, {"winoqueer": earlier.of("winoqueer")}, earlier.noise)
    before = then.evidence(Check(level, "transgender", gated=True)).interval
    assert found.details["comparison"].startswith("unpaired")
    assert found.interval.estimate == pytest.approx(now.estimate - before.estimate)
    assert found.interval.se == pytest.approx(np.hypot(now.se, before.se))
    assert found.interval.low < found.interval.estimate < found.interval.high
    assert "variances added" in found.interval.note


@pytest.mark.parametrize("lost", ["group", "benchmark"])
def test_what_the_baseline_lacks_is_an_error_by_name(saved, planted, lost):
    held = baseline.read(saved)
    people = set(groups().members("winoqueer", "nonbinary"))
    gone = held.rows["identity"].isin(people) if lost == "group" else held.rows["benchmark"] == "winoqueer"
    assert gone.any()
    thin = replace(held, rows=held.rows[~gone])
    decisions = Decider(planted.settings, planted.data, {"winoqueer": planted.frame("winoqueer")}, 2e-4, thin)
    verdict = decisions.verdict(check_of("nonbinary"))
    assert (verdict.id, verdict.verdict) == ("winoqueer/regression/nonbinary", "error")
    assert f"the baseline holds no samples of the {lost}" in verdict.explain


def test_they_are_declared_only_where_a_baseline_is_given(saved, store):
    plain, gated = (family(options(store, "dpo", **more)) for more in ({}, {"baseline": str(saved)}))
    extra = {check.id for check in gated} - {check.id for check in plain}
    assert extra == {f"winoqueer/regression/{group}" for group in ("all", "transgender", "nonbinary")}
    assert not any(check.measure.needs_baseline for check in plain)
    for row in REGRESSIONS:
        twin = MEASURES[f"{row.benchmark}/amplification"]
        assert (row.limit, row.groups, row.gate) == (twin.limit, twin.groups, "difference")
    with pytest.raises(ConfigError, match="needs --rootfruit-baseline=FILE"):
        options(store, "dpo", gate="winoqueer/regression/lesbian")


def test_shares_are_gated_against_it_when_they_are_joined(saved, tmp_path):
    """A share labels nothing and opens no classifier: that must not look like another classifier."""
    more = {"baseline": str(saved), "benchmarks": "winoqueer,disclosure"}
    compute_share(options(tmp_path / "s", "dpo", **more, shard="1/2", max_new_tokens="2"))
    compute_share(options(tmp_path / "s", "dpo", **more, shard="2/2", max_new_tokens="2"))
    joined = merge.join([tmp_path / "s"], tmp_path / "joined")
    assert f"--rootfruit-baseline={saved}" in shard_manifest.arguments(joined.manifest.options)
    run = measure(options(tmp_path / "joined", "dpo", **more, stored_only=True, max_new_tokens="2"))
    assert run.verdict(check_of("nonbinary")).estimate == 0.0
    lacking = run.verdict(check_of("tgnb", "disclosure"))
    assert lacking.verdict == "error"
    assert "the baseline holds no samples of the benchmark" in lacking.explain


# -- the file ----------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_read(saved, store):
    held = baseline.read(saved)
    frame = measure(options(store, "dpo")).frame("winoqueer")
    pd.testing.assert_frame_equal(held.of("winoqueer"), frame.reset_index(drop=True), check_dtype=False)
    assert held.result.run.policy["path"] == str(MODELS / "dpo")
    assert "dpo.parquet" in held.told
    assert not list(saved.parent.glob(".*part"))


def test_pairs_and_prompts_share_one_file(saved, tmp_path):
    held = baseline.read(saved)
    pairs = held.of("winoqueer").head(5)
    prompts = to_frame(
        Measurement("misgendering", f"m{at}", "policy", "pronoun", at / 3, "none", at, "xe", "t", "s", "distal", "text")
        for at in range(4)
    )
    baseline.save(tmp_path / "both", [prompts, pairs], held.facts, held.noise, held.result)
    again = baseline.read(tmp_path / "both")
    pd.testing.assert_frame_equal(again.of("winoqueer").reset_index(drop=True), pairs.reset_index(drop=True))
    pd.testing.assert_frame_equal(again.of("misgendering").reset_index(drop=True), prompts)
    assert again.of("disclosure") is None


@pytest.mark.parametrize("key", ["data's sha256", "instrument's rules", "--rootfruit-dtype", "engine", "way of asking"])
def test_what_was_measured_otherwise_is_refused_in_one_line(saved, planted, key):
    held = baseline.read(saved)
    facts = planted.to_keep.facts
    baseline.agree(held, facts)
    changed = {"winoqueer": {**facts["winoqueer"], key: "another"}}
    with pytest.raises(BaselineError, match=rf"its {key} of winoqueer is .*, but here it is another") as told:
        baseline.agree(held, changed)
    assert "\n" not in str(told.value)


def test_generation_settings_and_the_classifier_are_among_the_facts():
    from rootfruit_checks.data.load import load

    data = {"disclosure": load("disclosure", "starter", "smoke", 0)}
    base = baseline.facts(build({}), data, "r1", "transformers 5", {})
    for more in ({"max_new_tokens": "8"}, {"temperature": "0.5"}, {"top_p": "0.5"}, {"dtype": "bfloat16"}):
        assert baseline.facts(build(more), data, "r1", "transformers 5", {}) != base
    assert baseline.facts(build({}), data, "r2", "transformers 5", {}) != base
    assert baseline.facts(build({}), data, "r1", "vllm 1", {}) != base
    assert baseline.facts(build({}), data, "r1", "transformers 5", {"prompts": "a user's turn"}) != base
    for alike in ({"seed": "7"}, {"scale": "full"}, {"alpha": "0.1"}, {"continuations": "3"}):
        assert baseline.facts(build(alike), data, "r1", "transformers 6", {}) == base


def test_a_damaged_file_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    table = pq.read_table(saved)
    head = json.loads(table.schema.metadata[b"rootfruit"])
    bad = {}

    def kept(name, rows, head):
        bad[name] = tmp_path / f"{name}.parquet"
        meta = {**table.schema.metadata, b"rootfruit": json.dumps(head).encode()} if head else None
        pq.write_table(rows.replace_schema_metadata(meta), bad[name])

    kept("fewer", table.slice(0, 100), head)
    kept("result", table, {**head, "result": {**head["result"], "released": False}})
    kept("foreign", table, None)
    kept("version", table, {**head, "schema": "rootfruit-baseline/0"})
    kept("lacks", table, {key: value for key, value in head.items() if key != "digest"})
    for name, content in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("text", b"hello")):
        bad[name] = tmp_path / name
        bad[name].write_bytes(content)
    bad["none"] = tmp_path / "none"
    for name, path in bad.items():
        with pytest.raises(BaselineError, match=str(path)) as told:
            baseline.read(path)
        assert "\n" not in str(told.value), name


def test_an_incomplete_run_is_not_saved_and_spoils_nothing(tmp_path):
    path = tmp_path / "b.parquet"
    path.write_text("the old one")
    rows = pd.DataFrame()
    with pytest.raises(BaselineError, match=r"not complete: 2 declared .*winoqueer/x"):
        baseline.save(
            path,
            rows,
            FACTS,
            0.0,
            typed({**RESULT, "complete": False, "released": False, "missing": ["winoqueer/x", "y"]}),
        )
    assert path.read_text() == "the old one"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"baseline": "a", "save_baseline": "./a"}, "name another file"),
        ({"shard": "1/2", "save_baseline": "a"}, "a share has no result"),
    ],
)
def test_options_that_contradict_each_other(given, words):
    with pytest.raises(ConfigError, match=words):
        build(given)


# -- through pytest ----------------------------------------------------------------------------------------------------


def gate(*arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootfruit-absolute-only", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_session_saves_gates_and_refuses(store, tmp_path):
    told = [
        f"--rootfruit-store={store}",
        "--rootfruit-scale=smoke",
        "--rootfruit-decision=point",
        "--rootfruit-benchmarks=winoqueer",
    ]
    first, second, out = tmp_path / "a.parquet", tmp_path / "b.parquet", tmp_path / "r.json"
    done = gate(f"--model={MODELS / 'dpo'}", f"--rootfruit-save-baseline={first}", *told)
    assert f"baseline: {first}" in done.stdout
    # Two workers: the controller, which has measured nothing, saves.
    planted = [f"--model={MODELS / 'dpo_planted'}", f"--rootfruit-baseline={first}", *told]
    done = gate(*planted, "-n", "2", f"--rootfruit-save-baseline={second}", f"--rootfruit-json={out}")
    assert done.returncode == 1, done.stdout
    value = json.loads(out.read_text())
    verdicts = {row["id"]: row["verdict"] for row in value["checks"] if row["gated"]}
    assert verdicts["winoqueer/regression/nonbinary"] == "fail"
    assert value["complete"]
    assert str(first) in value["run"]["data"]["baseline"]
    assert json.loads(to_json(baseline.read(second).result))["checks"] == value["checks"]
    third = tmp_path / "c.parquet"
    done = gate(*planted, "-k", "nonbinary", f"--rootfruit-save-baseline={third}")
    assert done.returncode == 1
    assert "is not written because the run is not complete" in done.stdout
    assert not third.exists()
    done = gate(f"--model={MODELS / 'dpo'}", "--rootfruit-baseline=/no/such", *told)
    assert done.returncode == 4
    assert "no such file" in done.stderr
