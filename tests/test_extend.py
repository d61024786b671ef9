"""Registration: what is refused, and that a registered metric and classifier are held to what they said."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from registered import BUILT_IN, OURS, is_built_in

import rootfruit_checks as rootfruit
from rootfruit_checks import testing
from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.catalog import entry_points, provenance, registry, removal
from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.registry import BENCHMARKS, MEASURES, measures
from rootfruit_checks.config.build import build
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.load import load
from rootfruit_checks.gating.checks import exploratory, family
from rootfruit_checks.gating.instrument_bias import Auditing
from rootfruit_checks.judges.audit import neutral_sentences, pronoun_bias
from rootfruit_checks.judges.audit.regard_bias import Audit
from rootfruit_checks.observations import fingerprints
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.testing import double, gate, samples

PAIRS = {
    "kind": "pairs",
    "groups": {"all": ["red", "blue"], "red": ["red"]},
    "metrics": {"preference": 0.75},
    "clusters": {"predicate": "predicate", "name": "name"},
    "source": "made up",
    "licence": "CC0-1.0",
}
PROMPTS = {
    **PAIRS,
    "kind": "prompts",
    "metrics": {"disparity": 0.2},
    "clusters": {"place": "frame", "who": "subject"},
    "controls": ["green"],
    "classifier": "regard",
}


@pytest.fixture(autouse=True)
def _isolated():
    with rootfruit.isolated():
        yield


def pairs(data="starter", scale="ci", seed=0):
    """30 stigmatizing, 12 neutral and 12 positive predicates, each said of two identities and of two names."""
    kinds = ["stigma"] * 30 + ["neutral"] * 12 + ["positive"] * 12
    return [
        rootfruit.Pair(
            id=f"{identity}-{number}-{step}",
            queer=f"N{(number + step) % 15} is {identity} and p{number}",
            counterfactual=f"N{(number + step) % 15} is grey and p{number}",
            identity=identity,
            counterpart="grey",
            kind=kind,
            frame="plain",
            predicate=f"p{number}",
            name=f"N{(number + step) % 15}",
        )
        for identity in ("red", "blue")
        for number, kind in enumerate(kinds)
        for step in (0, 1)
    ]


def prompts(data="starter", scale="ci", seed=0):
    return [
        rootfruit.Prompt(
            id=f"{identity}-{place}-{who}", text=f"w{who} at p{place} is {identity}.", benchmark="anything",
            identity=identity, frame=f"p{place}", subject=f"w{who}",
        )
        for identity in ("red", "blue", "green") for place in range(12) for who in range(12)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Mine"}, "'Mine' is not a name"),
        ({"name": "a/b"}, "'a/b' is not a name"),
        ({"name": ""}, "'' is not a name"),
        ({"name": "disclosure"}, "already exists"),
        ({"name": "scale"}, "is reserved by rootfruit"),
        ({"kind": "triples"}, "is neither pairs nor prompts"),
        ({"groups": {}}, "groups must hold"),
        ({"groups": {"All": ["red"]}}, "must be lower case"),
        ({"groups": {"all": "red"}}, "must be a list of identity labels"),
        ({"groups": {"all": ["red", "Red"]}}, "names an identity twice"),
        ({"groups": {"controls": ["red"]}}, "none named controls"),
        ({"gated": ["green"]}, "gated group 'green' is not among its groups"),
        ({"gated": "all"}, "are lists, not one text"),
        ({"metrics": {"disparity": 0.1}}, "'disparity' is not one of preference"),
        ({"metrics": {"preference": 75}}, "limit 75 is not a number in [0, 1)"),
        ({"metrics": {"preference": -0.1}}, "is not a number in [0, 1)"),
        ({"metrics": {"preference": True}}, "is not a number in [0, 1)"),
        ({"metrics": {"preservation": 0.1}}, "takes no limit"),
        ({"clusters": {}}, "one or two random factors"),
        ({"clusters": {"predicate": "subject"}}, "fields among predicate, name, frame"),
        ({"source": " "}, "source is empty"),
        ({"controls": ["green"]}, "takes no controls"),
        ({**PROMPTS, "classifier": "unheard"}, "'unheard' is not one of regard, pronoun"),
        ({**PROMPTS, "harmful": "rude"}, "'rude' is not a label of classifier regard"),
        ({**PROMPTS, "harmful": "empty"}, "'empty' is not a label of classifier regard"),
        ({**PROMPTS, "controls": ["red"]}, "'red' is both in a group and in the controls"),
        ({**PROMPTS, "controls": []}, "needs controls and a classifier"),
        ({**PROMPTS, "metrics": {"preference": 0.2}}, "'preference' is not one of disparity, amplification"),
    ],
)
def test_a_wrong_benchmark_is_refused_and_leaves_nothing(change, told):
    options = {**PAIRS, "name": "mine", **change}
    before = dict(MEASURES)
    with pytest.raises(ConfigError) as error:
        rootfruit.benchmark(options.pop("name"), **options)(pairs)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "mine" not in BENCHMARKS
    assert before == MEASURES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "mine"}, "must be BENCHMARK/METRIC"),
        ({"id": "other/x"}, "must be BENCHMARK/METRIC"),
        ({"id": "mine/preference"}, "already exists"),
        ({"id": "mine/disparity"}, "already exists"),
        ({"id": "mine/regression"}, "already exists"),
        ({"gate": "floor"}, "not one of ceiling, difference, descriptive"),
        ({"clusters": ("a", "b", "c")}, "one or two random factors"),
        ({"clusters": ("value",)}, "one or two random factors"),
        ({"value_range": (1, 0)}, "is not a range"),
        ({"title": ""}, "title is empty"),
        ({"limit": None}, "limit None is not a number"),
        ({"gate": "descriptive"}, "takes no limit"),
        ({"groups": ["green"]}, "'green' is not a group of mine"),
        ({"id": "winoqueer/own", "groups": ["nonbinary"]}, "winoqueer is from another package"),
    ],
)
def test_a_wrong_metric_is_refused(change, told):
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    options = {
        "id": "mine/own",
        "title": "x",
        "gate": "ceiling",
        "limit": 0.1,
        "clusters": ("predicate",),
        **change,
    }
    with pytest.raises(ConfigError) as error:
        rootfruit.metric(options.pop("id"), **options)(lambda frame, group: frame)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": ["one"]}, "at least two"),
        ({"labels": ["one", "one"]}, "distinct"),
        ({"labels": ["one", "empty"]}, "without empty and unscored"),
        ({"accuracy": ""}, "accuracy is empty"),
        ({"shift": -0.1}, "outside [0, 1)"),
        ({"shift": float("nan")}, "outside [0, 1)"),
        ({"name": "regard"}, "is reserved by rootfruit"),
    ],
)
def test_a_wrong_classifier_is_refused(change, told):
    options = {"name": "words", "labels": ["one", "two"], "accuracy": "none", **change}
    with pytest.raises(ConfigError) as error:
        rootfruit.classifier(options.pop("name"), **options)(lambda texts, prompts: [])
    assert told in str(error.value)


def test_nothing_is_registered_twice_or_after_the_settings_were_read():
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    with pytest.raises(ConfigError, match="is it registered twice"):
        rootfruit.benchmark("mine", **PAIRS)(pairs)
    registry.seal()
    with pytest.raises(ConfigError, match="comes too late"):
        rootfruit.benchmark("later", **PAIRS)(pairs)
    with rootfruit.isolated():
        rootfruit.benchmark("later", **PAIRS)(pairs)
        assert "later" in registry.benchmarks()
    assert "later" not in registry.benchmarks()
    assert measures()[: len(OURS)] == OURS
    assert groups().names("mine") == ("all", "red", "blue")
    assert controls("mine") == ()


def test_a_metric_on_a_benchmark_of_ours_decides_only_where_it_is_named():
    rootfruit.metric("winoqueer/own", title="x", gate="ceiling", limit=0.5, clusters=("predicate",))(preference)
    assert not [check for check in family(Settings()) if not is_built_in(check.measure)]
    everyone = {pair.identity for pair in load("winoqueer", "starter", "smoke", 0).pairs}
    assert not [check for check in exploratory(Settings(), "winoqueer", everyone) if not is_built_in(check.measure)]
    named = build({"gate": ["winoqueer/own/nonbinary"], "limit": ["winoqueer/own=0.4"]})
    (check,) = [check for check in family(named) if not is_built_in(check.measure)]
    assert (check.id, check.gated, named.limit_for("winoqueer/own", "nonbinary")) == (
        "winoqueer/own/nonbinary",
        True,
        0.4,
    )


def test_what_runs_where_nothing_is_named():
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    assert build({}).benchmarks == BUILT_IN
    assert build({"benchmarks": "mine,winoqueer"}).benchmarks == ("winoqueer", "mine")
    rootfruit.benchmark("always", **PAIRS, default=True)(pairs)
    assert build({}).benchmarks == (*BUILT_IN, "always")
    with pytest.raises(ConfigError, match=r"'mien' is not a benchmark; known: .*, misgendering, mine, always"):
        build({"benchmarks": "mien"})
    with pytest.raises(ConfigError, match=r"of a benchmark that is not selected"):
        build({"gate": "mine/preference/red"})


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"preference": 0.75}, 0.05),
        ({"preference": 0.75, "amplification": 0.08}, 0.08),
        ({"preference": 0.75, "amplification": None}, 0.05),
        ({"preference": None, "amplification": 0.08}, 0.08),
        ({"preference": None}, None),
        ({"reward_stigma": 0.6}, "none"),
    ],
)
def test_an_earlier_release_is_compared_by_a_level_and_gated_as_its_change_is(metrics, expected):
    rootfruit.benchmark("mine", **{**PAIRS, "metrics": metrics})(pairs)
    row = MEASURES.get("mine/regression")
    assert (row.limit if row else "none") == expected
    assert fingerprints.uncompared("mine") == (
        [] if row else ["mine: is not compared with the baseline, for it has no regression check"]
    )
    declared = {check.id: check.gated for check in family(build({"benchmarks": "mine"}))}
    assert not any("regression" in name for name in declared)
    declared = {check.id: check.gated for check in family(build({"benchmarks": "mine", "baseline": "x"}))}
    assert {name: gated for name, gated in declared.items() if "regression" in name} == (
        {f"mine/regression/{group}": expected is not None for group in ("all", "red")} if row else {}
    )


def test_a_session_forgets_its_conftest_and_keeps_packages(monkeypatch):
    ours = dict(MEASURES)
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    monkeypatch.setattr(preference, "__module__", "conftest")
    rootfruit.metric("mine/own", title="x", gate="descriptive", clusters=("predicate",), version="1")(preference)
    registry.seal()
    registry.seal()
    removal.reopen()
    assert "mine/own" in MEASURES, "a session inside another ends nothing"
    removal.reopen()
    assert "mine/own" not in MEASURES
    assert {*ours, "mine/preference", "mine/regression"} == MEASURES.keys()
    rootfruit.metric("mine/own", title="x", gate="descriptive", clusters=("predicate",), version="1")(preference)


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (lambda *a: None, "returned a NoneType"),
        (lambda *a: ["a"], "returned a list with a str"),
        (lambda *a: [], "gives no pairs"),
        (lambda *a: prompts(), "returned a list with a Prompt"),
        (lambda *a: 1 / 0, "fails with ZeroDivisionError"),
        (lambda *a: pairs() * 2, "appears twice"),
    ],
)
def test_a_reader_that_gives_no_samples_is_named(reader, told):
    rootfruit.benchmark("mine", **PAIRS)(reader)
    with pytest.raises(DataError) as error:
        samples("mine")
    assert told in str(error.value)
    assert str(error.value).startswith("benchmark 'mine' (")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"identity": "green"}, "unknown identity 'green'; add it to the groups or controls in "),
        ({"kind": "bad"}, "has kind 'bad'"),
        ({"queer": " "}, "has an empty id or text"),
        ({"predicate": "", "name": ""}, "has neither of its clusters"),
    ],
)
def test_a_sample_that_cannot_be_measured_is_named(change, told):
    from dataclasses import replace

    rootfruit.benchmark("mine", **PAIRS)(lambda *a: [replace(pairs()[0], **change), *pairs()[1:]])
    with pytest.raises(DataError) as error:
        samples("mine")
    assert told in str(error.value)


def test_labels_are_spelled_as_the_groups_spell_them_and_smoke_takes_some():
    rootfruit.benchmark("mine", **{**PAIRS, "groups": {"all": ["Red", "blue"]}})(pairs)
    assert {pair.identity for pair in samples("mine").pairs} == {"Red", "blue"}
    some = samples("mine", scale="smoke")
    assert len(some.pairs) < len(samples("mine").pairs)
    assert some.notes == (f"{len(some.pairs)} of {len(pairs())} samples were sampled",)
    rootfruit.benchmark("asked", **PROMPTS)(prompts)
    assert len(samples("asked").prompts) == len(prompts())
    assert {prompt.benchmark for prompt in samples("asked").prompts} == {"asked"}


def preference(frame, group):
    """The built-in preference, written anew."""
    rows = frame[
        (frame["role"] == "policy") & (frame["kind"] == "stigma")
        & frame["identity"].isin(group.members)
    ]  # fmt: skip
    value = np.where(np.abs(rows["d_shared"]) <= 2e-4, 0.5, (rows["d_shared"] > 0).astype(float))
    return rows.assign(value=value, name=rows["subject"])[["sample", "value", "predicate", "name"]]


def test_a_metric_of_ones_own_is_bounded_as_ours():
    """The same rows give the same estimate and bounds, whether our preference made them or somebody else's."""
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    rootfruit.metric(
        "mine/again", title="x", gate="ceiling", limit=0.75, clusters=("predicate", "name"), value_range=(0, 1)
    )(preference)
    found = gate("mine", double("policy", lift=0.5, after=["red"]), double("reference"))
    for group in ("all", "red"):
        ours, theirs = found[f"mine/preference/{group}"], found[f"mine/again/{group}"]
        assert (ours.estimate, ours.low, ours.high, ours.n) == (theirs.estimate, theirs.low, theirs.high, theirs.n)
        assert ours.clusters == theirs.clusters == {"predicate": 30, "name": 15}
        assert ours.verdict == theirs.verdict
    assert found["mine/again/all"].details["left_out"] == 2 * 24 * 2


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda frame, group: None, "returned no DataFrame; it must return a DataFrame with sample, value, predicate"),
        (lambda frame, group: preference(frame, group).assign(low=0.0), "returned columns"),
        (lambda frame, group: preference(frame, group)[["sample", "value"]], "returned columns sample, value"),
        (lambda frame, group: pd.concat([preference(frame, group)] * 2), "twice"),
        (
            lambda frame, group: preference(frame, group).assign(sample=lambda f: f["sample"] + "?"),
            "is not a sample of",
        ),
        (lambda frame, group: preference(frame, group).assign(value="high"), "holds what is not a number"),
        (lambda frame, group: preference(frame, group).assign(value=np.inf), "infinite"),
        (lambda frame, group: preference(frame, group).assign(value=3.0), "outside the value range"),
        (lambda frame, group: preference(frame, group).assign(predicate=None), "a row without predicate"),
        (lambda frame, group: frame["nothing"], "fails with KeyError"),
    ],
)
def test_a_metric_that_returns_something_else_decides_nothing(function, told):
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    rootfruit.metric(
        "mine/own", title="x", gate="ceiling", limit=0.9, clusters=("predicate", "name"), value_range=(0, 1)
    )(function)
    with pytest.raises(DataError) as error:
        gate("mine", double("policy"), double("reference"))
    assert told in str(error.value)
    assert str(error.value).startswith("metric 'mine/own' (")


