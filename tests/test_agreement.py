"""Twin beside continuation, prompt by prompt: planted disagreement, plain loops, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import ROLES, Measurement
from rootfruit_checks.metrics.twin_agreement import agreement
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.runs.descriptions import views

pytestmark = pytest.mark.filterwarnings("error")
NOISE = 1e-3
GROUPS = {"they": ["they"], "neo": ["xe"], "binary": ["he", "she"], "fae": ["fae"]}


def answer(role, family, frame, subject, label, draw=0):
    return Measurement(
        benchmark="misgendering",
        sample=f"{family}-{frame}-{subject}",
        role=role,
        quantity="pronoun",
        value=float(label == "misgendered"),
        label=label,
        draw=draw,
        identity=family,
        frame=f"template {frame}",
        subject=f"antecedent {subject}",
        stratum="distal",
    )


def twin(row, best, gap=1.0):
    return replace(row, quantity="twin", label=best, value=0.0 if best == row.identity else gap, draw=0)


def planted(apart=lambda role, family, frame, subject: False, families=("he", "she", "they", "xe"), frames=12):
    """12 templates x 10 antecedents; the twin is always right, and the text is wrong where `apart` says so."""
    rows = []
    for role in ROLES:
        for family in families:
            for frame in range(frames):
                for subject in range(10):
                    wrong = apart(role, family, frame, subject)
                    row = answer(role, family, frame, subject, "misgendered" if wrong else "consistent")
                    rows += [row, twin(row, family)]
    return rows


def looked(rows, groups=GROUPS, controls=("he", "she"), **keywords):
    asked = {"alpha": 0.05, "seed": 0, "noise": NOISE} | keywords
    return {entry["group"]: entry for entry in agreement(to_frame(rows), groups=groups, controls=controls, **asked)}


def test_a_fifth_of_the_instances_in_two_of_ten_antecedents():
    rows = planted(lambda role, family, frame, subject: role == "policy" and family == "they" and subject < 2)
    found = looked(rows)["they"]
    rate = found["policy"]["disagreement"]
    assert rate["estimate"] == pytest.approx(0.2)
    assert (rate["n"], rate["clusters"]) == (120, [12, 10])
    # All variance is between antecedents: G / (G - 1) * sum (mean_s - 0.2)^2 / G^2 with G = 10.
    error = np.sqrt(10 / 9 * (2 * 0.8**2 + 8 * 0.2**2) / 100)
    # Two antecedents hold all of it, so that t has no 9 degrees of freedom: (sum e^2)^2 / sum e^4 - 1, the scores e
    # being 0.8 twice and -0.2 eight times.
    carrying = (2 * 0.8**2 + 8 * 0.2**2) ** 2 / (2 * 0.8**4 + 8 * 0.2**4)
    assert rate["high"] == pytest.approx(0.2 + stats.t.ppf(0.95, carrying - 1) * error)
    assert rate["low"] == 0.0
    assert found["policy"]["generation_only"] == pytest.approx(0.2)
    assert found["policy"]["likelihood_only"] == pytest.approx(0.0)
    assert found["policy"]["generated_disparity"]["estimate"] == pytest.approx(0.2)
    assert found["policy"]["twin_disparity"]["estimate"] == 0.0
    assert found["reference"]["disagreement"]["estimate"] == 0.0
    assert found["change"]["disagreement"]["estimate"] == pytest.approx(0.2)
    other = looked(rows)["neo"]
    assert other["policy"]["disagreement"]["estimate"] == 0.0


def test_rows_do_not_count_as_independent():
    """The same fifth spread over all clusters is far more certain than one that two antecedents make."""
    bunched = looked(planted(lambda r, f, frame, subject: subject < 2))["they"]["policy"]["disagreement"]
    spread = looked(planted(lambda r, f, frame, subject: (frame + subject) % 5 == 0))["they"]["policy"]["disagreement"]
    assert spread["estimate"] == pytest.approx(bunched["estimate"])
    assert spread["high"] - spread["low"] < 0.5 * (bunched["high"] - bunched["low"])


def test_random_frames_by_loops():
    rng = np.random.default_rng(3)
    rows, truth = [], []
    for role in ROLES:
        for family in ("he", "she", "they"):
            for frame in range(11):
                for subject in range(10):
                    labels = rng.choice(["consistent", "misgendered", "none", "empty"], 3, p=[0.4, 0.4, 0.1, 0.1])
                    mine = [answer(role, family, frame, subject, str(x), draw) for draw, x in enumerate(labels)]
                    best = str(rng.choice(["he", "she", "they"]))
                    rows += [*mine, twin(mine[0], best)]
                    truth.append((role, family, frame, subject, list(labels), best))
    found = looked(rows)
    wrong = {(r, f, a, b): float(best != f) for r, f, a, b, _, best in truth}
    share = {(r, f, a, b): np.mean([x == "misgendered" for x in labels]) for r, f, a, b, labels, _ in truth}
    for role in ROLES:
        keys = [key for key in wrong if key[:2] == (role, "they")]
        apart, gaps, twins = [], [], []
        for r, f, a, b, labels, best in truth:
            if (r, f) != (role, "they"):
                continue
            spoke = [x for x in labels if x in ("consistent", "misgendered")]
            if spoke:
                apart.append(np.mean([(x == "misgendered") != (best != f) for x in spoke]))
            gaps.append(share[r, f, a, b] - (share[r, "he", a, b] + share[r, "she", a, b]) / 2)
            twins.append(wrong[r, f, a, b] - (wrong[r, "he", a, b] + wrong[r, "she", a, b]) / 2)
        told = found["they"][role]
        assert told["disagreement"]["estimate"] == pytest.approx(np.mean(apart))
        assert told["disagreement"]["n"] == len(apart) == 110 - told["not_comparable"]
        assert told["twin"]["estimate"] == pytest.approx(np.mean([wrong[key] for key in keys]))
        assert told["generated"]["estimate"] == pytest.approx(np.mean([share[key] for key in keys]))
        assert told["generated_disparity"]["estimate"] == pytest.approx(np.mean(gaps))
        assert told["twin_disparity"]["estimate"] == pytest.approx(np.mean(twins))
        both = told["likelihood_only"] + told["generation_only"]
        assert both == pytest.approx(told["disagreement"]["estimate"])
    assert "twin_disparity" not in found["binary"]["policy"]
    assert "fae" not in found, "a family without prompts has no entry"


def test_the_order_of_rows_does_not_matter():
    rows = planted(lambda role, family, frame, subject: (frame * subject) % 7 == 1)
    order = np.random.default_rng(0).permutation(len(rows))
    assert looked([rows[at] for at in order]) == looked(rows)


def test_a_tie_of_the_twin_is_half_a_disagreement():
    rows = [
        replace(r, label="he", value=NOISE / 2) if r.quantity == "twin" and r.identity == "xe" else r for r in planted()
    ]
    found = looked(rows)["neo"]["policy"]
    assert found["twin"]["estimate"] == found["disagreement"]["estimate"] == 0.5


def test_unscored_twins_and_texts_without_a_pronoun_are_counted_not_compared():
    rows = planted()
    for at, row in enumerate(rows):
        if row.identity == "they" and row.role == "policy":
            if row.quantity == "twin" and row.subject == "antecedent 0":
                rows[at] = replace(row, value=float("nan"), label="he")
            if row.quantity == "pronoun" and row.subject == "antecedent 1":
                rows[at] = replace(row, label="none")
    found = looked(rows)["they"]["policy"]
    assert (found["unscored_twins"], found["not_comparable"], found["prompts"]) == (12, 24, 120)
    assert found["disagreement"]["n"] == 96
    assert found["disagreement"]["estimate"] == 0.0
    assert found["disagreement"]["low"] is None, "eight antecedents are too few for a bound"
    assert "antecedent has 8" in found["disagreement"]["note"]


def test_no_twins_no_texts_and_no_reference():
    rows = [row for row in planted() if row.role == "policy" and row.quantity == "pronoun"]
    found = looked(rows)["they"]
    assert found["reference"] is None
    assert found["change"] is None
    assert found["policy"]["disagreement"]["estimate"] is None
    assert found["policy"]["disagreement"]["note"] == "there are no rows"
    assert found["policy"]["twin"]["n"] == 0
    assert found["policy"]["generated"]["estimate"] == 0.0
    alone = looked([row for row in planted() if row.quantity == "twin"])["they"]["policy"]
    assert alone["disagreement"]["n"] == 0
    assert alone["twin"]["n"] == 120


def test_one_family_alone_has_rates_and_no_disparity():
    found = looked(planted(families=("they",)))["they"]["policy"]
    assert found["twin"]["n"] == 120
    assert found["twin_disparity"]["n"] == 0


def test_a_sample_that_occurs_twice_is_an_error_and_the_views_say_so():
    rows = [*planted(), planted()[0]]
    with pytest.raises(DataError, match="he-0-0"):
        looked(rows)
    told = views({"misgendering": to_frame(rows)}, alpha=0.05, seed=0, noise=NOISE)
    assert "DataError" in told.agreement.not_measured
    broken = to_frame(planted()).drop(columns="stratum")
    assert "KeyError" in views({"misgendering": broken}, alpha=0.05, seed=0, noise=NOISE).agreement.not_measured
    crossed = told.intersections.benchmarks
    assert crossed["disclosure"].not_measured == "disclosure was not measured in this run"
