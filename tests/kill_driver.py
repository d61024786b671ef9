"""Runs a measurement in child processes that are killed at random moments; run by test_kill.py, not collected.

Usage: kill_driver.py MODEL REFERENCE BENCHMARK STORE KILLS SEED; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import torch
import transformers  # noqa: F401  imported before the forks, which then start in no time

from rootfruit_checks.config.build import build
from rootfruit_checks.engines.hf import engine, generation, tree_forward  # noqa: F401
from rootfruit_checks.gating.checks import family
from rootfruit_checks.results.json_result import as_json
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.store.store import Store

torch.set_num_threads(1)


def decided(settings, out):
    run = measure(settings)
    rows = [as_json(run.verdict(check)) for check in family(settings)]
    value = {"checks": rows, "run": as_json(run.info), "computed": run.computed}
    Path(out).write_text(json.dumps(value))


def units(store):
    try:
        with sqlite3.connect(f"file:{store}/units.sqlite?mode=ro", uri=True, timeout=5) as db:
            return db.execute("SELECT count(*) FROM units").fetchone()[0]
    except sqlite3.Error:
        return 0


def main():
    model, reference, benchmark, store, kills, seed = sys.argv[1:]
    rng = random.Random(int(seed))
    options = {"model": model, "reference": reference, "benchmarks": benchmark, "scale": "smoke"}
    options |= {"block_tokens": "24", "batch_size": "3", "max_new_tokens": "12"}
    killed_in_work = 0
    for _ in range(int(kills)):
        before = units(store)
        goal = before + rng.randint(1, 5)
        child = os.fork()
        if child == 0:
            decided(build({**options, "store": store}), f"{store}.json")
            os._exit(0)
        while units(store) < goal:
            if os.waitpid(child, os.WNOHANG)[0]:
                raise SystemExit("the run ended before it could be killed; give it more units")
            time.sleep(0.002)
        time.sleep(rng.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed_in_work += 1
    stored = units(store)
    for target in (store, f"{store}-undisturbed"):
        child = os.fork()
        if child == 0:
            decided(build({**options, "store": target}), f"{target}.json")
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the run after the kills failed")
    with Store(store) as held:
        writes = [row[0] for row in held._db.execute("SELECT writes FROM units")]
    results = [json.loads(Path(f"{target}.json").read_text()) for target in (store, f"{store}-undisturbed")]
    computed = [result.pop("computed") for result in results]
    print(json.dumps({
        "killed": killed_in_work, "same": results[0] == results[1], "writes": max(writes), "units": len(writes),
        "stored_before": stored, "computed_after": computed[0], "computed_undisturbed": computed[1],
        "checks": len(results[0]["checks"]),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
