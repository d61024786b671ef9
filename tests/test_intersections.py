"""Cells of identity by surroundings: plain loops, empty cells, the floor, and what is shrunk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rootfruit_checks.base.types import ROLES, Measurement
from rootfruit_checks.metrics.intersections import COLUMNS, intersections
from rootfruit_checks.observations.frame import to_frame
from rootfruit_checks.stats.clustered_mean import clustered_mean

pytestmark = pytest.mark.filterwarnings("error")
CONTROLS = ("man", "woman")
PEOPLE = ("agender", "bigender", "trans woman")


def rows(people=PEOPLE, forms=4, names=12, seed=0, roles=ROLES):
    """Disclosure with a rate that depends on identity and form, and one cell that is far worse in the policy."""
    rng = np.random.default_rng(seed)
    found = []
    for role in roles:
        for who in (*CONTROLS, *people):
            for form in range(forms):
                for name in range(names):
                    rate = 0.2 + 0.15 * (who in people) + 0.05 * form
                    if (role, who, form) == ("policy", "agender", 3):
                        rate = 0.95
                    label = "negative" if rng.random() < rate else "neutral"
                    found.append(
                        Measurement(
                            benchmark="disclosure",
                            sample=f"{who}-{form}-{name}",
                            role=role,
                            quantity="regard",
                            value=float(label == "negative"),
                            label=label,
                            identity=who,
                            frame=f"form {form}",
                            subject=f"name {name}",
                        )
                    )
    return found


def looked(held, benchmark="disclosure", controls=CONTROLS):
    return intersections(to_frame(held), benchmark, controls=controls, alpha=0.05)


def cells(found):
    return {(row[0], row[1]): dict(zip(COLUMNS, row, strict=True)) for row in found["rows"]}


def test_cells_by_loops():
    held = rows()
    found = cells(looked(held))
    assert list(found) == [(who, f"form {form}") for who in PEOPLE for form in range(4)]
    bad = {(r.role, r.identity, r.frame, r.subject): r.value for r in held}
    for (who, form), cell in found.items():
        arms = {}
        for role in ROLES:
            arms[role] = [
                bad[role, who, form, f"name {n}"]
                - (bad[role, "man", form, f"name {n}"] + bad[role, "woman", form, f"name {n}"]) / 2
                for n in range(12)
            ]
            mine = [bad[role, who, form, f"name {n}"] for n in range(12)]
            assert cell[f"{role}_rate"] == pytest.approx(np.mean(mine), abs=1e-5)
        arms["change"] = list(np.subtract(arms["policy"], arms["reference"]))
        names = [f"name {n}" for n in range(12)]
        for arm, values in arms.items():
            interval = clustered_mean(values, [names], value_range=(-2, 2) if arm == "change" else (-1, 1))
            assert cell[f"{arm}_raw"] == pytest.approx(np.mean(values), abs=1e-5)
            assert cell[f"{arm}_low"] == pytest.approx(interval.low, abs=1e-5)
            assert cell[f"{arm}_high"] == pytest.approx(interval.high, abs=1e-5)
        assert (cell["n"], cell["clusters"], cell["note"]) == (12, 12, "")


def test_shrinking_takes_out_noise_and_leaves_what_stands_out():
    found = looked(rows(seed=4, names=40))
    told = cells(found)
    raw = np.array([cell["policy_raw"] for cell in told.values()])
    shrunk = np.array([cell["policy_shrunk"] for cell in told.values()])
    assert found["pooling"]["policy"]["toward"] == "main effects"
    assert np.ptp(shrunk) < np.ptp(raw)
    assert max(told, key=lambda key: told[key]["policy_shrunk"]) == ("agender", "form 3")


def test_an_empty_cell_is_shown_as_empty():
    held = [row for row in rows() if (row.identity, row.frame) != ("bigender", "form 2")]
    cell = cells(looked(held))["bigender", "form 2"]
    assert (cell["n"], cell["clusters"], cell["note"]) == (0, 0, "no samples")
    assert all(cell[name] is None for name in COLUMNS if name.startswith(("policy", "reference", "change")))
    assert len(cells(looked(held))) == 12


def test_under_ten_clusters_there_is_an_estimate_and_the_reason_for_no_bound():
    found = cells(looked(rows(names=6)))
    for cell in found.values():
        assert cell["policy_low"] is cell["policy_high"] is None
        assert cell["policy_shrunk"] is not None
        assert cell["note"] == "too few clusters: name has 6; at least 10 are needed for a bound"


def test_one_name_a_cell_cannot_tell_noise_from_difference():
    found = looked(rows(names=1))
    assert found["pooling"]["policy"]["note"] == "no cell has more than one cluster"
    assert {cell["policy_shrunk"] for cell in cells(found).values()} == {None}
    assert None not in {cell["policy_raw"] for cell in cells(found).values()}


def test_one_identity_is_shrunk_towards_its_own_mean():
    found = looked(rows(people=("agender",)))
    assert found["pooling"]["change"]["toward"] == "mean"
    assert len(found["rows"]) == 4


def test_without_a_reference_its_columns_are_empty():
    found = cells(looked(rows(roles=("policy",))))["agender", "form 0"]
    assert found["reference_raw"] is found["change_raw"] is found["reference_rate"] is None
    assert found["policy_raw"] is not None


def test_prompts_without_a_control_and_unscored_answers_are_counted():
    held = [row for row in rows() if (row.identity, row.frame, row.subject) != ("man", "form 1", "name 5")]
    at = next(i for i, row in enumerate(held) if (row.role, row.identity) == ("policy", "agender"))
    held[at] = replace(held[at], label="unscored")
    found = cells(looked(held))
    assert found["agender", "form 1"]["unmatched"] == 1
    assert found["agender", "form 1"]["n"] == 11
    assert found["agender", held[at].frame]["unscored"] == 1
    assert found["bigender", "form 0"]["unmatched"] == found["bigender", "form 0"]["unscored"] == 0


def test_no_control_at_all_leaves_rates_and_no_disparity():
    held = [row for row in rows() if row.identity not in CONTROLS]
    found = cells(looked(held))["agender", "form 3"]
    assert found["n"] == 0
    assert found["unmatched"] == 12
    assert found["policy_raw"] is None


def test_pronoun_families_meet_antecedent_types():
    held = [
        replace(
            row,
            benchmark="misgendering",
            quantity="pronoun",
            label="misgendered" if row.label == "negative" else "none",
            stratum="distal" if int(row.subject.split()[1]) % 2 else "named",
        )
        for row in rows(forms=12, names=24)
    ]
    found = looked(held, "misgendering")
    assert found["by"] == "antecedent type"
    assert set(cells(found)) == {(who, kind) for who in PEOPLE for kind in ("distal", "named")}
    assert {cell["clusters"] for cell in cells(found).values()} == {12}
    assert all(cell["policy_low"] < cell["policy_raw"] < cell["policy_high"] for cell in cells(found).values())


def test_order_and_names_of_identities_do_not_matter_and_rows_are_plain():
    held = rows()
    found = looked(held)
    order = np.random.default_rng(1).permutation(len(held))
    assert looked([held[at] for at in order]) == found
    named = looked([replace(row, identity=row.identity.replace("agender", "zz")) for row in held])
    assert cells(named)["zz", "form 3"] | {"identity": ""} == cells(found)["agender", "form 3"] | {"identity": ""}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
