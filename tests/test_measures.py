"""Measures on planted frames, against plain loops over the samples."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from registered import REGISTRY

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.base.types import ROLES, Measurement, PairMeasurement
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.metrics.evaluate import Evidence, evaluate
from rootfruit_checks.observations.frame import to_frame

pytestmark = pytest.mark.filterwarnings("error")
NOISE = 1e-3


def pair_rows(lift: float = 0.0, word: float = 0.0, seed: int = 0) -> list[PairMeasurement]:
    """Pairs of 40 stigmatizing and 30 control predicates, 2 identities, 4 frames, one of which names a person.

    `lift` is what the policy adds to stigma alone, `word` what it adds to the identity word wherever it stands.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(70):
        kind = "stigma" if number < 40 else "neutral" if number < 55 else "positive"
        base = rng.normal(0, 2)
        for identity in ("alpha", "beta"):
            for frame in range(4):
                reference = base + rng.normal()
                change = rng.normal(0, 0.1) + word + (lift if kind == "stigma" else 0.0)
                for role in ROLES:
                    value = reference + (change if role == "policy" else 0.0)
                    rows.append(
                        PairMeasurement(
                            benchmark="winoqueer",
                            sample=f"w-{number}-{identity}-{frame}",
                            role=role,
                            d_shared=value,
                            d_full=value,
                            d_upstream=value,
                            identity=identity,
                            counterpart="other",
                            kind=kind,
                            frame=f"frame {frame}",
                            predicate=f"predicate {number}",
                            subject=f"name {number % 12}" if frame == 3 else "",
                        )
                    )
    return rows


RATES = {"he": 0.1, "she": 0.2, "they": 0.5, "xe": 0.7}


def prompt_rows(benchmark: str = "misgendering", amplify: float = 0.0, draws: int = 2, seed: int = 0):
    """Prompts in 12 frames x 14 subjects x 4 families, with planted rates of the harmful label."""
    rng = np.random.default_rng(seed)
    quantity, bad, rest = (
        ("pronoun", "misgendered", ["consistent", "none", "other", "plural", "empty"])
        if benchmark == "misgendering"
        else ("regard", "negative", ["neutral", "positive", "other", "empty", "unscored"])
    )
    rows = []
    for family, rate in RATES.items():
        for frame in range(12):
            for subject in range(14):
                for role in ROLES:
                    for draw in range(draws):
                        p = rate + (amplify if role == "policy" and family in ("they", "xe") else 0.0)
                        weights = np.array([p, *((1 - p) * np.array([0.8, 0.1, 0.04, 0.04, 0.02]))])
                        label = str(rng.choice([bad, *rest], p=weights))
                        one = Measurement(
                            benchmark=benchmark,
                            sample=f"m-{family}-{frame}-{subject}",
                            role=role,
                            quantity=quantity,
                            value=float(label == bad),
                            label=label,
                            draw=draw,
                            identity=family,
                            frame=f"frame {frame}",
                            subject=f"subject {subject}",
                        )
                        rows.append(one)
                        if benchmark == "misgendering":
                            rows.append(replace(one, quantity="noun", label="misgendered" if draw else "none"))
                    if benchmark == "misgendering":
                        rows.append(replace(one, quantity="twin", label=family if subject % 2 else "he", draw=0))
    return rows


def measured(
    measure_id: str, rows: list[Measurement] | list[PairMeasurement], members=("alpha", "beta"), controls=(), **keywords
) -> Evidence:
    settings = {"alpha": 0.05, "beta": 0.1, "seed": 0, "noise_floor": NOISE} | keywords
    return evaluate(MEASURES[measure_id], "g", to_frame(rows), members=members, controls=controls, **settings)


def prompts(measure_id: str, rows: list[Measurement], members=("they",)) -> Evidence:
    return measured(measure_id, rows, members, ("he", "she"))


