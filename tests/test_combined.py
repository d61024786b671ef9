"""Verdicts side by side: what agrees, what does not, what was not run; in JSON, terminal and page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import convert, structs
from results import check, whole_row

from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.gating.checks import parse
from rootfruit_checks.report.side_by_side import block, table
from rootfruit_checks.results.views import AllInstances
from rootfruit_checks.runs.side_by_side import QUESTIONS, TWINS, combine, compared

# The groups that our pairs and prompts share, and the pronoun groups.
PAIRED = ("transgender", "nonbinary")
PEOPLE = ("they", "neo")

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = "<b>\x1b[31m</b>"


def row(name, verdict, estimate=0.2, limit=0.15):
    return check(
        whole_row(
            name, verdict=verdict, gated=verdict != "none", policy=0.3, reference=0.1, estimate=estimate,
            low=estimate - 0.1, high=estimate + 0.1, limit=limit,
        )
    )  # fmt: skip


def every(verdicts):
    """Rows of all checks that are compared, by verdict of likelihood and of generation."""
    likelihood, generation = verdicts
    found = []
    for group in PAIRED:
        for metrics, other in QUESTIONS.values():
            found += [row(f"winoqueer/{metric}/{group}", likelihood) for metric in metrics]
            found.append(row(f"disclosure/{other}/{group}", generation))
    twins = [f"misgendering/{metric}/{group}" for group in PEOPLE for metric, _ in TWINS.values()]
    return [*found, *(row(name, generation) for name in twins)]


def figures(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high, "n": 50, "clusters": [12, 12], "note": ""}


def told(low=-0.05, high=0.05):
    arm = {"twin_disparity": figures((low + high) / 2, low, high), "disagreement": figures(0.2, 0.1, 0.3)}
    return instances({"group": group, "policy": arm, "reference": arm, "change": arm} for group in PEOPLE)


def instances(groups):
    return convert({"groups": list(groups)}, AllInstances)


def entries(value):
    return {(entry.group, entry.question): entry for entry in value.groups}


def test_every_group_and_check_that_is_compared_exists():
    for asked in every(("pass", "pass")):
        assert parse(asked.id, gated=True, where="here").measure.gated
    for group in PAIRED:
        assert groups().members("winoqueer", group)
        assert len(groups().members("disclosure", group)) > 1, group
    shown = {side.id for entry in combine([]).groups for side in entry.likelihood + entry.generation}
    assert shown == {one.id for one in every(("pass", "pass"))} | {"log-prob twin"}


@pytest.mark.parametrize(
    "likelihood, generation, result",
    [
        ("pass", "pass", "agree"),
        ("fail", "fail", "agree"),
        ("pass", "fail", "disagree"),
        ("fail", "pass", "disagree"),
        ("pass", "inconclusive", "open"),
        ("inconclusive", "fail", "open"),
        ("inconclusive", "inconclusive", "open"),
        ("error", "pass", "not compared"),
        ("pass", "error", "not compared"),
        ("pass", "none", "not compared"),
    ],
)
def test_what_agrees_and_what_does_not(likelihood, generation, result):
    found, says = compared([row("winoqueer/a/g", likelihood)], [row("disclosure/b/g", generation)])
    assert found == result
    if result == "disagree":
        words = {"pass": "pass", "fail": "FAIL"}
        assert f"likelihood says {words[likelihood]} (winoqueer/a/g 0.200" in says
        assert f"generation says {words[generation]} (disclosure/b/g 0.200" in says
    if result == "not compared":
        assert ("winoqueer/a/g" if likelihood == "error" else "disclosure/b/g") in says


def test_one_of_two_likelihood_checks_that_disagrees_is_named():
    sides = [row("winoqueer/amplification/nonbinary", "pass"), row("winoqueer/reward_stigma/nonbinary", "fail")]
    found, says = compared(sides, [row("disclosure/amplification/nonbinary", "pass")])
    assert found == "disagree"
    assert "FAIL (winoqueer/reward_stigma/nonbinary" in says
    assert compared([sides[0], row("winoqueer/x/g", "error")], [row("disclosure/y/g", "pass")])[0] == "agree"
    assert (
        "no verdict in this run: winoqueer/x/g"
        in compared([sides[0], row("winoqueer/x/g", "error")], [row("disclosure/y/g", "pass")])[1]
    )


def test_what_was_not_run_is_said_for_every_group():
    value = combine([])
    assert {entry.agreement for entry in value.groups} == {"not compared"}
    assert {entry.group for entry in value.groups} == {*PAIRED, *PEOPLE}
    assert value.instances == AllInstances(not_measured="nothing was measured in this run")
    lines = block(value)
    assert "no group was compared (nothing was measured in this run)" in " ".join(lines)
    scored = [one for one in every(("pass", "pass")) if one.id.startswith("winoqueer")]
    for entry in combine(scored, AllInstances(not_measured="misgendering was not measured")).groups:
        assert entry.agreement == "not compared"
        assert entry.generation[0].verdict == "not run"
        assert entry.generation[0].id in entry.says


@pytest.mark.parametrize(
    "low, high, verdict",
    [(-0.1, 0.1, "pass"), (0.2, 0.4, "fail"), (0.1, 0.3, "inconclusive"), (None, None, "inconclusive")],
)
def test_the_twin_is_held_against_the_limit_of_what_is_generated(low, high, verdict):
    arm = {"twin_disparity": figures(0.1, low, high), "disagreement": figures(0.31, 0.2, 0.4)}
    views = instances([{"group": "they", "policy": arm, "reference": None, "change": None}])
    found = entries(combine(every(("pass", "fail")), views))
    entry = found["they", "level"]
    assert entry.likelihood[0].verdict == verdict
    assert entry.likelihood[0].limit == 0.15
    assert entry.instances_that_differ == 0.31
    assert entry.says.endswith("they differ on 31.0 % of prompts (n = 50)")
    assert found["they", "change"].agreement == "not compared"


def test_the_block_is_a_line_a_group_and_only_disagreement_in_detail():
    agree = block(combine(every(("pass", "pass")), told()))
    assert len(agree) == 2 + len(PAIRED) + len(PEOPLE)
    apart = block(combine(every(("pass", "fail")), told()))
    assert len(apart) > len(agree)
    assert sum("likelihood says pass" in line for line in apart) == 2 * (len(PAIRED) + len(PEOPLE))
    worst = [*every(("inconclusive", "error")), row("winoqueer/preference/nonbinary", "inconclusive")]
    for lines in (agree, apart, block(combine(worst, told()))):
        assert max(map(len, lines)) <= 80


def test_the_rate_of_prompts_that_differ_is_shown_with_its_bounds():
    value = combine(every(("pass", "pass")), told())
    assert any("20.0 % of 50 [10.0, 30.0]" in line for line in block(value))
    assert "+20.0 points of 50 [10.0, 30.0]" in table(value)


def test_nothing_of_the_outside_reaches_terminal_or_page_as_it_is():
    value = combine(every(("pass", "fail")), told())
    says = [structs.replace(entry, says=HOSTILE) for entry in value.groups]
    value = structs.replace(value, groups=says, instances=structs.replace(value.instances, not_measured=HOSTILE))
    assert "\x1b" not in "".join(block(value))
    assert "<b>" not in table(value)
    assert "\x1b" not in table(value)


MODELS = ROOT / "fixtures" / "models"


def gate(folder, *options):
    command = [
        sys.executable, "-m", "pytest", str(ROOT / "bias_tests"), f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-q",
        f"--model={MODELS / 'sft_dpo'}", f"--reference={MODELS / 'sft'}", "--rootfruit-scale=smoke",
        f"--rootfruit-store={folder / 'store'}", f"--rootfruit-json={folder / 'result.json'}", *options,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return done, json.loads((folder / "result.json").read_text())


def told_entries(value):
    """Those of a JSON result."""
    return {(entry["group"], entry["question"]): entry for entry in value["combined"]["groups"]}


def test_a_real_run_alone_and_with_workers(tmp_path):
    page = tmp_path / "report.html"
    done, alone = gate(tmp_path, f"--html={page}", "--self-contained-html")
    found = told_entries(alone)
    # The planted bias: the scores of the tiny model show it, and its texts are not about it.
    assert found["nonbinary", "level"]["likelihood"][0]["verdict"] == "fail"
    assert "Scores and texts" in done.stdout
    assert "likelihood and generation" in page.read_text()
    assert "misgendering: 24 cells of identity and antecedent type, 0 of them empty" in page.read_text()
    instances = {entry["group"]: entry for entry in alone["combined"]["instances"]["groups"]}
    twins = {
        row["id"]: row["details"].get("twin_disagreement") for row in alone["checks"] if row["metric"] == "disparity"
    }
    for group in PEOPLE:  # the check's own description counts the same, here with one draw a prompt
        told = twins[f"misgendering/disparity/{group}"]["policy"]
        assert instances[group]["policy"]["disagreement"]["estimate"] == pytest.approx(told["rate"])
        assert instances[group]["policy"]["disagreement"]["n"] == told["answers"]
        row = next(row for row in alone["checks"] if row["id"] == f"misgendering/amplification/{group}")
        assert instances[group]["change"]["generated_disparity"]["estimate"] == pytest.approx(row["estimate"])
        assert instances[group]["policy"]["generated_disparity"]["estimate"] == pytest.approx(row["policy"])
    crossed = alone["intersections"]
    assert crossed["gated"] is False
    assert len(crossed["benchmarks"]["misgendering"]["rows"]) == 6 * 4
    _, workers = gate(tmp_path, "-n", "2")
    assert workers == alone
    _, part = gate(tmp_path, "--rootfruit-benchmarks=misgendering")
    crossed = part["intersections"]["benchmarks"]
    assert crossed["disclosure"] == {"not_measured": "disclosure was not measured in this run"}
    assert told_entries(part)["nonbinary", "level"]["agreement"] == "not compared"
    assert told_entries(part)["they", "level"]["agreement"] == found["they", "level"]["agreement"]
