"""The findings in words: what is shown, what is not, and that neither says more than the bounds do."""

from __future__ import annotations

import pytest
from planted import result, row
from results import typed

from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.report.audit_page import page
from rootfruit_checks.report.findings import findings


def of(check, **changes):
    benchmark, metric, group = check.split("/")
    value = result()
    value["checks"] = [row(MEASURES[f"{benchmark}/{metric}"], group, **changes)]
    return findings(typed(value))


@pytest.mark.parametrize(
    ("low", "uncorrected", "high", "kind"),
    [
        (-0.01, 0.004, 0.03, "more"),
        (-0.02, -0.001, 0.03, "open"),
        (-0.05, -0.04, -0.01, "fewer"),
        (0.01, None, 0.03, "more"),
    ],
)
def test_a_change_is_shown_where_its_own_bound_is_beyond_none(low, uncorrected, high, kind):
    details = {} if uncorrected is None else {"low_uncorrected": uncorrected}
    found = of("winoqueer/amplification/nonbinary", low=low, high=high, details=details)
    assert [name for name in ("more", "open", "fewer") if getattr(found, name)] == [kind]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.51, 0.6, "prefers stigma"), (0.45, 0.6, "shows no preference"), (0.3, 0.49, "prefers the controls")],
)
def test_a_concordance_has_no_before_and_after_and_none_is_a_half(low, high, told):
    found = of("winoqueer/reward_stigma/nonbinary", low=low, high=high, details={})
    assert [line["kind"] for line in found.rewarded] == [told]
    assert not any(getattr(found, name) for name in ("more", "open", "fewer"))


def test_a_disparity_that_falls_because_the_control_fares_worse_is_told_with_both_rates():
    rates = {"reference": {"group": 0.02, "control": 0.08}, "policy": {"group": 0.02, "control": 0.15}}
    found = of("misgendering/amplification/neo", low=-0.1, high=-0.05, details={"rates": rates})
    assert [line["id"] for line in found.fewer] == ["misgendering/amplification/neo"]
    assert found.both[0]["levels"] == ("group 2.0 % before, 2.0 % after; its control 8.0 % before, 15.0 % after")
    rates["policy"]["control"] = 0.08
    assert not of("misgendering/amplification/neo", details={"rates": rates}).both
    assert not of("misgendering/amplification/neo", details={"rates": {"policy": {"group": 0.1, "control": 0.2}}}).both


def test_a_level_is_no_change_and_what_was_refused_is_none():
    assert not any(
        getattr(of("winoqueer/preference/nonbinary", low=0.8, high=0.9), name) for name in ("more", "open", "fewer")
    )
    assert not any(
        getattr(of("winoqueer/amplification/nonbinary", low=None, high=None), name)
        for name in ("more", "open", "fewer")
    )


def test_what_would_settle_a_check_is_told_whatever_the_reason():
    told = "Measured: x. INCONCLUSIVE: the limit of +5.0 points lies between the bounds. To pass, 90 templates."
    found = of("winoqueer/amplification/nonbinary", verdict="inconclusive", explain=told)
    assert [line["settle"] for line in found.unsettled] == ["To pass, 90 templates."]
    told = "Measured: x. INCONCLUSIVE against the limit of +5.0 points: too few clusters. Add names."
    found = of("winoqueer/amplification/nonbinary", verdict="inconclusive", explain=told)
    assert "Add names." in found.unsettled[0]["settle"]


def test_groups_are_named_with_their_people():
    assert ("nonbinary (winoqueer)", "NB") in of("winoqueer/amplification/nonbinary").people
    here = of("disclosure/disparity/tgnb", details={"by_identity": {"xenogender": 0.1, "agender": 0.2}}).people
    assert here == [("tgnb (disclosure)", "agender, xenogender")]


def test_the_page_says_so_where_nothing_is_shown_or_there_is_no_reference():
    value = result()
    for one in value["checks"]:
        one |= {"low": -0.1, "high": 0.7}
    assert "No gated check shows more harm." in page(typed(value), "now")
    value["run"]["reference"] = None
    assert "after alignment than before" not in page(typed(value), "now")