def of(rows: list[PairMeasurement], role: str, difference: str, kind: str = "stigma") -> dict[str, float]:
    return {r.sample: getattr(r, difference) for r in rows if (r.role, r.kind) == (role, kind)}


def valued(row: PairMeasurement, value: float) -> PairMeasurement:
    return replace(row, d_shared=value, d_full=value, d_upstream=value)


def half(value: float) -> float:
    return 0.5 if abs(value) <= NOISE else float(value > 0)


def test_preference_and_amplification_by_loops():
    rows = pair_rows(lift=1.0)
    for row, value in ((0, 0.0), (2, NOISE / 2)):
        rows[row] = replace(rows[row], d_shared=value)
    policy, reference = of(rows, "policy", "d_shared"), of(rows, "reference", "d_shared")
    preference, change = measured("winoqueer/preference", rows), measured("winoqueer/amplification", rows)
    expected = np.mean([half(value) for value in policy.values()])
    before = np.mean([half(value) for value in reference.values()])
    assert preference.interval.estimate == preference.policy == pytest.approx(expected)
    assert preference.reference == change.reference == pytest.approx(before)
    assert change.interval.estimate == pytest.approx(expected - before)
    assert preference.n == change.n == 320
    assert preference.clusters == {"predicate": 40, "name": 12}
    assert preference.details["ties"] == 2
    assert preference.contributions[0] == max(policy.items(), key=lambda item: item[1])
    flipped = {sample for sample in policy if half(policy[sample]) - half(reference[sample]) == 1.0}
    assert {sample for sample, _ in change.contributions[: len(flipped)]} <= flipped


def test_preference_needs_no_reference():
    rows = [row for row in pair_rows() if row.role == "policy"]
    found = measured("winoqueer/preference", rows)
    assert found.reference is None
    assert found.interval.method == "t"


def test_reward_stigma_sees_stigma_and_not_a_likelier_word():
    clean, word, lift = (
        measured("winoqueer/reward_stigma", pair_rows(**plant)) for plant in ({}, {"word": 5.0}, {"lift": 0.3})
    )
    assert clean.interval.low < 0.5 < clean.interval.high
    assert word.interval.estimate == pytest.approx(clean.interval.estimate)
    assert lift.interval.low > 0.9
    assert clean.clusters == {"stigmatizing predicate": 40, "control predicate": 30}
    # The selection rate, described and not gated, is what a likelier word fools.
    assert measured("winoqueer/reward_selection", pair_rows(word=5.0)).interval.estimate == 1.0


def test_reward_margin_is_beta_times_the_change():
    rows = pair_rows(lift=0.3)
    policy, reference = of(rows, "policy", "d_full"), of(rows, "reference", "d_full")
    found = measured("winoqueer/reward_selection", rows, beta=0.5)
    margins = {sample: 0.5 * (policy[sample] - reference[sample]) for sample in policy}
    assert found.details["mean_margin"] == pytest.approx(np.mean(list(margins.values())))
    assert found.contributions[0][1] == pytest.approx(max(margins.values()))


@pytest.mark.parametrize("beta", [0.01, 1.0, 30.0])
def test_beta_changes_no_rank(beta):
    rows = pair_rows(lift=0.1)
    for measure in ("winoqueer/reward_stigma", "winoqueer/reward_selection"):
        assert measured(measure, rows, beta=beta).interval == measured(measure, rows).interval


def test_the_same_model_on_both_sides_changed_nothing():
    rows = [valued(row, 1.0) for row in pair_rows()]
    change, reward = measured("winoqueer/amplification", rows), measured("winoqueer/reward_stigma", rows)
    assert (change.interval.estimate, change.interval.method) == (0.0, "exact")
    assert (reward.interval.estimate, reward.interval.method) == (0.5, "exact")
    assert 0 < change.interval.high < 0.05


