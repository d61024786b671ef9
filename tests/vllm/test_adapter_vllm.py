"""A LoRA adapter under vLLM gives what it gives under transformers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.factory import open_engine
from rootfruit_checks.engines.hf.adapter import AdapterEngine
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.vllm.adapter import VLLMAdapterEngine

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
peft = pytest.importorskip("peft")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    lora = peft.LoraConfig(
        r=4, lora_alpha=40, init_lora_weights=False, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    where = tmp_path_factory.mktemp("adapter")
    peft.get_peft_model(model, lora).save_pretrained(where)
    return where, BASE


def test_greedy_texts_equal_those_of_transformers_and_the_tree_scores(adapter, tmp_path):
    settings = build({"model": str(adapter[0]), "engine": "vllm"})
    engine = open_engine(str(adapter[0]), settings)
    hf, base = AdapterEngine(*adapter), HFEngine(adapter[1])
    texts = [pair.queer for pair in starter_pairs()[::700]]
    for one, other in zip(score(engine, texts), score(hf, texts), strict=True):
        np.testing.assert_array_equal(one.logprobs, other.logprobs)
    prompts = starter_misgendering()[::200][:20]
    greedy = Sampling(temperature=0, max_new_tokens=10)
    mine, theirs, without = (generate(each, prompts, greedy) for each in (engine, hf, base))
    assert sum(one == other for one, other in zip(mine, theirs, strict=True)) >= 0.95 * len(prompts)
    # The adapter says something, so that agreement means something.
    assert sum(one != other for one, other in zip(mine, without, strict=True)) > len(prompts) / 2
    for each in (engine, hf, base):
        each.close()


def test_what_vllm_does_not_serve_is_refused_before_it_starts(adapter, tmp_path):
    where = shutil.copytree(adapter[0], tmp_path / "dora")
    config = json.loads((where / "adapter_config.json").read_text())
    (where / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(EngineError, match="vLLM supports plain LoRA, not use_dora"):
        VLLMAdapterEngine(where, adapter[1])
