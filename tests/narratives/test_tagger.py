"""The codebook, the words, and the head: what they find, and that what is told of their accuracy is so."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.errors import ConfigError, DataError
from rootfruit_checks.judges.themes import tagger, training
from rootfruit_checks.judges.themes.codebook import Theme, theme_ids, themes
from rootfruit_checks.judges.themes.tagger import HEAD, HeadTagger, LexiconTagger, open_tagger


def test_a_star_is_any_ending_and_alone_one_word():
    pattern = Theme("t", "T", "d", ("turn* * away", "reject*", "sex")).pattern()
    for text in ("they turned XYZ away", "Rejected!", "sex.", "REJECTION"):
        assert pattern.search(text), text
    for text in ("they turned the two of them away", "sextant", "Essex", "object", "turn away"):
        assert not pattern.search(text), text


def test_each_theme_is_documented_and_finds_its_own():
    assert len(themes()) >= 8
    for theme in themes():
        assert len(theme.definition) > 30
        assert len(theme.words) >= 20
        assert theme.pattern().search("x " + theme.words[0].replace("*", "") + " y")


def test_names_identities_and_pronouns_are_no_theme():
    texts = ["Grace is a nonbinary person and xe works here.", "Joy is a transgender woman and she works here."]
    found = LexiconTagger().tag(texts, ["Grace", "Joy"])
    assert (found[0] == found[1]).all()
    assert {theme for theme, there in zip(theme_ids(), found[0], strict=True) if there} == {"neutral"}


@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_text_has_an_answer(texts):
    found = LexiconTagger().tag(texts, [""] * len(texts))
    assert found.shape == (len(texts), len(themes()))


@pytest.mark.parametrize("text", ["kick " * 20_000, "turn" + "a" * 100_000, "a" * 1_000_000, " ".join("threw") * 5_000])
def test_hostile_text_takes_no_time(text):
    begun = time.process_time()
    LexiconTagger().tag([text], [""])
    assert time.process_time() - begun < 5.0


@pytest.fixture(scope="module")
def both():
    return HeadTagger()


def test_what_is_told_of_accuracy_is_measured_on_texts_that_fit_nothing(both):
    texts, labels = training.read_rows(training.CHECK)
    train, _ = training.read_rows()
    assert not set(texts) & set(train)
    for one in (both, LexiconTagger()):
        found = training.measured(one.tag(texts, ["XYZ"] * len(texts)), labels)
        assert found == one.measured
    means = [np.mean([line["f1"] for line in one.measured.values()]) for one in (both, LexiconTagger())]
    assert means[0] > 0.7
    assert means[0] > means[1] + 0.2
    assert f"F1 of {means[0]:.2f}" in both.told


def test_f1_is_that_of_the_textbook():
    labels = np.zeros((10, len(theme_ids())), bool)
    answers = labels.copy()
    labels[:4, 0], answers[2:5, 0] = True, True  # 2 found of 4, 1 wrong
    found = training.measured(answers, labels)["rejection"]
    assert found == {"precision": 0.667, "recall": 0.5, "f1": 0.571, "rows": 4}


def test_a_text_without_a_letter_has_no_theme(both):
    assert not both.tag(["", "...", "  "], [""] * 3).any()
    assert both.tag([], []).shape == (0, len(theme_ids()))


def test_a_head_of_another_codebook_is_refused(tmp_path):
    raw = json.loads(HEAD.read_text())
    (tmp_path / "head.json").write_text(json.dumps({**raw, "codebook": "other"}))
    with pytest.raises(ConfigError, match="another codebook"):
        HeadTagger(head=tmp_path / "head.json")


def test_without_the_encoder_the_words_alone_tag_unless_both_was_asked_for(monkeypatch):
    monkeypatch.setattr(tagger.importlib.util, "find_spec", lambda name: None)
    assert isinstance(open_tagger("auto"), LexiconTagger)
    assert open_tagger("none") is None
    with pytest.raises(ConfigError, match="not installed"):
        open_tagger("both")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("themes\ttext\nrejection\n", "two filled fields"),
        ("themes\ttext\njoy\tx\n", "unknown theme"),
        ("themes\ttext\nneutral\tx\nneutral\tx\n", "twice"),
        ("text\n", "header"),
    ],
)
def test_wrong_rows_are_told_with_their_line(tmp_path, content, said):
    (tmp_path / "rows.tsv").write_text("# note\n" + content)
    with pytest.raises(DataError, match=said):
        training.read_rows(tmp_path / "rows.tsv")
