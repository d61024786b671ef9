"""Ray workers on this machine: the contract, the gate's result, a worker killed in mid-run, Ctrl-C.

Run by ci/ray in an environment that has Ray. Starting it takes seconds, so the tests share one where they can.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from contract import CHECKS, GREEDY, TEXTS, Case, prompts
from stored import units, writes

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.hf import engine as hf
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.ray import pool as ray_pool
from rootfruit_checks.engines.ray.engine import RayEngine
from rootfruit_checks.engines.ray.pool import Pool, Recipe
from rootfruit_checks.engines.work_units import Unit
from rootfruit_checks.gating.checks import family
from rootfruit_checks.results.json_result import as_json
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.store.store import Store

ray = pytest.importorskip("ray")
ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fixtures" / "models"
SMALL = {"scale": "smoke", "block_tokens": "48", "batch_size": "8", "max_new_tokens": "12"}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A Ray that is not ours to stop."""
    with mock.patch.dict(os.environ, {"RAY_USAGE_STATS_ENABLED": "0"}):
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=1 << 27)
    yield
    ray.shutdown()


def make(name, **options):
    return RayEngine(partial(HFEngine, MODELS / name, block_tokens=24, batch_size=4), workers=2, **options)


@contextmanager
def nothing_starts():
    fault = AssertionError("weights were loaded or workers started")
    with mock.patch.object(hf, "load_model", side_effect=fault), mock.patch.object(Pool, "__init__", side_effect=fault):
        yield


@pytest.fixture(scope="module")
def case(cluster):
    case = Case(make=lambda: make("base"), other=lambda: make("sft"), forbid_loading=nothing_starts)
    yield case
    case.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, case):
    check(case)


class Killer:
    """Progress that kills a worker in mid-work, by its process id, each time that so many units are there."""

    def __init__(self, every):
        self.every, self.steps, self.killed = every, 0, []

    def start(self, what, total):
        pass

    def step(self):
        self.steps += 1
        if self.steps % self.every == 0:
            pid = Pool._shared.pids()[len(self.killed) % 2]
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)

    def finish(self):
        pass


def measured(engine, store, benchmarks, progress=None):
    options = {**SMALL, "model": str(MODELS / "sft_dpo"), "reference": str(MODELS / "sft")}
    more = {"workers": "2"} if engine == "ray" else {}
    settings = build({**options, **more, "engine": engine, "benchmarks": benchmarks, "store": str(store)})
    run = measure(settings, progress=progress)
    told = {"checks": [as_json(run.verdict(check)) for check in family(settings)], "run": as_json(run.info)}
    assert told["run"]["settings"].pop("engine") == engine
    return json.dumps(told), run


def stored_units(store):
    with Store(store) as held:
        return {(namespace, key): value for namespace, key, value in units(held)}


