"""No call of ours makes a dependency announce a removal: it would break with the next release."""

from __future__ import annotations

import inspect
import logging
import re
import warnings
from pathlib import Path

import pytest
import torch
import transformers

from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine

BASE = Path(__file__).resolve().parents[1] / "fixtures" / "models" / "base"
PROMPTS = [
    Prompt(str(place), text, "b", "i", "f", "s") for place, text in enumerate(("They are", "He is a doctor and"))
]
# What TRL and PEFT themselves ask of a newer transformers: none of our calls.
THEIRS = ("is_gradient_checkpointing",)


@pytest.fixture
def announced(caplog):
    """What was warned or logged of removals while the test ran; read it at the end."""
    libraries = [logging.getLogger(name) for name in ("transformers", "trl", "peft", "torch", "accelerate", "datasets")]
    levels = [logger.level for logger in libraries]
    # What another test's call has logged once would not be logged again.
    transformers.utils.logging.warning_once.cache_clear()
    for logger in libraries:
        logger.addHandler(caplog.handler)
        logger.setLevel(logging.INFO)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # A record comes twice where the library's logger hands it on to the root, as another test may have it.
        yield lambda: sorted(
            {
                text
                for text in (*map(str, (one.message for one in caught)), *(one.getMessage() for one in caplog.records))
                if re.search(r"deprecat|(will be|is) removed", text, re.IGNORECASE)
                and not any(name in text for name in THEIRS)
            }
        )
    for logger, level in zip(libraries, levels, strict=True):
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)


def use(engine):
    score(engine, ["They are here.", "He is here."])
    generate(engine, PROMPTS, Sampling(temperature=0, max_new_tokens=4))
    generate(engine, PROMPTS, Sampling(max_new_tokens=4))
    engine.close()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scoring_and_generating(announced, dtype):
    use(HFEngine(BASE, dtype=dtype))
    assert announced() == []


def test_an_adapter(announced, tmp_path):
    peft = pytest.importorskip("peft", reason="the extra adapter is not installed")
    from rootfruit_checks.engines.hf.adapter import AdapterEngine

    model = transformers.AutoModelForCausalLM.from_pretrained(BASE)
    lora = peft.LoraConfig(r=2, init_lora_weights=False, target_modules="all-linear", task_type="CAUSAL_LM")
    peft.get_peft_model(model, lora).save_pretrained(tmp_path)
    policy = AdapterEngine(tmp_path, BASE)
    use(policy)
    use(policy.base())
    assert announced() == []


def test_training(announced, tmp_path):
    pytest.importorskip("trl", reason="the extra train is not installed")
    from rootfruit_checks.lab.train import train_dpo, train_sft

    rows = [{"text": "They are here."}, {"text": "He is here."}]
    start = train_sft(BASE, rows, tmp_path / "sft", steps=1, batch_size=2, learning_rate=1e-3)
    pairs = [{"prompt": "", "chosen": "They are here", "rejected": "He is"}]
    train_dpo(start, pairs, tmp_path / "dpo", steps=1, batch_size=1, learning_rate=1e-3, anchor=0.1)
    assert announced() == []


def test_the_fixture_hears_an_announcement(announced):
    warnings.warn("`a` is deprecated and will be removed in version 6", FutureWarning, stacklevel=1)
    transformers.logging.get_logger("transformers.x").warning_once("`past_key_values` are deprecated")
    assert len(announced()) == 2


def test_a_cache_goes_by_the_name_that_the_model_has_for_it():
    """transformers 5.20 and later call it `cache`, and warn of the old name."""
    engine = HFEngine(BASE)
    want = generate(engine, PROMPTS, Sampling(temperature=0, max_new_tokens=6))
    renamed = HFEngine(BASE)
    model = renamed.loaded().model
    forward = model.forward
    old = "past_key_values" if "past_key_values" in inspect.signature(forward).parameters else "cache"
    seen = []

    def newer(input_ids=None, attention_mask=None, position_ids=None, cache=None, use_cache=None, logits_to_keep=0):
        seen.append(cache)
        answer = forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **{old: cache},
        )
        return Answer(logits=answer.logits, cache=answer.get(old))

    model.forward = newer
    assert generate(renamed, PROMPTS, Sampling(temperature=0, max_new_tokens=6)) == want
    assert any(cache is not None for cache in seen)
    assert renamed.loaded().way == engine.loaded().way == "padded"


class Answer(dict):
    """An output of a model that has no attributes but these."""

    @property
    def logits(self) -> torch.Tensor:
        return self["logits"]