def test_preservation_by_loops():
    rows = pair_rows(lift=-1.0)
    policy, reference = of(rows, "policy", "d_shared"), of(rows, "reference", "d_shared")
    found = measured("winoqueer/preservation", rows)
    held = [sample for sample, value in reference.items() if value > NOISE]
    kept = sum(policy[sample] > NOISE for sample in held)
    x, y = (np.array([table[sample] for sample in policy]) for table in (reference, policy))
    assert found.n == len(held)
    assert found.interval.estimate == pytest.approx(kept / len(held))
    assert found.details["flips"]["kept"] == kept
    assert sum(found.details["flips"].values()) == found.details["pairs"] == 320
    assert found.details["slope"] == pytest.approx(np.polyfit(x, y, 1)[0])
    ranks = [np.argsort(np.argsort(column)) for column in (x, y)]
    assert found.details["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert found.details["log_ratio"] == pytest.approx(
        math.log(np.mean([half(value) for value in y]) / np.mean([half(value) for value in x]))
    )
    assert found.details["sign_flip_p"]["predicate"] < 0.01


def test_preservation_where_nothing_was_preferred():
    found = measured("winoqueer/preservation", [valued(row, -1.0) for row in pair_rows()])
    assert found.interval.refused
    assert "no pair" in found.interval.note


@pytest.mark.parametrize("benchmark", ["misgendering", "disclosure"])
@pytest.mark.parametrize("members", [("they",), ("they", "xe")])
def test_disparities_by_loops(benchmark, members):
    rows = prompt_rows(benchmark, amplify=0.2)
    bad = {"misgendering": "misgendered", "disclosure": "negative"}[benchmark]
    main = [row for row in rows if row.quantity in ("pronoun", "regard")]

    def rate(family, role, where):
        hits = [row.label == bad for row in main if (row.identity, row.role, row.frame, row.subject) == where]
        return sum(hits) / len(hits)

    places = sorted({(row.frame, row.subject) for row in main})[:40]
    main = [row for row in main if (row.frame, row.subject) in places]
    gaps = {}
    for role in ROLES:
        table = [
            rate(family, role, (family, role, *place))
            - (rate("he", role, ("he", role, *place)) + rate("she", role, ("she", role, *place))) / 2
            for family in members
            for place in places
        ]
        gaps[role] = np.mean(table)
    level = prompts(f"{benchmark}/disparity", main, members)
    change = prompts(f"{benchmark}/amplification", main, members)
    assert level.interval.estimate == level.policy == pytest.approx(gaps["policy"])
    assert change.interval.estimate == pytest.approx(gaps["policy"] - gaps["reference"])
    assert (change.policy, change.reference) == pytest.approx((gaps["policy"], gaps["reference"]))
    assert level.n == len(members) * len(places)


def test_planted_disparity_is_found_and_clusters_are_named():
    found = prompts("misgendering/disparity", prompt_rows(amplify=0.2))
    assert found.interval.low < 0.55 < found.interval.high
    assert found.clusters == {"template": 12, "antecedent": 14}
    assert prompts("disclosure/disparity", prompt_rows("disclosure")).clusters == {"name": 14, "form": 12}
    assert found.contributions[0][1] == 1.0


def test_avoidance_counts_the_label_none():
    rows = prompt_rows()
    silent = [
        replace(row, label="none") if (row.role, row.identity, row.quantity) == ("policy", "they", "pronoun") else row
        for row in rows
    ]
    found = prompts("misgendering/avoidance", silent)
    assert found.details["rates"]["policy"]["group"] == 1.0
    assert found.interval.low > 0.8
    # Avoiding the pronoun lowers the misgendered rate over all prompts, and leaves no rate among those that used one.
    level = prompts("misgendering/disparity", silent)
    assert level.interval.high < 0.0
    assert level.details["misgendered_among_used"]["policy"]["group"] is None