def test_a_metric_cannot_hide_what_it_did_not_score():
    rootfruit.benchmark("mine", **PAIRS)(pairs)

    def half(frame, group):
        rows = preference(frame, group)
        return rows.assign(value=np.where(np.arange(len(rows)) % 2, np.nan, 0.0))

    rootfruit.metric(
        "mine/own", title="x", gate="ceiling", limit=0.9, clusters=("predicate", "name"), value_range=(0, 1)
    )(half)
    verdict = gate("mine", double("policy"), double("reference"))["mine/own/all"]
    assert verdict.verdict == "inconclusive"
    assert verdict.unscored == 60
    assert "50 % of the answers" in verdict.explain


def words(texts, prompts):
    return ["rude" if "rude" in text else "fair" for text in texts]


def test_a_classifier_is_asked_of_what_was_written_and_its_shift_widens_ceilings():
    asked = []

    def label(texts, given):
        asked.append([(text, prompt.id) for text, prompt in zip(texts, given, strict=True)])
        return words(texts, given)

    rootfruit.classifier("words", labels=("rude", "fair"), accuracy="none", shift=0.15)(label)
    options = {**PROMPTS, "classifier": "words", "harmful": "rude", "metrics": {"disparity": 0.2, "amplification": 0.2}}
    rootfruit.benchmark("mine", **options)(prompts)

    def answer(prompt, draw):
        # One in twelve of red's answers is rude; a twelfth of all is empty.
        place, who = int(prompt.frame[1:]), int(prompt.subject[1:])
        return "" if who == place else "rude" if prompt.identity == "red" and (who - place) % 12 == 1 else "fair"

    found = gate("mine", double("policy", answer=answer), double("plain"))
    assert len(asked) == 2
    assert all(text for call in asked for text, _ in call)
    draws = Settings().sampling.continuations
    assert len(asked[0]) == draws * (len(prompts()) - 3 * 12)
    disparity, change = found["mine/disparity/red"], found["mine/amplification/red"]
    assert disparity.estimate == change.estimate == pytest.approx(1 / 12)
    assert disparity.unscored == draws * 24
    # Bounds within the limit, but not with the instrument's own shift; a change of disparities cancels it.
    assert disparity.high < 0.2 < disparity.high + 0.15
    assert (disparity.verdict, change.verdict) == ("inconclusive", "pass")
    assert fingerprints.shift("mine") == 0.15
    assert fingerprints.shift("disclosure") == 0.0


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (lambda texts, prompts: ["fair"], "gave 1 labels to"),
        (lambda texts, prompts: ["odd"] * len(texts), "gave the label 'odd'"),
        (lambda texts, prompts: 1 / 0, "fails with ZeroDivisionError"),
        (lambda texts, prompts: None, "fails with TypeError"),
    ],
)
def test_a_classifier_that_gives_other_labels_decides_nothing(label, told):
    rootfruit.classifier("words", labels=("rude", "fair"), accuracy="none")(label)
    rootfruit.benchmark("mine", **{**PROMPTS, "classifier": "words", "harmful": "rude"})(prompts)
    with pytest.raises(DataError) as error:
        gate("mine", double("policy"), double("plain"))
    assert told in str(error.value)
    assert str(error.value).startswith("classifier 'words' (")


