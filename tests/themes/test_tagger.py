"""The codebook, the words, and the head: what they find, and that what is told of their accuracy is so."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.judges.themes import tagger
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
