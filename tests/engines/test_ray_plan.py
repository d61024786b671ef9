"""What of the Ray engine needs no Ray: its plan is the transformers engine's, and its worker computes the same."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from contract import DRAWN, GREEDY, TEXTS, Kept, prompts
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.errors import ConfigError, EngineError
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.factory import open_engine
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.ray import llm
from rootfruit_checks.engines.ray.engine import RayEngine
from rootfruit_checks.engines.ray.pool import Recipe, Worker

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"
MAKE = partial(HFEngine, MODELS / "base", block_tokens=24, batch_size=4)


@pytest.fixture(scope="module")
def probed():
    """Units that hold the probe of the tree, as a run that began in one process leaves them."""
    kept = Kept()
    score(MAKE(), TEXTS, kept)
    return kept


def test_plan_keys_and_fingerprint_are_those_of_one_process(probed):
    engine, ray = MAKE(), RayEngine(MAKE)
    assert ray.fingerprint == engine.fingerprint
    for mine, theirs in (
        (ray.plan_scores(TEXTS, probed), engine.plan_scores(TEXTS, probed)),
        (ray.plan_generation(prompts(TEXTS), DRAWN), engine.plan_generation(prompts(TEXTS), DRAWN)),
    ):
        assert [(unit.key, unit.cost) for unit in mine.units] == [(unit.key, unit.cost) for unit in theirs.units]
    assert ray.record == engine.record
    ray.close()


def test_a_run_that_another_process_finished_needs_no_ray(probed):
    engine = RayEngine(MAKE)
    with mock.patch.dict(sys.modules, {"ray": None}):
        answers = score(engine, TEXTS, probed)
    assert [answer.total for answer in answers] == [answer.total for answer in score(MAKE(), TEXTS, probed)]


def test_without_ray_one_line_says_how_to_get_it():
    engine = RayEngine(MAKE)
    with mock.patch.dict(sys.modules, {"ray": None}), pytest.raises(EngineError) as told:
        score(engine, TEXTS)
    assert 'pip install "rootfruit-checks[ray]"' in str(told.value)
    assert "\n" not in str(told.value)
    engine.close()


def test_a_worker_computes_what_one_process_computes(probed):
    worker, engine = Worker(), MAKE()
    recipe = pickle.loads(pickle.dumps(Recipe(MAKE, engine.fingerprint)))
    for work in (engine.plan_scores(TEXTS, probed), engine.plan_generation(prompts(TEXTS), DRAWN)):
        want = dict(work.compute(work.units))
        for unit in work.units:
            task = pickle.loads(pickle.dumps(unit.task))
            assert worker.run(recipe, unit.key, task) == (unit.key, want[unit.key], "")


def test_a_worker_holds_one_model_at_a_time(probed):
    base, sft = MAKE(), HFEngine(MODELS / "sft", block_tokens=24)
    worker, task = Worker(), base.plan_scores(TEXTS, probed).units[0].task
    worker.run(Recipe(MAKE, base.fingerprint), "k", task)
    first = worker._engine
    assert first._model is not None
    worker.run(Recipe(MAKE, base.fingerprint), "k", task)
    assert worker._engine is first, "the weights were loaded again"
    make = partial(HFEngine, MODELS / "sft", block_tokens=24)
    worker.run(Recipe(make, sft.fingerprint), "k", task)
    assert first._model is None
    assert worker._engine.fingerprint == sft.fingerprint


def test_a_worker_that_sees_other_weights_refuses(probed):
    task = MAKE().plan_scores(TEXTS, probed).units[0].task
    key, value, fault = Worker().run(Recipe(MAKE, "the fingerprint of something else"), "k", task)
    assert (key, value) == ("k", None)
    assert "different weights" in fault
    gone = partial(HFEngine, MODELS / "no such model")
    assert "no such directory" in Worker().run(Recipe(gone, "?"), "k", task)[2]


def test_options_apply_or_are_refused():
    settings = build({"engine": "ray", "workers": "3", "model": str(MODELS / "base")})
    assert settings.workers == 3
    assert not {"workers", "ray_address"} & settings.explain().keys()
    for wrong in ({"workers": "3"}, {"ray_address": "10.0.0.1:6379"}, {"workers": "2", "engine": "hf"}):
        with pytest.raises(ConfigError, match="--rootfruit-engine=ray"):
            build(wrong)
    engine = open_engine(str(MODELS / "base"), settings)
    assert isinstance(engine, RayEngine)
    assert engine.fingerprint == open_engine(str(MODELS / "base"), build({})).fingerprint
    engine.close()


# -- vLLM in Ray workers: what goes in, what comes out -----------------------------------------------------------------


def test_vllm_is_another_fingerprint_and_the_same_plan():
    engine, vllm = RayEngine(MAKE), RayEngine(MAKE, vllm=llm.VLLM(MODELS / "base"))
    others = [llm.VLLM(MODELS / "base", dtype="bfloat16"), llm.VLLM(MODELS / "base", gpu=False)]
    prints = {engine.fingerprint, vllm.fingerprint, *(RayEngine(MAKE, vllm=other).fingerprint for other in others)}
    assert len(prints) == 4
    assert RayEngine(MAKE, vllm=llm.VLLM(MODELS / "base", workers=8)).fingerprint == vllm.fingerprint
    plans = [e.plan_generation(prompts(TEXTS), DRAWN) for e in (engine, vllm)]
    assert plans[0].units == plans[1].units
    assert "vLLM" in vllm.record["generation"]


def test_vllm_gets_token_ids_no_template_and_the_settings_sampling():
    told = llm.VLLM(Path("/models/x"), dtype="bfloat16").options(workers=4, longest=77)
    assert told["model_source"] == "/models/x"
    assert told["concurrency"] == 4
    assert told["engine_kwargs"]["max_model_len"] == 77
    assert told["engine_kwargs"]["dtype"] == "bfloat16"
    assert told["engine_kwargs"]["enable_prefix_caching"]
    assert told["engine_kwargs"]["generation_config"] == "vllm"
    assert not any(told[f"{stage}_stage"] for stage in ("chat_template", "tokenize", "detokenize"))
    engine = MAKE()
    for sampling in (GREEDY, DRAWN):
        work = engine.plan_generation(prompts(TEXTS), sampling)
        rows = llm.rows(work.units, [2], seeded=True)
        assert len(rows) == len(TEXTS) * sampling.continuations
        texts = [engine.tokenizer.decode(row["tokenized_prompt"], skip_special_tokens=True) for row in rows]
        assert sorted(texts) == sorted(TEXTS * sampling.continuations)
        for row in rows:
            assert row["sampling_params"]["temperature"] == sampling.temperature
            assert row["sampling_params"]["top_p"] == sampling.top_p
            assert row["sampling_params"]["max_tokens"] == sampling.max_new_tokens
            assert ("seed" in row["sampling_params"]) == (sampling is DRAWN)
        seeds = [row["sampling_params"]["seed"] for row in rows] if sampling is DRAWN else []
        assert len(set(seeds)) == len(seeds)
        assert all(0 <= seed < 2**63 for seed in seeds)
        assert not any("seed" in row["sampling_params"] for row in llm.rows(work.units, [2], seeded=False))


@given(st.randoms(use_true_random=False))
def test_answers_are_put_together_in_whatever_order_they_come(rng: random.Random):
    work = PLAN
    rows = llm.rows(work.units, [2], seeded=True)
    rng.shuffle(rows)
    gather, held = llm.Gather(work.units, [2]), {}
    for row in rows:
        name = f"{row['unit'][:8]} {row['place']}"
        value = gather.add(row["unit"], row["place"], [5, 2 if row["place"] else 7], name)
        if value is not None:
            held[row["unit"]] = value
    answers = work.answers(held)
    assert [(a.prompt_id, a.draw) for a in answers] == [(p.id, draw) for p in prompts(TEXTS) for draw in (0, 1)]
    for unit in work.units:
        for place, name in enumerate(unit.task.names):
            (answer,) = [a for a in answers if (a.prompt_id, a.draw) == name]
            assert answer.text == f"{unit.key[:8]} {place}"
            assert answer.finish == ("eos" if place else "length")


PLAN = MAKE().plan_generation(prompts(TEXTS), DRAWN)


def test_what_ends_a_continuation_is_what_ends_it_in_one_process(tmp_path):
    def ends(told, config):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(MODELS / "base", folder)
        known = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(known | config))
        (folder / "generation_config.json").unlink(missing_ok=True)
        if told is not None:
            (folder / "generation_config.json").write_text(json.dumps(told))
        engine = RayEngine(partial(HFEngine, folder))
        asked = engine._plan
        model = asked.loaded().model.generation_config.eos_token_id
        several = model if isinstance(model, list) else [model]
        assert asked.stops == sorted({*several, asked.tokenizer.eos_token_id}), "transformers read it otherwise"
        engine.close()
        return asked.stops

    eos = MAKE().tokenizer.eos_token_id
    assert ends({"eos_token_id": [9, 4]}, {"eos_token_id": 7}) == sorted({9, 4, eos})
    assert ends(None, {"eos_token_id": [7, 8]}) == sorted({7, 8, eos})  # no such file: the configuration's


def test_vllm_is_chosen_where_it_is_installed_and_there_is_a_gpu():
    def chosen(installed, device, here):
        with (
            mock.patch.object(llm, "version", return_value=installed),
            mock.patch("torch.cuda.is_available", return_value=here),
        ):
            return llm.chosen(MODELS / "base", "float32", device, 3, trust_remote_code=False)

    assert chosen("0.32.0", "auto", True) == llm.VLLM(MODELS / "base", "float32", 3, False)
    assert chosen("0.32.0", "cuda", False) is not None  # the GPUs are the cluster's
    for nothing in (("", "cuda", True), ("0.32.0", "cpu", True), ("0.32.0", "auto", False)):
        assert chosen(*nothing) is None