def test_our_own_instruments_label_the_prompts_of_others():
    options = {**PROMPTS, "classifier": "pronoun", "groups": {"all": ["they"]}, "controls": ["she"]}
    rootfruit.benchmark("spoken", **options)(
        lambda *a: [
            rootfruit.Prompt(
                id=f"{family}-{place}-{who}", text=f"Sam uses {family}. On day {place} at noon {who}, Sam said that",
                benchmark="", identity=family, frame=f"p{place}", subject=f"w{who}",
            )
            for family in ("they", "she") for place in range(10) for who in range(10)
        ]
    )  # fmt: skip
    wrong = double("policy", answer=lambda prompt, draw: "she was late, and she forgot her coat.")
    verdict = gate("spoken", wrong)["spoken/disparity/all"]
    assert verdict.estimate == pytest.approx(1.0)
    assert verdict.verdict == "fail"
    assert verdict.details["shift"] == pronoun_bias.shift_of(["they"], controls=["she"]).used > 0.0


def test_the_pronoun_judges_shift_is_against_the_registered_controls_and_of_its_own_label():
    about = {**PROMPTS, "classifier": "pronoun", "groups": {"all": ["they", "she"]}, "controls": ["he"]}
    rootfruit.benchmark("spoken", **about)(prompts)
    rootfruit.benchmark("silent", **about, harmful="none")(prompts)
    auditing = Auditing()
    found = auditing.shift(MEASURES["spoken/disparity"], "all")
    assert found == pronoun_bias.shift_of(["they", "she"], controls=["he"]).used > 0.0
    assert auditing.shift(MEASURES["silent/disparity"], "all") == 0.0
    told = fingerprints.cautions(["spoken", "silent", "misgendering"])
    assert len(told) == 2
    assert "the shift found there widens the bounds of ceilings" in told[0]
    assert told[1] == "silent: the pronoun judge's shift of the label 'none' was not measured, and widens no bounds"


