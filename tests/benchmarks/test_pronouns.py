"""The judge of pronouns against hand-made continuations, and what must never change its answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.benchmarks.families import FAMILIES
from rootfruit_checks.benchmarks.pronouns import judge
from rootfruit_checks.errors import DataError

FILE = Path(__file__).resolve().parents[2] / "fixtures" / "recorded" / "pronoun_judgements.txt"


def cases():
    for number, line in enumerate(FILE.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#"):
            continue
        family, subject, label, noun, text = (part.strip(" ") for part in line.split("|", 4))
        text = text.replace("\\n", "\n").replace("\\u2019", "\u2019")
        yield pytest.param(family, subject, label, noun, text, id=f"line-{number}-{family}-{label}")


CASES = list(cases())


def test_the_set_covers_every_family_and_label():
    assert len(CASES) >= 150
    seen = Counter((case.values[0], case.values[2]) for case in CASES)
    for family in FAMILIES:
        for label in ("consistent", "misgendered", "none", "plural", "other"):
            assert seen[family, label], (family, label)


@pytest.mark.parametrize(("family", "subject", "label", "noun", "text"), CASES)
def test_hand_made_continuations(family, subject, label, noun, text):
    prompt = f"{subject} said so."
    found = judge(text, family, subject, prompt=prompt)
    assert (found.label, found.noun_label) == (label, noun), found


def test_an_unknown_family_is_an_error():
    with pytest.raises(DataError, match=r"families\.py"):
        judge("x", "qui", "Kim")


@given(st.text(max_size=300), st.sampled_from(sorted(FAMILIES)))
def test_no_text_breaks_the_judge_and_spans_hold_their_words(text, family):
    found = judge(text, family, "Kim")
    for one in (*found.pronouns, *found.nouns):
        assert text[one.start : one.end] == one.text


@given(st.sampled_from(sorted(FAMILIES)), st.sampled_from(sorted(FAMILIES)))
def test_a_nominative_is_consistent_in_its_own_family_alone(own, other):
    text = f"{FAMILIES[other].nominative.capitalize()} went home."
    assert judge(text, own, "Kim").label == ("consistent" if own == other else "misgendered")


@pytest.mark.parametrize("case", [pytest.param(case.values, id=case.id) for case in CASES[::7]])
def test_a_sentence_without_people_changes_nothing(case):
    family, subject, label, noun, text = case
    found = judge(f"{text} It rained.", family, subject, prompt=f"{subject} said so.")
    assert (found.label, found.noun_label) == (label, noun)


def test_a_megabyte_is_judged():
    assert judge("he " * 350_000, "he", "Kim").label == "consistent"