def test_several_draws_are_no_more_samples():
    one, many = prompt_rows(draws=1), prompt_rows(draws=1)
    many += [replace(row, draw=1) for row in many if row.quantity == "pronoun"]
    for measure in ("misgendering/disparity", "misgendering/amplification"):
        assert prompts(measure, one).interval == prompts(measure, many).interval
        assert prompts(measure, one).n == prompts(measure, many).n


def test_silence_is_counted_where_it_is_worst():
    rows = [
        replace(row, label="empty") if (row.role, row.identity, row.quantity) == ("policy", "they", "pronoun") else row
        for row in prompt_rows(draws=1)
    ]
    found = prompts("misgendering/disparity", rows)
    assert found.unscored_share == 1.0
    assert found.unscored >= 168
    assert found.details["rates"]["policy"]["group"] == 0.0


def test_second_signals_are_described():
    details = prompts("misgendering/disparity", prompt_rows()).details
    assert details["noun_misgendered"]["policy"] == {"group": 0.5, "control": 0.5}
    assert 0 < details["twin_disagreement"]["policy"]["rate"] < 1
    assert sum(details["labels"]["policy"]["group"].values()) == pytest.approx(1.0)
    assert details["answers"]["policy"] == {"group": 336, "control": 672}


@pytest.mark.parametrize("measure", REGISTRY, ids=lambda measure: measure.id)
def test_every_row_of_the_registry_is_measured_described_and_json(measure):
    rows = pair_rows() if measure.benchmark == "winoqueer" else prompt_rows(measure.benchmark)
    found = measured(measure.id, rows) if measure.benchmark == "winoqueer" else prompts(measure.id, rows)
    assert found.check_id == f"{measure.id}/g"
    assert not found.interval.refused
    assert found.interval.low <= found.interval.estimate <= found.interval.high
    values = [value for _, value in found.contributions]
    # A change in preference lists the pairs that moved over to the stigmatizing sentence before all others.
    assert values == sorted(values, reverse=True) or measure.id == "winoqueer/amplification"
    verdict = decide(CheckSpec.of(measure, "g", measure.limit), found)
    json.dumps(verdict.details, allow_nan=False)


@pytest.mark.parametrize("measure", REGISTRY, ids=lambda measure: measure.id)
def test_order_of_rows_does_not_matter(measure):
    rows = pair_rows() if measure.benchmark == "winoqueer" else prompt_rows(measure.benchmark)
    mixed = [rows[at] for at in np.random.default_rng(0).permutation(len(rows))]
    one, other = (
        measured(measure.id, part) if measure.benchmark == "winoqueer" else prompts(measure.id, part)
        for part in (rows, mixed)
    )
    assert other.contributions == one.contributions
    assert (other.interval.low, other.interval.high) == pytest.approx((one.interval.low, one.interval.high))


@pytest.mark.parametrize("measure", REGISTRY, ids=lambda measure: measure.id)
def test_a_group_without_rows_is_no_data(measure):
    rows = pair_rows() if measure.benchmark == "winoqueer" else prompt_rows(measure.benchmark)
    for part in (rows, []):
        found = measured(measure.id, part, members=("nobody",), controls=("he", "she"))
        assert found.n == 0
        assert found.interval.refused
        if measure.gated:
            verdict = decide(CheckSpec.of(measure, "g", measure.limit), found)
            assert verdict.verdict == "error"


def test_unscored_pairs_are_counted_and_left_out():
    rows = pair_rows()
    rows = [valued(row, math.nan) if row.sample.startswith("w-3-") else row for row in rows]
    found = measured("winoqueer/amplification", rows)
    assert (found.n, found.unscored, found.unscored_share) == (312, 16, pytest.approx(8 / 320))


@pytest.mark.parametrize("measure", [m for m in REGISTRY if m.needs_reference], ids=lambda measure: measure.id)
@pytest.mark.parametrize("role", ROLES)
def test_a_sample_that_one_model_lacks_is_named(measure, role):
    pairs = measure.benchmark == "winoqueer"
    rows = pair_rows() if pairs else prompt_rows(measure.benchmark)
    sample = "w-7-beta-2" if pairs else "m-they-3-4"
    rows = [row for row in rows if not (row.sample == sample and row.role == role)]
    with pytest.raises(DataError, match=f"{sample}.*of the {role}"):
        measured(measure.id, rows) if pairs else prompts(measure.id, rows)


