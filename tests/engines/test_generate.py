"""Continuations belong to their sample: no batch, selection or resumption changes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.hf import generation
from rootfruit_checks.engines.hf.engine import HFEngine

ROOT = __import__("pathlib").Path(__file__).resolve().parents[2]
BASE = ROOT / "fixtures" / "models" / "base"
PROMPTS = starter_misgendering()[::97][:24]


@pytest.fixture(scope="module")
def engine():
    return HFEngine(BASE)


def test_greedy_equals_transformers_generate(engine):
    greedy = Sampling(temperature=0, max_new_tokens=12, batch_size=5)
    model = engine.loaded().model
    for prompt, answer in zip(PROMPTS, generate(engine, PROMPTS, greedy), strict=True):
        ids = torch.tensor([engine.tokenizer(prompt.text)["input_ids"]])
        want = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)[
            0, ids.shape[1] :
        ]
        assert answer.text == engine.tokenizer.decode(want, skip_special_tokens=True)
        assert answer.prompt_id == prompt.id


def test_selection_and_batch_size_change_no_answer(engine):
    whole = {a.prompt_id: a.text for a in generate(engine, PROMPTS, Sampling(max_new_tokens=10, batch_size=24))}
    some = {
        a.prompt_id: a.text for a in generate(engine, PROMPTS[5:11][::-1], Sampling(max_new_tokens=10, batch_size=2))
    }
    assert some == {key: whole[key] for key in some}
    assert len(set(whole.values())) > 5


def test_draws_and_seeds_differ(engine):
    twice = list(generate(engine, PROMPTS, Sampling(max_new_tokens=10, continuations=2)))
    assert [(a.prompt_id, a.draw) for a in twice] == [(p.id, d) for p in PROMPTS for d in (0, 1)]
    assert any(a.text != b.text for a, b in zip(twice[::2], twice[1::2], strict=True))
    other = list(generate(engine, PROMPTS, Sampling(max_new_tokens=10, seed=1)))
    assert any(a.text != b.text for a, b in zip(twice[::2], other, strict=True))


def test_drawn_tokens_follow_the_nucleus_distribution():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).repeat(20000, 1)
    chance = torch.from_numpy(np.random.default_rng(0).random(20000))
    drawn = generation._choose(logits, chance, Sampling(temperature=0.7, top_p=0.9))
    p = np.exp(np.array([2.0, 1.0, 0.0, -1.0]) / 0.7)
    p /= p.sum()
    kept = np.cumsum(p) - p < 0.9
    want = np.where(kept, p, 0) / p[kept].sum()
    got = np.bincount(drawn.numpy(), minlength=4) / 20000
    np.testing.assert_allclose(got, want, atol=4 * np.sqrt(0.25 / 20000))


def test_a_flat_distribution_over_a_large_vocabulary_is_drawn_from_whole():
    logits = torch.zeros(4000, 1000)
    chance = torch.from_numpy(np.random.default_rng(1).random(4000))
    drawn = generation._choose(logits, chance, Sampling(top_p=1.0))
    assert len(set(drawn.tolist())) > 900


def test_uniforms_depend_on_the_name_alone():
    np.testing.assert_array_equal(generation.uniforms(0, "a", 1, 8)[:4], generation.uniforms(0, "a", 1, 4))
    assert not np.allclose(generation.uniforms(0, "a", 1, 4), generation.uniforms(0, "a", 2, 4))


def test_a_prompt_without_room_is_refused(engine):
    with pytest.raises(EngineError, match="leaves room for"):
        list(generate(engine, PROMPTS, Sampling(max_new_tokens=250)))
