"""vLLM and transformers give the same figures for the same weights."""

from __future__ import annotations

import numpy as np

from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.engines.base import generate, score

# Summed over a sentence, log-probs of equal text differ by about this much between batches (run.NOISE_FLOOR).
NOISE = 2e-4
GREEDY = Sampling(temperature=0, max_new_tokens=16)
PROMPTS = starter_misgendering()[:: len(starter_misgendering()) // 64][:64]


def test_scores_equal_those_of_transformers(engines):
    vllm, hf = engines
    some = starter_pairs()[:: len(starter_pairs()) // 60]
    texts = [text for pair in some for text in (pair.queer, pair.counterfactual)]
    texts += ["", "é 日本 🌱", "a", texts[0]]
    mine, theirs = score(vllm, texts), score(hf, texts)
    assert hf.record["scoring"] == "prefix tree"
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=1e-3)
    worst = max(abs(float(one.total - other.total)) for one, other in zip(mine, theirs, strict=True))
    # As the answer to a turn: its tokens are seen and not summed.
    turn = "user: Write one sentence.\nassistant:"
    for one, other in zip(score(vllm, texts[:9], before=turn), score(hf, texts[:9], before=turn), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=1e-3)
    print(f"{len(texts)} texts: largest difference of a sum {worst:.2g} nats")


def test_greedy_continuations_are_the_same_or_tied(engines):
    vllm, hf = engines
    assert len(PROMPTS) >= 60
    mine, theirs = generate(vllm, PROMPTS, GREEDY), generate(hf, PROMPTS, GREEDY)
    differ = [(p, a, b) for p, a, b in zip(PROMPTS, mine, theirs, strict=True) if a != b]
    print(f"greedy: {len(PROMPTS) - len(differ)} of {len(PROMPTS)} equal")
    assert len(differ) <= 0.05 * len(PROMPTS)
    for prompt, one, other in differ:
        assert _gap(hf, prompt.text, one.text, other.text) < NOISE, (prompt, one, other)


def _gap(hf, prompt, one, other):
    """Return by how much the first two differing tokens differ, in the transformers engine's log-probs."""
    import torch

    stop = hf.tokenizer.eos_token_id
    begin = hf.tokenizer(prompt)["input_ids"]
    rows = [[*hf.encode([text])[0], stop] for text in (one, other)]
    same = next(i for i, (a, b) in enumerate(zip(*rows, strict=False)) if a != b)
    with torch.inference_mode():
        logits = hf.loaded().model(input_ids=torch.tensor([begin + rows[0][:same]])).logits[0, -1].float()
    logprobs = torch.log_softmax(logits, dim=-1)
    return abs(float(logprobs[rows[0][same]] - logprobs[rows[1][same]]))


def test_draws_are_repeated_and_are_not_greedy(engines):
    vllm, _ = engines
    sampling = Sampling(max_new_tokens=12, continuations=2)
    prompts = PROMPTS[:20]
    first = generate(vllm, prompts, sampling)
    assert first == generate(vllm, prompts, sampling)
    assert first != generate(vllm, prompts, Sampling(max_new_tokens=12, continuations=2, seed=1))
    assert any(a.text != b.text for a, b in zip(first[::2], first[1::2], strict=True))