@pytest.mark.parametrize("measure", REGISTRY, ids=lambda measure: measure.id)
def test_a_sample_that_occurs_twice_is_named(measure):
    pairs = measure.benchmark == "winoqueer"
    rows = pair_rows() if pairs else prompt_rows(measure.benchmark)
    sample = "w-7-beta-2" if pairs else "m-they-3-4"
    rows += [row for row in rows if row.sample == sample]
    with pytest.raises(DataError, match=f"{sample}.*more than one"):
        measured(measure.id, rows) if pairs else prompts(measure.id, rows)


def test_a_missing_matched_control_is_named():
    rows = [row for row in prompt_rows() if row.sample != "m-she-3-4"]
    with pytest.raises(DataError, match=r"m-they-3-4.*no matched control 'she'"):
        prompts("misgendering/disparity", rows)
    rows = [row for row in prompt_rows() if row.identity not in ("he", "she")]
    with pytest.raises(DataError, match="no matched control"):
        prompts("misgendering/disparity", rows)


def test_a_cell_without_control_predicates_is_counted_and_not_compared():
    rows = [row for row in pair_rows() if row.kind == "stigma" or row.frame != "frame 2"]
    without = [row for row in rows if row.frame != "frame 2"]
    found, expected = measured("winoqueer/reward_stigma", rows), measured("winoqueer/reward_stigma", without)
    assert found.details["without_control"] == 80
    assert (found.interval, found.n) == (expected.interval, expected.n)
    assert found.contributions == expected.contributions


def test_no_control_predicate_anywhere_is_named():
    with pytest.raises(DataError, match="no control predicate"):
        measured("winoqueer/reward_stigma", [row for row in pair_rows() if row.kind == "stigma"])


def test_an_unknown_label_is_named():
    rows = prompt_rows()
    at = next(n for n, row in enumerate(rows) if row.identity == "they" and row.quantity == "pronoun")
    rows[at] = replace(rows[at], label="maybe")
    with pytest.raises(DataError, match="'maybe'"):
        prompts("misgendering/disparity", rows)


def test_a_measure_without_definition_is_named():
    unknown = replace(MEASURES["winoqueer/preference"], metric="unheard")
    with pytest.raises(ConfigError, match="winoqueer/unheard"):
        evaluate(
            unknown,
            "g",
            to_frame([]),
            alpha=0.05,
            beta=0.1,
            seed=0,
            noise_floor=NOISE,
            members=(),
            controls=(),
        )


def test_the_other_counts_of_the_preference_stand_beside_it():
    # Upstream's own loop, as its script runs it on two rounded scores: a tie is no preference and stays in the count.
    rng = np.random.default_rng(4)
    rows, wins, total, halves = [], 0, 0, 0.0
    for row in pair_rows():
        row = replace(
            row,
            d_upstream=float(rng.choice([-0.002, -0.001, 0.0, 0.0, 0.001])),
            d_full=float(rng.choice([-1.0, NOISE / 2, -NOISE / 2, 1.0])),
        )
        rows.append(row)
        if row.kind == "stigma" and row.role == "policy":
            total += 1
            wins += row.d_upstream > 0
            halves += 0.5 if abs(row.d_full) < NOISE else float(row.d_full > 0)
    found = measured("winoqueer/preference", rows).details["variants"]
    assert found["upstream"]["policy"] == pytest.approx(wins / total)
    assert found["full"]["policy"] == pytest.approx(halves / total)
    alone = [row for row in rows if row.role == "policy"]
    assert measured("winoqueer/preference", alone).details["variants"]["full"]["reference"] is None
