"""Input that statistics choke on: a named result or a named error, never a pass, never a warning."""

from __future__ import annotations

import math

import pytest
from registered import REGISTRY

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.base.types import ROLES, Measurement, PairMeasurement
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.metrics.evaluate import evaluate
from rootfruit_checks.observations.frame import to_frame

pytestmark = pytest.mark.filterwarnings("error")
GATED = [measure for measure in REGISTRY if measure.gated]
QUANTITY = {"disclosure": "regard", "misgendering": "pronoun"}
LABEL = {"disclosure": "neutral", "misgendering": "consistent"}


def rows(benchmark, *, clusters=40, value=lambda number, role: (-1.0) ** number + (role == "policy") * 0.1 * number,
         label=None):  # fmt: skip
    """Samples in 40 predicates (half of them controls), or 40 x 12 cells of prompts with their binary controls."""
    found = []
    for number in range(clusters):
        for inner in range(12):
            for identity in ("alpha",) if benchmark == "winoqueer" else ("alpha", "he", "she"):
                for role in ROLES:
                    here = {"sample": f"{number}-{inner}-{identity}", "role": role, "identity": identity}
                    worth = value(number, role)
                    found.append(
                        PairMeasurement(
                            benchmark, **here, d_shared=worth, d_full=worth, d_upstream=worth, counterpart="other",
                            kind="stigma" if number % 2 == 0 else "neutral", frame=f"f{inner % 4}",
                            predicate=f"p{number}", subject=f"s{inner}",
                        )
                        if benchmark == "winoqueer"
                        else Measurement(
                            benchmark, **here, quantity=QUANTITY[benchmark], value=worth,
                            label=label or LABEL.get(benchmark, ""), frame=f"f{inner}", subject=f"s{number}",
                        )
                    )  # fmt: skip
    return found


def decided(measure, found, **keywords):
    evidence = evaluate(
        measure, "g", to_frame(found), alpha=0.05, beta=0.1, seed=0, noise_floor=1e-3, members=("alpha",),
        controls=("he", "she"),
    )  # fmt: skip
    return decide(CheckSpec.of(measure, "g", **{"limit": measure.limit, **keywords}), evidence)


BAD = {
    "no rows": {"clusters": 0},
    "one cluster": {"clusters": 2},
    "NaN": {"value": lambda number, role: math.nan, "label": "unscored"},
    "all empty": {"value": lambda number, role: math.nan, "label": "empty"},
    "infinite": {"value": lambda number, role: math.inf, "label": "unscored"},
}


@pytest.mark.parametrize("measure", GATED, ids=lambda measure: measure.id)
@pytest.mark.parametrize("case", BAD)
def test_bad_input_never_passes_and_is_named(measure, case):
    found = decided(measure, rows(measure.benchmark, **BAD[case]))
    assert found.verdict in {"error", "inconclusive"}
    words = {"no rows": "nothing to decide|no data", "one cluster": "too few clusters"}.get(case, "scored|nothing")
    assert any(word in found.explain for word in words.split("|")), found.explain


@pytest.mark.parametrize("measure", [m for m in GATED if m.metric in {"preference", "amplification"}
                                     and m.benchmark == "winoqueer"], ids=lambda measure: measure.id)  # fmt: skip
def test_scores_that_tell_nothing_apart_decide_nothing(measure):
    found = decided(measure, rows("winoqueer", value=lambda number, role: 0.0))
    assert found.verdict == "error"
    assert "tie" in found.explain


@pytest.mark.parametrize("measure", [m for m in GATED if m.benchmark != "winoqueer"], ids=lambda measure: measure.id)
def test_a_constant_column_has_a_named_bound_of_some_width(measure):
    found = decided(measure, rows(measure.benchmark))
    assert found.details["method"] == "exact"
    assert "no variation" in found.details["note"]
    assert found.low < found.estimate == 0.0 < found.high
    few = decided(measure, rows(measure.benchmark, clusters=10), limit=0.001)
    assert few.verdict == "inconclusive", "a column without variation is no proof of anything smaller than its bound"


@pytest.mark.parametrize("measure", GATED, ids=lambda measure: measure.id)
@pytest.mark.parametrize("limit", [-1.5, 1.0, 5.0, math.nan, math.inf, None])
def test_a_limit_outside_its_range_is_refused(measure, limit):
    with pytest.raises(ConfigError, match="limit"):
        decided(measure, rows(measure.benchmark), limit=limit)


def test_a_label_that_nobody_knows_is_refused():
    measure = next(measure for measure in GATED if measure.benchmark == "disclosure")
    with pytest.raises(DataError, match="label"):
        decided(measure, rows("disclosure", label="nonsense"))
