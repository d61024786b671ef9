"""The gate with `--rootfruit-engine=vllm`, and a worker of vLLM's that is killed in the midst of its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stored import writes

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.stored_units import StoredUnits
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fixtures" / "models"


PAIR = (f"--rootfruit-model={MODELS / 'sft_dpo'}", f"--rootfruit-reference={MODELS / 'sft'}")
REAL = os.environ.get("ROOTFRUIT_SMOLLM2")


def run_gate(engine, store, result, models=PAIR):
    command = [
        *(sys.executable, "-m", "pytest", "bias_tests", "-q", "--tb=line", "-p", "no:cacheprovider"),
        *(*models, f"--rootfruit-engine={engine}", "--rootfruit-scale=smoke", f"--rootfruit-store={store}"),
        f"--rootfruit-json={result}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(result.read_text())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    work = tmp_path_factory.mktemp("gate")
    return {engine: run_gate(engine, work / engine, work / f"{engine}.json") for engine in ("vllm", "hf")}, work


def test_the_gate_runs_on_vllm(results):
    gated = [check for check in results[0]["vllm"]["checks"] if check["gated"]]
    assert gated
    assert all(check["n"] and check["verdict"] in {"pass", "fail", "inconclusive"} for check in gated)
    for role in ("policy", "reference"):
        record = results[0]["vllm"]["run"][role]
        assert record["engine"].startswith("vllm")
        assert "seed" in record["draws"]
        assert "log-probs of the prompt" in record["scoring"]


@pytest.mark.skipif(not REAL, reason="ROOTFRUIT_SMOLLM2 names no directory")
def test_the_gate_runs_on_a_real_model(tmp_path):
    models = (f"--rootfruit-model={REAL}", "--rootfruit-absolute-only")
    result = run_gate("vllm", tmp_path / "store", tmp_path / "result.json", models)
    gated = [check for check in result["checks"] if check["gated"]]
    assert {check["benchmark"] for check in gated} == {"winoqueer", "disclosure", "misgendering"}
    assert all(check["n"] and check["verdict"] in {"pass", "fail", "inconclusive"} for check in gated)


def test_what_is_scored_gets_the_figures_and_verdicts_of_transformers(results):
    vllm, hf = (
        {check["id"]: check for check in results[0][engine]["checks"] if check["benchmark"] == "winoqueer"}
        for engine in ("vllm", "hf")
    )
    assert vllm.keys() == hf.keys()
    for key, check in vllm.items():
        assert check["verdict"] == hf[key]["verdict"], key
        assert check["n"] == hf[key]["n"]
        assert check["estimate"] == pytest.approx(hf[key]["estimate"], abs=0.01), key


def test_a_second_run_starts_no_worker(results, monkeypatch):
    work = results[1]
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "none")  # a worker would end at once
    again = run_gate("vllm", work / "vllm", work / "again.json")
    assert again["checks"] == results[0]["vllm"]["checks"]


class KillAfter(StoredUnits):
    """Units that kill the worker when some are stored."""

    engine: VLLMEngine
    after = 7

    def put(self, key, value):
        super().put(key, value)
        if self.computed == self.after:
            os.kill(self.engine._running[1].pid, signal.SIGKILL)


def test_a_killed_worker_is_an_error_and_the_next_run_goes_on(tmp_path):
    prompts = starter_misgendering()[::3]
    sampling = Sampling(max_new_tokens=64, continuations=4, temperature=2.0, top_p=1.0)
    with Store(tmp_path / "store") as store:
        engine = VLLMEngine(MODELS / "sft")
        units = KillAfter(store, engine.fingerprint, "policy")
        units.engine = engine
        with pytest.raises(EngineError, match="was ended by SIGKILL") as caught:
            generate(engine, prompts, sampling, units)
        log = Path(str(caught.value).partition("; log ")[2].partition(" ends: ")[0])
        assert "vllm" in log.read_text().lower()
        log.unlink()
        assert 7 <= units.computed < 4 * len(prompts)
        again = StoredUnits(store, engine.fingerprint, "policy")
        answers = generate(engine, prompts, sampling, again)
        engine.close()
        assert again.reused == units.computed
        assert again.reused + again.computed == 4 * len(prompts) == len(answers)
        assert set(writes(store).values()) == {1}