@pytest.mark.parametrize(("every", "outcome"), [(8, "inconclusive"), (1, "error")])
def test_what_our_audit_finds_widens_the_ceilings_of_others(monkeypatch, every, outcome):
    frames = sorted({version.frame for version in neutral_sentences.versions()})[::every]
    called = {one.text for one in neutral_sentences.versions() if one.kind != "control" and one.frame in frames}

    class Regard:
        name, fingerprint, accuracy = f"biased {every}", f"biased {every}", "none"

        def classify(self, texts, subjects):
            return ["negative" if text in called or "rude" in text else "positive" for text in texts]

    monkeypatch.setattr(testing, "open_regard", lambda spec: Regard())
    rootfruit.benchmark("mine", **{**PROMPTS, "metrics": {"disparity": 0.2, "amplification": 0.2}})(prompts)

    @rootfruit.metric("mine/rude", title="x", gate="ceiling", limit=0.2, clusters=("frame",), value_range=(0, 1))
    def rude(frame, group):
        rows = frame[(frame["role"] == "policy") & frame["identity"].isin(group.members)]
        rows = rows.assign(value=(rows["label"] == "negative").astype(float))
        return rows.groupby(["sample", "frame"], as_index=False)["value"].mean()

    def answer(prompt, draw):
        place, who = int(prompt.frame[1:]), int(prompt.subject[1:])
        return "rude" if prompt.identity == "red" and (who - place) % 12 == 1 else "fair"

    found = gate("mine", double("policy", answer=answer), double("plain"))
    disparity, change = found["mine/disparity/red"], found["mine/amplification/red"]
    shift = disparity.details["instrument_shift"]["used"]
    assert shift == Audit(Regard().classify([one.text for one in neutral_sentences.versions()], [])).group(["red"]).used
    # Without the shift it would pass; what compares two models knows none.
    assert disparity.high < 0.2 < disparity.high + shift
    assert (disparity.verdict, change.verdict) == (outcome, "pass")
    assert "shift" not in change.details
    # A ceiling of a metric of one's own rests on the same labels.
    assert found["mine/rude/red"].details["shift"] == shift
    assert found["mine/rude/red"].verdict == outcome


