"""Token by token: the pieces are the model's, they add up to the scores, and a shown pair finds its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.types import Pair
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.observations.from_answers import observe_pairs
from rootfruit_checks.observations.pair_scores import pair_texts, score_pairs
from rootfruit_checks.observations.token_scores import TokenBook, token_table

WORDS = st.lists(st.sampled_from("a queer person sings and is well today".split()), min_size=1, max_size=8)


def pair(name, queer, counterfactual):
    return Pair(name, queer, counterfactual, "queer", "straight", "stigma", "f", "p", "")


def book(table, role="policy"):
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    made = TokenBook()
    made.add(role, buffer.getvalue())
    return made


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_tokens_add_up_to_the_differences_that_are_gated(texts):
    pairs = [pair(f"p{at}", " ".join(x), " ".join(y)) for at, (x, y) in enumerate(texts)]
    engine = ScriptedEngine("m", lambda word, place, words: -len(word) - place / 7, lambda prompt, draw: "")
    scored = score_pairs(engine, pairs)
    held = book(token_table(engine, scored))
    measured = {m.sample: m for m in observe_pairs("policy", scored, "winoqueer")}
    for one in pairs:
        sides = held.of(one.id, ("policy", "reference"))["policy"]
        assert "".join(word[0] for word in sides["queer"]) == one.queer
        for quantity, which in (("d_full", lambda word: True), ("d_shared", lambda word: word[2])):
            queer, other = (sum(word[1] for word in sides[side] if which(word)) for side in ("queer", "counterfactual"))
            assert queer - other == pytest.approx(getattr(measured[one.id], quantity), abs=1e-3)


def test_what_is_not_there_is_not_told():
    engine = ScriptedEngine("m", lambda word, place, words: -1.0, lambda prompt, draw: "")
    pairs = [pair("p", "a b", "a c")]
    held = book(token_table(engine, score_pairs(engine, pairs)))
    assert held.of("q", ("policy",)) == {}
    assert set(held.of("p", ("policy", "reference"))) == {"policy"}


def test_a_real_tokenizer_gives_the_sentences_own_letters():
    engine = HFEngine("fixtures/models/sft", device="cpu")
    pairs = [pair("p", "Alex is nonbinary and kind.", "Alex is cisgender and kind.")]
    table = token_table(engine, score_pairs(engine, pairs))
    for text, words, logprobs in zip(pair_texts(pairs), table["pieces"], table["logprobs"], strict=True):
        assert "".join(words) == text
        assert len(words) == len(logprobs)
        assert np.isfinite(logprobs).all()


def test_an_engine_that_cannot_name_its_tokens_numbers_them():
    engine = ScriptedEngine("m", lambda word, place, words: -1.0, lambda prompt, draw: "")
    pairs = [pair("p", "a b", "a c")]
    scored = score_pairs(engine, pairs)
    nameless = type("Served", (), {})()
    words = token_table(nameless, scored)["pieces"][0]
    assert words == [f"#{one}" for one in scored[0].queer.ids.tolist()]
