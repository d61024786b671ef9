"""The engines that run here are held to the one contract (see contract.py); others hook in where they are tested."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from contract import CHECKS, Case

from rootfruit_checks.engines.hf import adapter, engine
from rootfruit_checks.engines.hf.adapter import AdapterEngine
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.scripted import ScriptedEngine

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"


@contextmanager
def no_weights() -> Iterator[None]:
    with mock.patch.object(engine, "load_model", side_effect=AssertionError("weights were loaded")):
        yield


@contextmanager
def no_base() -> Iterator[None]:
    with mock.patch.object(adapter, "load_model", side_effect=AssertionError("weights were loaded")):
        yield


def after_bos() -> str:
    """Six greedy tokens after BOS by transformers itself."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(MODELS / "base", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(MODELS / "base")
    start = torch.tensor([[tokenizer.bos_token_id]])
    drawn = model.generate(start, attention_mask=torch.ones_like(start), max_new_tokens=6, do_sample=False)
    return tokenizer.decode(drawn[0, 1:], skip_special_tokens=True)


def hf_case() -> Case:
    return Case(
        make=lambda: HFEngine(MODELS / "base", block_tokens=24, batch_size=4),
        other=lambda: HFEngine(MODELS / "sft", block_tokens=24, batch_size=4),
        forbid_loading=no_weights,
        after_bos=after_bos(),
    )


def flat_case() -> Case:
    """The same model, its architecture said not to take the tree."""

    class Flat(HFEngine):
        def _against_tree(self, *_):
            return "a test"

    return Case(
        make=lambda: Flat(MODELS / "base", batch_size=4),
        other=lambda: Flat(MODELS / "sft", batch_size=4),
        many=1_000,  # the tree has had its ten thousand
        forbid_loading=no_weights,
    )


def scripted_case() -> Case:
    def logprob(word, place, words):
        return -1.0 - int(hashlib.sha256(word.encode()).hexdigest(), 16) % 1000 / 100 - place / 7

    def make(name: str) -> ScriptedEngine:
        return ScriptedEngine(name, logprob, lambda prompt, draw: f"{prompt.text[:9]} {draw}", batch=4, longest=200_000)

    return Case(make=lambda: make("one"), other=lambda: make("two"), tolerance=0.0)


def adapter_case() -> Case:
    """Random LoRA weights on the tiny base; the other is the base itself, by the same weights switched off."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(MODELS / "base", dtype=torch.float32)
    lora = peft.LoraConfig(r=4, init_lora_weights=False, target_modules="all-linear", task_type="CAUSAL_LM")
    folder = tempfile.mkdtemp()
    peft.get_peft_model(model, lora).save_pretrained(folder)

    def make() -> AdapterEngine:
        return AdapterEngine(folder, MODELS / "base", block_tokens=24, batch_size=4)

    return Case(make=make, other=lambda: make().base(), many=1_000, forbid_loading=no_base)


CASES = {"hf": hf_case, "hf-flat": flat_case, "adapter": adapter_case, "scripted": scripted_case}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    found = CASES[request.param]()
    yield found
    found.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, case):
    check(case)