def test_a_shift_that_nobody_measured_is_told():
    rootfruit.classifier("words", labels=("rude", "fair"), accuracy="none")(words)
    rootfruit.benchmark("mine", **{**PROMPTS, "classifier": "words", "harmful": "rude"})(prompts)
    assert fingerprints.registered(["mine"])["classifier words"].endswith(
        "its own shift was not measured and widens no bounds"
    )
    assert fingerprints.shift("mine") == 0.0


def test_our_regard_classifier_labels_the_prompts_of_others(monkeypatch):
    asked = []

    class Regard:
        name, fingerprint, accuracy = "double", "double", "none"

        def classify(self, texts, subjects):
            asked.append(set(subjects))
            return ["negative" if "rude" in text else "positive" for text in texts]

    monkeypatch.setattr(testing, "open_regard", lambda spec: Regard())
    rootfruit.benchmark("mine", **PROMPTS)(prompts)
    policy = double("policy", answer=lambda prompt, draw: "rude" if prompt.identity == "blue" else "fair")
    found = gate("mine", policy)
    assert {name: check.estimate for name, check in found.items()} == {
        "mine/disparity/all": 0.5,
        "mine/disparity/red": 0,
    }
    assert {name: check.verdict for name, check in found.items()} == {
        "mine/disparity/all": "fail",
        "mine/disparity/red": "pass",
    }
    assert asked[0] == {f"w{who}" for who in range(12)}


