"""Every architecture of the zoo is scored and continued as plain transformers does, one text at a time, or refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
import transformers
import zoo

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.hf.probes import Way

WAYS = get_args(Way)
PROMPTS = [Prompt(str(place), text, "zoo", "", "", "") for place, text in enumerate(zoo.PROMPTS)]
GREEDY = Sampling(temperature=0, max_new_tokens=zoo.STEPS, batch_size=len(PROMPTS))


def logits(model, ids):
    """One text, no padding, no mask, no cache."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()


def continuation(model, ids):
    drawn = []
    while len(drawn) < zoo.STEPS and drawn[-1:] != [2]:
        drawn.append(int(logits(model, ids + drawn)[-1].argmax()))
    return drawn


def plain_model(kind, folder):
    """The model as transformers loads it; None where a release of transformers cannot run its own model."""
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    try:
        logits(model, [1, 5])
    except AttributeError:
        return None
    return model


@pytest.mark.parametrize("name", zoo.ZOO)
def test_an_architecture_gives_the_numbers_of_plain_transformers(tmp_path, name):
    entry = zoo.ZOO[name]
    model = zoo.build(entry, tmp_path)
    plain = None if entry.path == "refused" else plain_model(type(model), tmp_path)
    if plain is None:
        why = entry.why if entry.path == "refused" else "cannot score a text"
        for use, asked in ((score, [zoo.TEXTS]), (generate, [PROMPTS, GREEDY])):
            with pytest.raises(EngineError, match=why) as refusal:
                use(HFEngine(tmp_path), *asked)
            assert "\n" not in str(refusal.value)
        return
    engine = HFEngine(tmp_path, batch_size=4, block_tokens=64)
    scores = score(engine, zoo.TEXTS)
    if entry.path == "tree":
        assert engine.record["scoring"] == "prefix tree"
    else:
        assert engine.record["scoring"].startswith("flat (")
        assert entry.why in engine.record["scoring"]
    drawn = generate(engine, PROMPTS, GREEDY)
    # A later transformers may give a model the standard cache, so a faster way is no fault.
    assert WAYS.index(engine.loaded().way) <= WAYS.index(entry.way)

    words = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text, one in zip(zoo.TEXTS, scores, strict=True):
        ids = [1, *words(text, add_special_tokens=False)["input_ids"]]
        want = logits(plain, ids).log_softmax(-1)[range(len(ids) - 1), ids[1:]]
        np.testing.assert_allclose(one.logprobs, want.numpy(), atol=1e-3, rtol=0)
    for prompt, one in zip(PROMPTS, drawn, strict=True):
        want = continuation(plain, words(prompt.text)["input_ids"])
        assert (one.text, one.tokens) == (words.decode(want, skip_special_tokens=True), len(want))
    # Answers differ among texts, so that agreement means something.
    assert np.std([one.total for one in scores]) > 1
    assert len({one.text for one in drawn}) > 1


def test_the_zoo_is_large_and_its_texts_are_longer_than_its_windows():
    assert len(zoo.ZOO) >= 60
    assert sum(entry.path != "refused" for entry in zoo.ZOO.values()) >= 45
    words = zoo.tokenizer()
    assert max(len(words(text)["input_ids"]) for text in zoo.TEXTS) > 24
    assert len({len(words(text)["input_ids"]) for text in zoo.PROMPTS}) == len(zoo.PROMPTS)
    assert max(len(words(text)["input_ids"]) for text in zoo.PROMPTS) > 8
