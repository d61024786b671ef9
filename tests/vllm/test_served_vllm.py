"""The gate on a real server: vLLM behind its OpenAI-compatible interface, on this machine's CPU.

Runs in the venv of ci/vllm alone. The servers are children that this file starts and ends by their process ids.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vllm")

from stored import units, writes

from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.served.engine import ServedEngine
from rootfruit_checks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fixtures" / "models"
KEY = "sk-test-of-the-served-gate-0123"
PATIENCE_S = 300


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`vllm serve` of one model, in a process group of its own."""

    def __init__(self, model, log, port=None):
        self.port = port or free_port()
        environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment |= {"VLLM_NO_USAGE_STATS": "1", "VLLM_API_KEY": KEY}
        # The module and not the command: the CPU wheel's command looks for a package named vllm and does not start.
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(MODELS / model)]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--served-model-name", model]
        command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "128"]
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def ready(self):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise AssertionError(
            f"the server did not start in {PATIENCE_S} s: {self.log.read_text(errors='replace')[-3000:]}"
        )

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The policy's and the reference's server."""
    logs = tmp_path_factory.mktemp("servers")
    made = {name: Server(name, logs / f"{name}.log") for name in ("sft_dpo", "sft")}
    try:
        for server in made.values():
            server.ready()
        yield made
    finally:
        for server in made.values():
            server.kill()


def gate(store, out, *options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "bias_tests", f"--rootfruit-store={store}"]
    command += ["--rootfruit-scale=smoke", f"--rootfruit-json={out}", "-q", *options]
    environment = {**os.environ, "ROOTFRUIT_API_KEY": KEY, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def counted(store):
    try:
        with sqlite3.connect(f"file:{store}/units.sqlite?mode=ro", uri=True, timeout=5) as db:
            return db.execute("SELECT count(*) FROM units").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_a_served_model_answers_as_the_model_itself(servers, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_API_KEY", KEY)
    here, there = HFEngine(MODELS / "sft_dpo"), ServedEngine(servers["sft_dpo"].url)
    prompts = starter_misgendering()[::97][:24]
    texts = [*(prompt.text for prompt in prompts), "", "naïve 🦊 Zé", "A"]
    for mine, true in zip(score(there, texts), score(here, texts), strict=True):
        np.testing.assert_array_equal(mine.ids, true.ids)
        np.testing.assert_allclose(mine.logprobs, true.logprobs, rtol=0, atol=1e-3)
    greedy = Sampling(temperature=0.0, max_new_tokens=12)
    pairs = zip(generate(there, prompts, greedy), generate(here, prompts, greedy), strict=True)
    assert sum(mine == true for mine, true in pairs) >= 0.95 * len(prompts)
    assert there.record["scoring"] == "prompt_logprobs"
    assert there.record["bos"] == "token 1, put there by the server"


def test_the_gate_runs_through_the_client(servers, tmp_path):
    policy, reference = servers["sft_dpo"].url, servers["sft"].url
    options = [f"--model={policy}#sft_dpo", f"--reference={reference}", "--rootfruit-benchmarks=winoqueer"]
    told, _ = (run := gate(tmp_path / "store", tmp_path / "out.json", *options)).communicate(timeout=600)
    assert run.returncode in (0, 1), told
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["complete"], told
    assert {check["verdict"] for check in result["checks"] if check["gated"]} <= {"pass", "fail", "inconclusive"}

    local = [f"--model={MODELS / 'sft_dpo'}", f"--reference={MODELS / 'sft'}", "--rootfruit-benchmarks=winoqueer"]
    told, _ = gate(tmp_path / "local", tmp_path / "local.json", *local).communicate(timeout=600)
    want = {check["id"]: check for check in json.loads((tmp_path / "local.json").read_text())["checks"]}
    assert want.keys() == {check["id"] for check in result["checks"]}
    for check in result["checks"]:
        assert check["verdict"] == want[check["id"]]["verdict"], check["id"]
        for figure in ("estimate", "low", "high"):
            assert check[figure] == pytest.approx(want[check["id"]][figure], abs=2e-3), check["id"]


def test_a_server_killed_in_mid_run_loses_nothing(servers, tmp_path):
    server, store = servers["sft_dpo"], tmp_path / "store"
    options = [f"--model={server.url}", "--rootfruit-absolute-only", "--rootfruit-concurrency=2"]
    run = gate(store, tmp_path / "out.json", *options)
    deadline = time.monotonic() + PATIENCE_S
    while counted(store) < 60:
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    server.kill()
    told, _ = run.communicate(timeout=600)
    assert run.returncode == 1, told
    assert f"{server.url}: cannot be reached or closed the connection" in told
    assert "run again to continue" in told
    result = json.loads((tmp_path / "out.json").read_text())
    assert not result["released"]
    assert {check["verdict"] for check in result["checks"]} == {"error"}
    with Store(store) as held:
        before = writes(held)
        assert all(value for _, _, value in units(held))  # each is read, and matches its digest
    assert len(before) >= 60

    servers["sft_dpo"] = Server("sft_dpo", server.log, server.port).ready()
    told, _ = (run := gate(store, tmp_path / "out.json", *options)).communicate(timeout=600)
    assert run.returncode in (0, 1), told
    assert json.loads((tmp_path / "out.json").read_text())["complete"], told
    with Store(store) as held:
        after = writes(held)
    assert len(after) > len(before)
    assert set(after.values()) == {1}, "a stored unit was computed again"
    for path in [*store.rglob("*"), tmp_path / "out.json"]:
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert KEY not in told