def test_a_worker_killed_in_mid_run_changes_nothing(case, tmp_path):
    want, alone = measured("hf", tmp_path / "one", "winoqueer,misgendering")
    killer = Killer(every=alone.computed // 4)
    got, run = measured("ray", tmp_path / "ray", "winoqueer,misgendering", killer)
    assert len(killer.killed) >= 3
    assert len(set(killer.killed)) == len(killer.killed), "a killed worker was not replaced"
    assert got == want
    assert run.computed == alone.computed
    assert stored_units(tmp_path / "ray") == stored_units(tmp_path / "one")
    with Store(tmp_path / "ray") as held:
        assert max(writes(held).values()) == 1


def test_a_store_begun_by_one_process_is_ended_by_ray(case, tmp_path):
    want, alone = measured("hf", tmp_path / "one", "winoqueer")
    with Store(tmp_path / "one") as held, Store(tmp_path / "half") as half:
        for place, (namespace, key, value) in enumerate(units(held)):
            if place % 2 and not key.startswith(("record:", "winoqueer-")):
                half.put(namespace, key, value)
    got, run = measured("ray", tmp_path / "half", "winoqueer")
    assert got == want
    assert 0 < run.computed < alone.computed


def test_what_the_cluster_cannot_place_is_refused(case):
    case.close()
    engine = RayEngine(partial(HFEngine, MODELS / "base"), workers=99)
    with pytest.raises(EngineError, match="--rootfruit-workers: 99 Ray workers need a CPU each"):
        generate(engine, prompts(TEXTS), GREEDY)
    engine.close()


def test_a_fault_in_a_worker_is_one_line(case):
    """A unit that fails, and one that takes down each worker that tries it."""
    case.close()

    def poison(fault):
        def run_task(self, task):
            fault()

        return lambda: type("Poison", (), {"fingerprint": "poison", "run_task": run_task, "close": lambda self: None})()

    def breaks():
        raise ValueError("a shape is wrong\nand more")

    user = mock.Mock()
    with mock.patch.object(ray_pool, "_RETRIES", 1):
        pool = Pool.shared(user, None, 2, None)
        for fault, told in ((breaks, "a shape is wrong"), (lambda: os._exit(1), "a Ray worker failed")):
            with pytest.raises(EngineError, match=told) as error:
                list(pool.stream(Recipe(poison(fault), "poison"), [Unit("k", 1, None)]))
            assert "\n" not in str(error.value)
    Pool.leave(user)
    assert Pool._shared is None


def test_what_we_did_not_start_we_do_not_stop(case):
    engine = case.engine
    engine._one(hf.Probe([(86, 301)], root=0))
    pids = Pool._shared.pids()
    case.close()
    assert Pool._shared is None
    assert ray.is_initialized()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


# -- from the command line: here the Ray is ours -----------------------------------------------------------------------


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def marked(mark):
    """Command lines of the processes that were started with this mark in their environment, zombies apart."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100])
        except OSError:  # not a process, not ours, or gone
            continue
    return found


def gate(tmp_path, engine, out, mark=""):
    command = [
        *(sys.executable, "-m", "pytest", "bias_tests", "-q", "-p", "no:cacheprovider"),
        *(f"--model={MODELS / 'sft_dpo'}", f"--reference={MODELS / 'sft'}", f"--rootfruit-engine={engine}"),
        *(f"--rootfruit-{key.replace('_', '-')}={value}" for key, value in SMALL.items()),
        *(f"--rootfruit-store={tmp_path / engine}", f"--rootfruit-json={tmp_path / out}"),
        *(["--rootfruit-workers=2"] if engine == "ray" else []),
    ]
    environment = {**os.environ, "ROOTFRUIT_TEST_MARK": mark}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def stored(directory):
    try:
        return len(stored_units(directory))
    except Exception:
        return 0


def test_ctrl_c_loses_nothing_and_leaves_nothing_running(tmp_path):
    mark = uuid.uuid4().hex
    one = gate(tmp_path, "hf", "one.json")
    said, _ = one.communicate(timeout=500)
    assert one.returncode in {0, 1}, said[-3000:]

    stopped = gate(tmp_path, "ray", "stopped.json", mark)
    wait_until(lambda: stored(tmp_path / "ray") >= 10 or stopped.poll() is not None, 300)
    assert any("raylet" in line for line in marked(mark))
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=200)
    assert stopped.returncode == 2, said[-3000:]
    wait_until(lambda: not marked(mark))
    before = stored_units(tmp_path / "ray")
    assert 10 <= len(before) < len(stored_units(tmp_path / "hf"))

    resumed = gate(tmp_path, "ray", "ray.json", mark)
    said, _ = resumed.communicate(timeout=500)
    assert resumed.returncode == one.returncode, said[-3000:]
    wait_until(lambda: not marked(mark))
    assert stored_units(tmp_path / "ray") == stored_units(tmp_path / "hf")
    want, got = ((tmp_path / name).read_text() for name in ("one.json", "ray.json"))
    assert got == want.replace('"engine": "hf"', '"engine": "ray"')
    assert got != want
