"""The decision rule, its refusals, the explanation and the release rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registered import REGISTRY
from results import typed, whole_result

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import blocks, decide
from rootfruit_checks.metrics.evaluate import Evidence
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import result
from rootfruit_checks.results.views import AllInstances, Combined, Intersections
from rootfruit_checks.stats.intervals import Interval, Law, refusal

pytestmark = pytest.mark.filterwarnings("error")
CHANGE = MEASURES["misgendering/amplification"]
LEVEL = MEASURES["misgendering/disparity"]


def evidence(estimate=0.0, low=-0.02, high=0.02, measure=CHANGE, **changes) -> Evidence:
    se = max((high - low) / 3.5, 0.0)
    interval = Interval(estimate, se, 15.0, low, high, (32, 16), "t", "", (se**2, se**2), changes.pop("residual", 0.0))
    found = Evidence(
        f"{measure.id}/they", 512, 0, 0.0, dict(zip(measure.clusters, (32, 16), strict=True)), 0.2, 0.2, interval
    )
    return replace(found, **changes)


def verdict(found: Evidence, measure=CHANGE, limit=0.05, level=None, correction="", **keywords):
    spec = CheckSpec.of(measure, "they", limit, data="planted", **keywords)
    return decide(spec, found, level=level, correction=correction)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.02, 0.05, "pass"),
        (-0.02, 0.0501, "inconclusive"),
        (0.05, 0.09, "inconclusive"),
        (0.0501, 0.09, "fail"),
        (0.0, 0.0, "pass"),
    ],
)
def test_bounds_against_limit(low, high, expected):
    assert verdict(evidence((low + high) / 2, low, high)).verdict == expected


bounds = st.floats(-1, 1)


@given(bounds, bounds, bounds, st.floats(-0.9, 0.9))
def test_worse_bounds_never_give_a_better_verdict(a, b, c, limit):
    low, middle, high = sorted((a, b, c))
    rank = {"pass": 0, "inconclusive": 1, "fail": 2}
    now = verdict(evidence(middle, low, high), limit=limit).verdict
    worse = verdict(evidence(min(1, middle + 0.1), low + 0.1, high + 0.1), limit=limit).verdict
    stricter = verdict(evidence(middle, low, high), limit=limit - 0.05).verdict
    assert rank[now] <= min(rank[worse], rank[stricter])


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"n": 0, "interval": refusal(math.nan, (0, 0), "no prompt was answered")}, "error", "no prompt was answered"),
        ({"interval": refusal(0.0, (9, 16), "too few clusters: template has 9")}, "inconclusive", "template has 9"),
        ({"unscored": 200, "unscored_share": 0.21}, "inconclusive", "21 % of the answers"),
        ({"unscored": 512, "unscored_share": 1.0}, "error", "no answer of at least one model"),
        ({"unscored_share": math.nan}, "inconclusive", "could not be scored"),
        ({"interval": replace(evidence().interval, high=math.nan)}, "error", "not numbers"),
    ],
)
def test_what_never_passes(changes, expected, words):
    found = verdict(replace(evidence(), **changes))
    assert found.verdict == expected
    assert words in found.explain


def test_unscored_up_to_the_limit_is_decided():
    assert verdict(evidence(unscored=102, unscored_share=0.2)).verdict == "pass"


@pytest.mark.parametrize(
    ("shift", "low", "high", "expected"),
    [
        (0.0, 0.1, 0.28, "pass"),
        (0.05, 0.1, 0.28, "inconclusive"),
        (0.05, 0.32, 0.4, "inconclusive"),
        (0.05, 0.36, 0.4, "fail"),
        (0.3, 0.1, 0.11, "error"),
    ],
)
def test_the_instruments_shift_widens_ceilings(shift, low, high, expected):
    found = evidence((low + high) / 2, low, high, LEVEL)
    result = verdict(found, LEVEL, 0.3, shift=shift)
    assert result.verdict == expected
    if expected == "error":
        assert "unfit" in result.explain


def test_the_shift_cancels_in_a_difference():
    assert verdict(evidence(), shift=0.5).verdict == "pass"


def test_point_looks_at_the_estimate_alone():
    found = evidence(0.04, -0.1, 0.2)
    assert verdict(found).verdict == "inconclusive"
    point = verdict(found, decision="point")
    assert point.verdict == "pass"
    assert "estimate alone" in point.explain
    assert verdict(evidence(0.06, -0.1, 0.2), decision="point").verdict == "fail"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.04, -0.001, "pass"), (-0.04, 0.0, "inconclusive"), (-0.04, 0.04, "inconclusive"), (0.001, 0.04, "fail")],
)
def test_superior_asks_for_less_than_no_change(low, high, expected):
    found = verdict(evidence((low + high) / 2, low, high), decision="superior")
    assert (found.verdict, found.limit) == (expected, 0.0)
    assert "better than its reference" in found.explain or expected == "inconclusive"


def test_superior_never_loosens_a_stricter_limit_and_leaves_ceilings_alone():
    strict = verdict(evidence(-0.02, -0.04, -0.01), decision="superior", limit=-0.03)
    assert (strict.verdict, strict.limit) == ("inconclusive", -0.03)
    ceiling = verdict(evidence(0.2, 0.1, 0.28, LEVEL), LEVEL, 0.3, decision="superior")
    assert (ceiling.verdict, ceiling.limit) == ("pass", 0.3)


@given(st.floats(0.0, 0.3), st.floats(0.001, 0.1), st.floats(1e-4, 0.05), st.floats(0.0, 0.1))
def test_the_shown_bounds_decide(estimate, se, level, shift):
    law = Law(15.0, None, 0, (-1.0, 1.0))
    low, high = law.bounds(estimate, se, 0.05)
    interval = replace(evidence(measure=LEVEL).interval, estimate=estimate, se=se, low=low, high=high, law=law)
    found = verdict(
        evidence(measure=LEVEL, interval=interval), LEVEL, 0.15, level=level, correction="corrected", shift=shift
    )
    assert found.low == interval.low_at(level) <= low
    assert (found.verdict == "fail") == (found.low - shift > 0.15)
    assert (found.verdict == "pass") == (found.high + shift <= 0.15)
    # The p-value that is shown is the level at which the check just fails.
    assert (found.details["p_fail"] < level) == (found.verdict == "fail") or found.details["p_fail"] == pytest.approx(
        level, rel=1e-6
    )


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"decision": "better"}, "confident, point, superior"),
        ({"limit": None}, "no limit"),
        ({"limit": 5.0}, "outside"),
        ({"limit": 1.0}, "outside"),
        ({"limit": -1.5}, "outside"),
        ({"limit": math.nan}, "outside"),
        ({"shift": -0.1}, "shift"),
        ({"shift": math.nan}, "shift"),
    ],
)
def test_bad_settings_are_named(keywords, words):
    with pytest.raises(ConfigError, match=words):
        verdict(evidence(), **keywords)


def test_a_share_has_no_negative_limit():
    with pytest.raises(ConfigError, match="outside"):
        verdict(evidence(measure=MEASURES["winoqueer/preference"]), MEASURES["winoqueer/preference"], -0.1)


@pytest.mark.parametrize("gated", [True, False])
def test_what_is_not_gated_gets_no_verdict(gated):
    measure = MEASURES["winoqueer/preservation"] if gated else CHANGE
    found = verdict(evidence(0.5, 0.4, 0.6, measure), measure, None, gated=gated)
    assert (found.verdict, found.limit, found.gated) == ("none", None, False)
    assert "not gated" in found.explain


@pytest.mark.parametrize("measure", REGISTRY, ids=lambda measure: measure.id)
def test_every_explanation_tells_what_for_whom_and_how_much(measure):
    text = verdict(evidence(0.02, 0.01, 0.03, measure), measure, measure.limit).explain
    assert measure.title in text
    assert "they" in text
    assert "2.0" in text
    assert "512 samples" in text
    assert "\n" not in text


def test_inconclusive_names_the_number_that_would_settle_it():
    # Twice the half-width of the room: four times the clusters.
    text = verdict(evidence(0.0, -0.1, 0.1)).explain
    assert "about 128 templates (now 32) and about 64 antecedents (now 16)" in text
    assert "more samples of the same templates or antecedents would not be enough" in text


def test_inconclusive_names_samples_where_samples_would_do():
    found = evidence(0.0, -0.1, 0.1)
    interval = replace(found.interval, residual=found.interval.se**2)
    assert "about 2048 samples (now 512)" in verdict(replace(found, interval=interval)).explain


def test_inconclusive_beyond_the_limit_says_what_would_show_a_failure():
    text = verdict(evidence(0.07, -0.01, 0.15)).explain  # limit 0.05, a width of 0.08: 16 times the clusters
    assert "more likely to show a failure than a pass. To fail with this estimate" in text
    assert "about 512 templates (now 32) and about 256 antecedents (now 16)" in text


@pytest.mark.parametrize(
    ("found", "shift", "wanted"),
    [
        # Wide bounds are no sign that the estimate lies close to the limit.
        (evidence(0.0625, -0.9, 0.52), 0.0, "more than 200 times the samples: the lower bound is 96.2 points"),
        (evidence(0.0499, -0.01, 0.11), 0.0, "more than 200 times the samples: the upper bound is 6.0 points"),
        (evidence(0.05, -0.01, 0.11), 0.0, "no number of samples would settle this check: it lies on the limit"),
        (evidence(0.04, -0.01, 0.11), 0.02, "no number of samples would settle this check: it lies within the"),
        # A bound at the end of the range says nothing of how far another sample would take it.
        (evidence(0.0625, -2.0, 0.52), 0.0, "too few samples for a lower bound: add more templates and antecedents."),
        (evidence(0.0, -0.2, 2.0), 0.0, "too few samples for an upper bound: add more templates and antecedents."),
        (evidence(0.0625, -2.0, 2.0), 0.0, "with no bound on either side"),
    ],
)
def test_advice_says_one_thing_and_agrees_with_the_figures(found, shift, wanted):
    measure = LEVEL if shift else CHANGE
    text = verdict(found, measure, 0.05, shift=shift).explain
    assert wanted in text
    advice = ["would settle this check", "would need", "too few samples for"]
    assert sum(text.count(one) for one in advice) == 1, text
    assert "close" not in text
    assert "200.0 points" not in text


def test_too_few_clusters_ask_for_more_of_them():
    few = verdict(replace(evidence(), clusters={"template": 9, "antecedent": 16}, interval=refusal(0, (9, 16), "few")))
    assert "add more templates." in few.explain


def test_release_needs_every_gated_check_and_at_least_one():
    passed, failed = verdict(evidence()), verdict(evidence(0.1, 0.09, 0.11))
    unsure, broken = verdict(evidence(0.0, -0.1, 0.1)), verdict(evidence(n=0))
    shown = verdict(evidence(0.1, 0.09, 0.11), gated=False)

    def released(*verdicts, how="fail"):
        rows = [Check.of(replace(one, id=f"{one.id}/{at}")) for at, one in enumerate(verdicts)]
        gated = [row for row in rows if row.gated]
        nothing = {
            "combined": Combined(gated=False, groups=[], instances=AllInstances(not_measured="x")),
            "intersections": Intersections(not_measured="x"),
        }
        run = typed(whole_result()).run
        blocked = any(blocks(row.verdict, how) for row in gated)
        return result(rows, run, declared=[row.id for row in gated], blocked=blocked, **nothing).released

    assert released(passed, shown)
    assert not released(passed, failed)
    assert not released(passed, unsure)
    assert released(passed, unsure, how="warn")
    assert not released(passed, broken, how="warn")
    assert not released()
    assert not released(shown)


def test_a_bound_at_the_end_of_its_range_is_shown_nowhere_as_a_figure():
    from rootfruit_checks.report import markdown, terminal
    from rootfruit_checks.report.audit_page import page
    from rootfruit_checks.report.compare import _row, _told
    from rootfruit_checks.report.findings import findings
    from rootfruit_checks.report.model_card import card
    from rootfruit_checks.report.pytest_html import details

    from planted import result  # isort: skip

    value = result("x")
    for row in value["checks"]:
        least, most = MEASURES[f"{row['benchmark']}/{row['metric']}"].value_range
        row |= {"low": least, "high": most, "verdict": "inconclusive" if row["gated"] else "none"}
    value = typed(value | {"released": False})
    row = next(one for one in value.checks if one.id == "disclosure/amplification/tgnb")
    assert (row.low, row.high) == (-2.0, 2.0)  # the result keeps the number
    shown = [
        terminal.headline(row),
        *terminal.table(value.checks, {}),
        *markdown.checks(value.checks, 99),
        details(row).partition("<details>")[0],
        card(value),
        str(_row(row.id, [type("R", (), {"checks": {row.id: row}})])),
        _told(row.id, row),
        str(findings(value).first),
        page(value, "now").partition('<script type="application/json"')[0].partition('id="checks"')[2],
    ]
    for text in shown:
        assert not [one for one in ("2.000", "-1.000", "+1.000", "200.0", "100.0") if one in text], text[:400]
    assert "[-, -]" in shown[0]
    assert "no lower bound, no upper bound" in str(findings(value).first)


def test_the_bounds_that_decide_are_told_where_a_shift_widens_those_shown():
    found = verdict(evidence(0.2, 0.1, 0.292), MEASURES["misgendering/disparity"], 0.3, shift=0.02)
    assert found.verdict == "inconclusive"
    assert "the verdict uses the lower bound +8.0 points and the upper bound +31.2 points" in found.explain
