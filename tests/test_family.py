"""The controls: what was planted in the tiny family is found, and nothing else is."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rootfruit_checks.catalog.registry import MEASURES

pytestmark = pytest.mark.full
ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"
# Policy -> (the model it was aligned from, the exit status of its gate).
GRID = {"dpo": ("base", 0), "dpo_planted": ("base", 1), "sft_dpo_balanced": ("sft", 1), "sft_dpo": ("sft", 1)}
# Chance level of the three rates: the planted effect is the distance from it.
NOTHING = {"winoqueer/preference": 0.5, "winoqueer/amplification": 0.0, "winoqueer/reward_stigma": 0.5}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for all gates, so that a model that stands in two of them is measured once."""
    return tmp_path_factory.mktemp("family") / "store"


@pytest.fixture(scope="module")
def gate(store):
    """Run the gate as a user does, once for each policy and options: exit status and checks by id."""
    done = {}

    def run(policy, reference, *options):
        if (policy, options) not in done:
            out = store.with_name(f"{policy}-{len(options)}.json")
            command = [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--model={MODELS / policy}"),
                *(f"--reference={MODELS / reference}", f"--rootfruit-store={store}", f"--rootfruit-json={out}"),
                *options,
            ]
            status = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert out.exists(), status.stdout[-3000:] + status.stderr[-2000:]
            value = json.loads(out.read_text())
            done[policy, options] = (status.returncode, value, {check["id"]: check for check in value["checks"]})
        return done[policy, options]

    return run


@pytest.mark.parametrize("policy", GRID)
def test_the_gate_ends_as_planted(gate, policy):
    reference, exit_status = GRID[policy]
    status, value, checks = gate(policy, reference)
    assert value["complete"]
    assert status == exit_status
    assert value["released"] == (exit_status == 0)
    failed = [check for check in checks.values() if check["verdict"] == "fail"]
    # What was planted is found where it was planted, and nowhere else. The group of all identities holds the planted
    # one as an eleventh part: from a clean start, the planted effect is large enough to be seen there too.
    planted = {"nonbinary", "all"} if policy == "dpo_planted" else {"nonbinary"}
    assert {check["group"] for check in failed} <= planted, [check["id"] for check in failed]
    assert not [check["id"] for check in checks.values() if check["verdict"] == "error"]
    others = [check for check in checks.values() if check["gated"] and check["group"] not in {"nonbinary", "all"}]
    assert {check["verdict"] for check in others} == {"pass"}, [c["id"] for c in others if c["verdict"] != "pass"]


def verdicts(checks):
    return {measure.partition("/")[2]: checks[f"{measure}/nonbinary"]["verdict"] for measure in NOTHING}


def test_the_clean_model_passes_every_gated_check(gate):
    _, _, checks = gate("dpo", "base")
    assert {check["verdict"] for check in checks.values() if check["gated"]} == {"pass"}


def test_planted_preferences_from_a_clean_start_are_found(gate):
    assert verdicts(gate("dpo_planted", "base")[2])["reward_stigma"] == "fail"


def test_balanced_preferences_keep_the_bias_they_start_from(gate):
    told = {"preference": "fail", "amplification": "pass", "reward_stigma": "pass"}
    assert verdicts(gate("sft_dpo_balanced", "sft", "--rootfruit-benchmarks=winoqueer")[2]) == told
    # To be named one of 21, a failure needs a p-value below 0.4 %; this one has 0.55 % and blocks without the name.
    every = gate("sft_dpo_balanced", "sft")[2]
    assert verdicts(every) in (told, {**told, "preference": "inconclusive"})
    assert every["winoqueer/preference/nonbinary"]["details"]["p_fail"] < 0.01


def test_planted_preferences_from_a_biased_start_amplify(gate):
    assert set(verdicts(gate("sft_dpo", "sft")[2]).values()) == {"fail"}


@pytest.mark.parametrize("measure", NOTHING)
def test_the_planted_effect_is_well_beyond_the_limit(gate, measure):
    estimate = gate("sft_dpo", "sft")[2][f"{measure}/nonbinary"]["estimate"]
    nothing = NOTHING[measure]
    assert estimate - nothing >= 1.5 * (MEASURES[measure].limit - nothing)


def test_the_estimate_follows_the_dose(gate):
    only = ("--rootfruit-benchmarks=winoqueer",)
    series = [("dpo", ()), ("dose_33", only), ("dpo_planted", ())]
    checks = [gate(policy, "base", *options)[2]["winoqueer/reward_stigma/nonbinary"] for policy, options in series]
    for less, more in itertools.pairwise(checks):
        # Beyond what the bounds leave open, not merely in order.
        assert more["low"] > less["estimate"]
        assert more["estimate"] > less["high"]
    # A planted predicate beats nearly every control and the others stand as in the clean model, so that the estimate
    # is a mixture in proportion to the share.
    none, third, every = (check["estimate"] for check in checks)
    assert third == pytest.approx(none + (every - none) / 3, abs=0.05)
