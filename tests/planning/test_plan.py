"""Plans: what is told before any model is loaded, the sample that a target chooses, and the probe."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import zlib
from dataclasses import replace
from itertools import count

import pytest
from results import whole_result, whole_row

import rootfruit_checks as rootfruit
from rootfruit_checks.app.cli import main
from rootfruit_checks.base.errors import ConfigError, DataError, RootfruitError
from rootfruit_checks.config.build import build
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data import load as loading
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.gating.checks import family
from rootfruit_checks.judges.audit import pronoun_bias
from rootfruit_checks.planning import command, cost, rendering, sizing, timing, variances
from rootfruit_checks.planning import plan as outlook
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.testing import Doubles

PEOPLE = Settings(benchmarks=("disclosure",), target_mde=0.045)


def told(settings: Settings) -> list[str]:
    lines: list[str] = []
    command.tell(settings, lines.append)
    return lines


def planned_from(components):
    return json.dumps(whole_result(whole_row("a/b/c", details={"components": components})))


def pytest_here(folder, *options):
    done = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", *options]
    return subprocess.run(done, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(scale="smoke"),
        Settings(absolute_only=True, scale="smoke"),
        Settings(decision="point", benchmarks=("misgendering",), correction="none"),
        Settings(decision="superior", benchmarks=("disclosure",), continuations=3),
        Settings(benchmarks=("winoqueer",), scale="smoke"),
    ],
)
def test_a_plan_fits_80_columns_and_has_a_line_for_every_gated_check(settings):
    lines = told(settings)
    assert max(map(len, lines)) <= 80
    measures, at = {}, ""
    for line in lines:
        if "  limit " in line:
            at = line.split()[0]
        elif at and line.startswith("  ") and len(line) > 60 and "x" in line.split()[2]:
            measures.setdefault(at, []).append(line.split()[0])
    wanted = [check.id for check in family(settings) if check.gated]
    assert [f"{measure}/{group}" for measure, groups in measures.items() for group in groups] == wanted


def test_what_can_be_planned_needs_no_model_tests_or_torch(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('HEAVY', sorted({'torch', 'transformers', 'vllm'} & set(sys.modules))))\n"
    )
    (tmp_path / "test_own.py").write_text("def test_never_run():\n    raise SystemExit('it ran')\n")
    done = pytest_here(tmp_path, "--rootfruit-plan", "--rootfruit-scale=smoke", "--rootfruit-plan-json=plan.json")
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    assert "it ran" not in done.stdout
    value = json.loads((tmp_path / "plan.json").read_text())
    assert value["schema"] == "rootfruit-plan/1"
    assert value["time"] is None
    assert len(value["checks"]) == 21
    assert not (tmp_path / ".rootfruit").exists()


def test_the_table_comes_before_a_model_that_is_not_there(tmp_path):
    done = pytest_here(
        tmp_path,
        "--rootfruit-plan",
        "--rootfruit-scale=smoke",
        "--rootfruit-benchmarks=misgendering",
        "--model=no/such/x",
    )
    assert done.returncode == 4
    assert "misgendering/avoidance" in done.stdout
    assert "--model no/such/x: no such directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--rootfruit-target-mde=0", "outside (0, 1)"),
        ("--rootfruit-target-mde=-0.1", "outside (0, 1)"),
        ("--rootfruit-target-mde=nan", "outside (0, 1)"),
        ("--rootfruit-limit=winoqueer/preference=1.5", "outside [0, 1)"),
        ("--rootfruit-plan-from=nothing.json", "no such file"),
        ("--rootfruit-names=41", "41 are wanted, and these data hold 40"),
        ("--rootfruit-data=nowhere", "no such directory"),
    ],
)
def test_wrong_options_end_with_4_and_one_line(tmp_path, option, told):
    done = pytest_here(tmp_path, "--rootfruit-plan", "--rootfruit-benchmarks=disclosure", option)
    assert done.returncode == 4
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_plans_with_the_projects_own_settings(tmp_path, monkeypatch, capfd):
    (tmp_path / "pyproject.toml").write_text('[tool.rootfruit]\nbenchmarks = ["misgendering"]\nscale = "smoke"\n')
    monkeypatch.chdir(tmp_path)
    assert main.main(["plan", "--json", "p.json", "--rootfruit-limit=misgendering/avoidance=0.2"]) == 0
    value = json.loads((tmp_path / "p.json").read_text())
    assert {check["id"].split("/")[0] for check in value["checks"]} == {"misgendering"}
    assert {check["limit"] for check in value["checks"] if "avoidance" in check["id"]} == {0.2}
    assert "misgendering/disparity" in capfd.readouterr().out
    assert main.main(["plan", "--rootfruit-target-mde=0"]) == 4
    with pytest.raises(SystemExit):
        main.main(["export", "a", "b", "--rootfruit-scale=ci"])


# -- what a plan tells ------------------------------------------------------------------------------------------------


def test_a_plan_counts_the_samples_and_clusters_that_the_run_draws():
    settings = Settings(benchmarks=("disclosure",), names=13)
    found = {one.check.id: one for one in outlook.make(settings).outlooks}
    people = found["disclosure/amplification/transgender"]
    assert people.clusters == {"name": 13, "form": 18}
    assert people.design.n == 13 * 18 * 3


def test_chances_and_edges_of_a_check_hang_together():
    for one in outlook.make(Settings(benchmarks=("misgendering",))).outlooks:
        passes, fails = one.passes_up_to, one.fails_from
        assert passes[1] < passes[0] < one.bar < fails[0] < fails[1]
        assert one.power.p_pass(passes[0], one.bar - one.shift, one.alpha) == pytest.approx(0.8, abs=0.005)
        assert one.power.p_fail(fails[1], one.bar + one.shift, one.level) == pytest.approx(0.95, abs=0.005)
        if one.no_change is not None:
            assert one.sees(one.detects[0] + 1e-6)
            assert not one.sees(one.detects[0] - 0.002)


def test_the_instruments_own_shift_is_taken_from_the_room_of_ceilings():
    settings = Settings(benchmarks=("disclosure", "misgendering"))
    found = {one.check.id: one for one in outlook.make(settings).outlooks}
    for name, one in found.items():
        assert (one.shift > 0.0) == name.split("/")[1].startswith("disparity")
    they = found["misgendering/disparity/they"]
    assert they.shift == pronoun_bias.shift_of(["they"]).used
    free = replace(they, shift=0.0)
    for with_it, without, sign in zip(they.passes_up_to + they.fails_from, free.passes_up_to + free.fails_from,
                                      (-1, -1, 1, 1), strict=True):  # fmt: skip
        assert with_it == pytest.approx(without + sign * they.shift, abs=0.004)
    # What another classifier's is nobody knows before it was asked.
    other = outlook.make(replace(settings, regard="hub:somebody/regard@0123"))
    assert {one.shift for one in other.outlooks if one.check.measure.id == "disclosure/disparity"} == {0.0}
    assert "shift of the regard classifier is not known" in " ".join(
        rendering.table(other, cost.of(settings, other.data), 2)
    )
    assert rendering.as_json(other, {}, None, 2)["checks"][0]["shift"] == 0.0


def test_an_instrument_that_is_unfit_can_decide_nothing():
    settings = Settings(benchmarks=("misgendering",), limit={"misgendering/disparity": 0.01})
    found = {one.check.id: one for one in outlook.make(settings).outlooks}
    they = found["misgendering/disparity/they"]
    assert they.passes_up_to == they.fails_from == (None, None)
    assert "can decide nothing, the instrument is unfit, its own shift is" in rendering.sentence(they)
    assert rendering.as_json(outlook.make(settings), {}, None, 2)["checks"][0]["refused"]


def test_a_regression_is_planned_as_the_amplification_is():
    settings = Settings(benchmarks=("misgendering", "disclosure"), baseline="earlier.parquet")
    found = {one.check.id: one for one in outlook.make(settings).outlooks}
    for name, one in found.items():
        if "regression" in name:
            other = found[name.replace("regression", "amplification")]
            assert (one.parts, one.bar, one.passes_up_to) == (other.parts, other.bar, other.passes_up_to)
    assert sum("regression" in name for name in found) == 5


def test_what_others_registered_is_planned_from_a_result(tmp_path):
    fields = {"source": "made up", "licence": "CC0-1.0", "groups": {"all": ["red"]}, "clusters": {"who": "name"}}
    metrics = {"preference": 0.75, "amplification": 0.05}

    def read(data, scale, seed):
        return [
            rootfruit.Pair(
                f"{who}-{number}", f"N{who} is red p{number}", f"N{who} is grey p{number}", "red", "grey",
                "stigma", "f", f"p{number}", f"N{who}",
            )
            for who in range(20) for number in range(10)
        ]  # fmt: skip

    with rootfruit.isolated():
        rootfruit.benchmark("mine", kind="pairs", metrics=metrics, **fields)(read)
        own = {"title": "x", "gate": "ceiling", "limit": 0.5, "clusters": ("predicate",), "version": "1"}
        rootfruit.metric("mine/own", **own)(lambda frame, group: frame)
        plan = outlook.make(Settings(benchmarks=("mine",)))
        lines = "\n".join(rendering.table(plan, cost.of(plan.settings, plan.data), 2))
        assert lines.count("cannot be planned") == 3
        parts = {"rows": 0.01, "columns": 0.0, "cells": 0.0, "within": 0.2, "activity": 0.4}
        row = whole_row("mine/amplification/all", n=200, details={"components": parts})
        path = tmp_path / "result.json"
        path.write_text(json.dumps(whole_result(row)))
        settings = Settings(benchmarks=("mine",), plan_from=str(path), baseline="earlier.parquet")
        found = {one.check.id: one for one in outlook.make(settings).outlooks}
    change = found["mine/amplification/all"]
    assert (change.clusters, change.design.n, change.refused) == ({"who": 20}, 200, "")
    assert change.passes_up_to == found["mine/regression/all"].passes_up_to != (None, None)
    assert found["mine/preference/all"].refused == "its variances need --rootfruit-plan-from"
    assert found["mine/own/all"].refused == "the variance of a custom metric is not known"


def test_sequential_looks_cost_power_which_the_plan_tells():
    settings = Settings(benchmarks=("misgendering",))
    plan, looks = outlook.make(settings), outlook.make(replace(settings, sequential=True))
    for one, other in zip(plan.outlooks, looks.outlooks, strict=True):
        assert other.passes_up_to[0] < one.passes_up_to[0]
        assert other.fails_from[0] > one.fails_from[0]
        if one.detects[0] is not None:
            # The sequence is 1.35 times as wide as a fixed bound at its end.
            assert 1.1 < other.detects[0] / one.detects[0] < 1.4
    assert "for the last sequential look" in " ".join(rendering.table(looks, cost.of(settings, looks.data), 2))


def test_what_it_would_take_is_what_it_takes():
    settings = Settings(benchmarks=("disclosure", "misgendering"), continuations=1)
    found = {one.check.id: one for one in outlook.make(settings).outlooks}
    people = found["disclosure/amplification/transgender"]
    names = people.rows_for(0.03)
    assert people.under(people.design.with_rows(names)).sees(0.03)
    assert not people.under(people.design.with_rows(names - max(2, names // 50))).sees(0.03)
    draws = found["misgendering/amplification/neo"].continuations_for(0.02)
    assert found["misgendering/amplification/neo"].under(continuations=draws).sees(0.02)
    assert "continuations a prompt" in rendering.sentence(found["misgendering/amplification/neo"])
    assert f"about {people.rows_for(0.02)} names (these data hold 40)" in rendering.sentence(people, None, 40)
    # More draws cannot help where the antecedents themselves scatter.
    assert "more templates and antecedents" in rendering.sentence(found["misgendering/avoidance/they"])


def test_too_few_templates_or_no_samples_are_said_and_never_planned_around():
    whole = loading.load("misgendering", "starter", "ci", 0)
    few = sorted({prompt.frame for prompt in whole.prompts})[:9]
    kept = tuple(p for p in whole.prompts if p.frame in few and p.identity != "they")
    settings = Settings(benchmarks=("misgendering",))
    data = {"misgendering": replace(whole, prompts=kept)}
    plan = outlook.Plan(settings, data, outlook.outlooks(settings, data))
    lines = "\n".join(rendering.table(plan, cost.of(settings, data), 2))
    assert "too few clusters: template has 9" in lines
    assert "there are no samples" in lines
    for one in plan.outlooks:
        assert one.blocked_unchanged is None
        assert one.detects == one.fails_from == one.passes_up_to == (None, None)
    value = rendering.as_json(plan, cost.of(settings, data), None, 2)
    assert all(check["refused"] for check in value["checks"])
    json.dumps(value, allow_nan=False)


def test_the_cost_is_counted_from_the_texts():
    settings = Settings(scale="smoke", continuations=3, max_new_tokens=10)
    data = {name: loading.load(name, "starter", "smoke", 0) for name in settings.benchmarks}
    found = cost.of(settings, data)
    assert found["winoqueer"].texts == 2 * len(data["winoqueer"].pairs)
    assert found["winoqueer"].answers == 0
    assert found["winoqueer"].shared < found["winoqueer"].scored
    assert found["disclosure"].answers == 3 * len(data["disclosure"].prompts)
    assert found["disclosure"].written == 10 * found["disclosure"].answers


# -- the sample that a target chooses ---------------------------------------------------------------------------------


def test_a_target_chooses_the_smallest_sample_that_shows_it():
    found = sizing.sized(PEOPLE)
    assert found == sizing.sized(PEOPLE) == sizing.sized(found)
    changes = [one for one in outlook.make(found).outlooks if one.no_change is not None]
    assert all(one.sees(0.045) for one in changes)
    fewer = replace(found, names=found.names - 1, target_mde=None)
    assert not all(one.sees(0.045) for one in outlook.make(fewer).outlooks if one.no_change is not None)
    assert found.explain()["names"] == str(found.names)
    assert found.explain()["target_mde"] == "0.045"


def test_a_smaller_target_takes_no_smaller_sample():
    sizes = []
    for effect in (0.08, 0.05, 0.03):
        found = sizing.sized(replace(PEOPLE, target_mde=effect))
        sizes.append(found.names * found.continuations)
    assert sizes == sorted(sizes)
    assert sizes[0] >= 10


def test_names_that_are_given_stay_and_continuations_make_up_for_them():
    found = sizing.sized(replace(PEOPLE, names=20, target_mde=0.04))
    assert found.names == 20
    assert found.continuations > 1


@pytest.mark.parametrize("benchmarks", [("winoqueer",), ("misgendering",), ("disclosure", "winoqueer")])
def test_a_target_out_of_reach_names_the_check_and_the_best_that_it_can(benchmarks):
    settings = Settings(benchmarks=benchmarks, target_mde=0.004)
    with pytest.raises(ConfigError, match=r"at best \w+/\w+/\w+ a rise of \d+\.\d points at 80 % power"):
        sizing.sized(settings)


def test_without_a_target_nothing_is_chosen_or_read():
    settings = Settings(data="/no/such/place")
    assert sizing.sized(settings) is settings


def test_the_run_measures_the_chosen_sample_and_its_result_plans_the_next(tmp_path):
    class Regard:
        name, fingerprint, accuracy = "double", "double", "none"

        def classify(self, texts, subjects):
            return ["negative" if text.endswith("!") else "neutral" for text in texts]

    def open_engine(name):
        def answer(prompt, draw):
            return " so" + "!" * (zlib.crc32(f"{prompt.text}{name}".encode()) % 3 == 0)

        return ScriptedEngine(name, lambda *_: -1.0, answer)

    settings = sizing.sized(
        replace(PEOPLE, model="one", reference="two", store=str(tmp_path / "store"), target_mde=0.06)
    )
    done = measure(settings, ["disclosure"], factory=Doubles(open_engine, Regard()))
    check = next(one for one in family(settings) if one.id == "disclosure/amplification/transgender")
    verdict = done.verdict(check)
    assert verdict.clusters == {"name": settings.names, "form": 18}
    assert done.info.settings["names"] == str(settings.names)
    from rootfruit_checks.results.json_result import as_json

    result = whole_result(as_json(verdict))
    (tmp_path / "result.json").write_text(json.dumps(result))
    again = replace(settings, plan=True, plan_from=str(tmp_path / "result.json"))
    planned = next(one for one in outlook.make(again).outlooks if one.check.id == check.id)
    assert planned.source == "the result result.json"
    assert planned.power.se == pytest.approx(verdict.details["se"], rel=0.15)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no json", "line 1: is not JSON"),
        ("[]", "is not a result"),
        (json.dumps(whole_result()), "holds no variances"),
        (planned_from(3), "a/b/c: details.components: .*: expected an object, got a whole number"),
        (planned_from({"rows": -1, "columns": 0, "cells": 0, "within": 0}), "at least 0"),
        (
            planned_from({"rows": 1, "columns": "0", "cells": 0, "within": 0}),
            r"\$.columns: expected a number, got text",
        ),
        (planned_from({"rows": 1, "columns": 0, "cells": 0}), "lacks the key 'within'"),
    ],
)
def test_an_earlier_result_that_is_none_is_refused(tmp_path, text, told):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ConfigError, match=told):
        variances.from_result(str(tmp_path / "r.json"))


def test_every_gated_check_has_measured_variances_with_their_source():
    known = variances.default()
    for check in (one for one in family(Settings()) if one.gated):
        assert check.id in known.parts
        assert known.sources[check.id]
    parts, source = known.of("winoqueer/preference/gay")
    assert parts.within > 0
    assert "none was measured for this group" in source


def test_more_names_than_there_are_is_an_error():
    with pytest.raises(DataError, match="41 are wanted, and these data hold 40"):
        loading.load("disclosure", "starter", "ci", 0, 41)


# -- the probe ---------------------------------------------------------------------------------------------------------


def test_the_probe_times_a_part_of_each_stage_and_stores_nothing(monkeypatch, tmp_path):
    closed = []

    class Engine(ScriptedEngine):
        def close(self):
            closed.append(1)

    engine = Engine("x", lambda *_: -1.0, lambda *_: " so")
    monkeypatch.chdir(tmp_path)
    settings = Settings(model="x", scale="smoke", benchmarks=("disclosure", "misgendering"))
    data = {name: loading.load(name, "starter", "smoke", 0) for name in settings.benchmarks}
    ticks = count()
    found = timing.probe(
        settings, data, seconds=9.0, clock=lambda: float(next(ticks)), factory=Doubles(lambda _: engine)
    )
    assert [stage.name for stage in found] == ["disclosure answers", "misgendering answers", "misgendering twin"]
    for stage in found:
        assert 0 < stage.timed <= stage.tokens
        assert 0 < stage.took <= 3.0
        assert stage.seconds == pytest.approx(stage.took * stage.tokens / stage.timed)
    assert closed == [1]
    assert list(tmp_path.iterdir()) == []
    assert max(map(len, rendering.timing(found, 2))) <= 80


def test_a_served_model_is_probed_only_where_that_is_asked_for():
    served = Settings(model="http://host/v1#m", reference="http://host/v1#r")
    assert not timing.wanted(served)
    assert timing.wanted(replace(served, plan_probe="always"))
    assert timing.wanted(Settings(model="m"))
    assert not timing.wanted(Settings(model="m", plan_probe="never"))
    assert not timing.wanted(Settings())


def test_a_plan_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    settings = build({"plan": True, "plan_json": str(tmp_path / "file" / "p.json"), "scale": "smoke"})
    with pytest.raises(RootfruitError, match="cannot be written"):
        told(settings)


def test_figures_are_finite_at_the_smallest_scale():
    for one in outlook.make(Settings(scale="smoke")).outlooks:
        for value in (*one.passes_up_to, *one.fails_from, one.power.se):
            assert value is None or math.isfinite(value)