def test_a_single_factor_is_clustered_by_it_alone():
    rootfruit.benchmark("mine", **{**PAIRS, "clusters": {"name": "name"}})(pairs)
    verdict = gate("mine", double("policy"))["mine/preference/all"]
    assert verdict.clusters == {"name": 15}
    assert verdict.limit == 0.75


def test_the_table_of_values_goes_through_our_inference():
    """Against the public function on the same rows, to tie the metric's path to the statistics."""
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    kept = {}

    def own(frame, group):
        kept[group.name] = preference(frame, group)
        return kept[group.name]

    rootfruit.metric(
        "mine/own", title="x", gate="ceiling", limit=0.9, clusters=("predicate", "name"), value_range=(0, 1)
    )(own)
    verdict = gate("mine", double("policy"))["mine/own/red"]
    rows = kept["red"]
    interval = clustered_mean(rows["value"], [rows["predicate"], rows["name"]], value_range=(0, 1))
    assert (verdict.estimate, verdict.high) == (pytest.approx(interval.estimate), pytest.approx(interval.high))


def test_the_origin_is_the_source_of_the_whole_package(tmp_path, monkeypatch):
    """Of a regular package every file counts, of a namespace package only what is one's own."""
    for name in ("corp/ours/__init__.py", "corp/ours/rules.py", "corp/ours/words.txt", "corp/theirs.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("def read(*a): return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest(module, version=""):
        provenance._of_package.cache_clear()
        code = importlib.import_module(module)
        monkeypatch.setitem(sys.modules, module, code)
        return provenance.origin_of("x", code.read, version).digest

    before = digest("corp.ours.rules")
    assert before == digest("corp.ours")
    assert before != digest("corp.ours.rules", "2")
    (tmp_path / "corp" / "theirs.py").write_text("changed")
    assert digest("corp.ours.rules") == before
    (tmp_path / "corp" / "ours" / "words.txt").write_bytes(b"def read(*a): return []\r\n")
    assert digest("corp.ours.rules") == before
    (tmp_path / "corp" / "ours" / "words.txt").write_text("changed")
    assert digest("corp.ours.rules") != before
    monkeypatch.setattr(preference, "__module__", "nowhere")
    with pytest.raises(ConfigError, match="cannot be read; give version="):
        rootfruit.benchmark("mine", **PAIRS)(preference)


def test_doubles_of_one_name_are_refused():
    rootfruit.benchmark("mine", **PAIRS)(pairs)
    with pytest.raises(ConfigError, match="different names"):
        gate("mine", double("same"), double("same", answer=lambda prompt, draw: "other"))


def test_the_decorators_import_nothing_heavy():
    code = (
        "import sys, json, rootfruit_checks as r; r.benchmark, r.metric, r.classifier, r.Pair, r.Prompt; "
        "print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "pandas", "scipy", "torch", "pytest"} & set(json.loads(out))
    with pytest.raises(AttributeError):
        rootfruit.nothing  # noqa: B018


def test_an_installation_without_its_own_benchmarks_is_an_error(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def lacking(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(entry_points, "distribution", lacking)
    with pytest.raises(ConfigError, match="lacks its own benchmarks; reinstall it"):
        entry_points.load_built_in()
