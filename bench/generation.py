"""Generated tokens per second: our whole path over vLLM, a bare `LLM.generate`, and transformers' `generate`.

    python bench/generation.py --model DIRECTORY [--prompts 1024] [--new-tokens 32] [--rounds 3] [--quick]
        [--json [FILE]]

Ours is prompts in, stored completions out: plan, worker, decoding, one store commit an answer. The bare loop gets the
same texts, sampling and vLLM arguments in a process of its own, with vLLM's own defaults for everything else, and
gives texts. Both are loaded and warmed up first and take turns; the figure is the best round of each, for what else the
machine does only slows. Exits 1 where ours is below 95 % of the bare loop. Needs vLLM.

On a machine that is busy with other work the wall clock tells how many processes stand in the queue (the bare loop has
three, ours two). There, on a CPU, give --alike: both run vLLM in one process, and the judgement is by tokens per second
of CPU time. (Without it CPU time is shown but judges nothing: vLLM's own processes wait busily.)
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.benchmarks.disclosure.starter import starter_disclosure
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate
from rootfruit_checks.engines.hf.causal_lm import load_model
from rootfruit_checks.engines.stored_units import StoredUnits
from rootfruit_checks.engines.vllm import pipe
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup
from rootfruit_checks.engines.vllm.worker_process import Worker
from rootfruit_checks.store.store import Store

BAND = 0.95


def bare() -> None:
    """Be the bare loop: told the arguments of LLM, then asked for rounds, it answers (tokens, seconds)."""
    out, source = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)
    from vllm import LLM, SamplingParams

    llm = LLM(**pipe.read(source))
    pipe.write(out, "ready")
    while True:
        try:
            asked = pipe.read(source)
        except EOFError:
            return
        seeds = asked["seeds"] or [None] * len(asked["texts"])
        params = [SamplingParams(**asked["params"], seed=seed) for seed in seeds]
        begun = time.perf_counter()
        answers = llm.generate(asked["texts"], params, use_tqdm=False)
        texts = [answer.outputs[0].text for answer in answers]
        seconds = time.perf_counter() - begun
        assert len(texts) == len(params)
        pipe.write(out, (sum(len(answer.outputs[0].token_ids) for answer in answers), seconds))


def make_bare(engine: VLLMEngine, setup: VLLMSetup, alike: bool) -> Worker:
    """Return a loaded bare loop: what we say of the model, and vLLM's own defaults or (`alike`) our environment."""
    told = setup.arguments("generate", engine.path, engine.limit)
    told = {key: value for key, value in told.items() if key not in {"skip_tokenizer_init", "disable_log_stats"}}
    environment = {**setup.environment()}
    for key in ("VLLM_ENABLE_V1_MULTIPROCESSING", "TORCHDYNAMO_DISABLE", "VLLM_WORKER_MULTIPROCESSING_METHOD"):
        if not alike:
            environment.pop(key, None)
    worker = Worker((sys.executable, "-P", __file__, "--bare"), environment, "the bare loop")
    worker.send(told)
    worker.receive()
    return worker


def cpu_seconds(*pids: int) -> float:
    """Return the CPU seconds used so far by the processes and all they started."""
    import psutil

    mains = [psutil.Process(pid) for pid in pids]
    every = {process for main in mains for process in (main, *main.children(recursive=True))}
    return sum(sum(process.cpu_times()[:2]) for process in every)


def run_bare(worker: Worker, engine: VLLMEngine, prompts: Sequence[Prompt], sampling: Sampling) -> tuple[int, float]:
    """Return tokens and seconds of one round of the bare loop, in our plan's order."""
    units = engine.plan_generation(prompts, sampling).units
    text = {prompt.id: prompt.text for prompt in prompts}
    request = engine.request(units, sampling)
    worker.send({
        "texts": [text[unit.task.names[0][0]] for unit in units],
        "params": request["params"],
        "seeds": request["seeds"],
    })  # fmt: skip
    tokens, seconds = worker.receive()
    return int(tokens), float(seconds)


def run_ours(engine: VLLMEngine, prompts: Sequence[Prompt], sampling: Sampling) -> tuple[int, float]:
    """Return tokens and seconds from prompts to stored completions."""
    with tempfile.TemporaryDirectory() as directory, Store(directory) as store:
        begun = time.perf_counter()
        units = StoredUnits(store, engine.fingerprint, "bench")
        answers = generate(engine, prompts, sampling, units)
        seconds = time.perf_counter() - begun
        assert units.computed == len(answers) == len(prompts)
    return sum(answer.tokens for answer in answers), seconds


def run_transformers(engine: VLLMEngine, prompts: Sequence[Prompt], sampling: Sampling, dtype: str) -> float:
    """Return tokens per second of transformers' generate in batches of 64, shortest prompts first."""
    import torch

    tokenizer = engine.tokenizer
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    loaded = load_model(engine.path, dtype, "auto", allow_pickle=False, trust_remote_code=False)
    ordered = sorted(prompts, key=lambda prompt: len(prompt.text))
    tokens, begun = 0, time.perf_counter()
    for start in range(0, len(ordered), 64):
        inputs = tokenizer([p.text for p in ordered[start : start + 64]], return_tensors="pt", padding=True)
        inputs = {key: inputs[key].to(loaded.device) for key in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            rows = loaded.model.generate(
                **inputs,
                max_new_tokens=sampling.max_new_tokens,
                do_sample=True,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=0,
                pad_token_id=tokenizer.pad_token_id,
            )
        drawn = rows[:, inputs["input_ids"].shape[1] :]
        ends = drawn == tokenizer.eos_token_id
        # Up to and with the first end, as the others count.
        tokens += int((ends.cumsum(dim=1) - ends.long() == 0).sum())
    seconds = time.perf_counter() - begun
    loaded.free()
    return tokens / seconds


def make_prompts(count: int) -> list[Prompt]:
    """Return starter prompts of both kinds, repeated under other ids where more are asked for than there are."""
    some = [*starter_misgendering(), *starter_disclosure()]
    step = max(1, len(some) // count)
    return [
        replace(some[(number * step) % len(some)], id=f"{number}:{some[(number * step) % len(some)].id}")
        for number in range(count)
    ]


def main() -> int:
    # Not at the top: the bare loop's process, which imports this file too, runs without this directory on its path.
    from record import Column, Table, add_option, save

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=1024)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="64 prompts x 16 tokens, two rounds: less than 50 s of measuring on 135M parameters",
    )
    parser.add_argument(
        "--alike", action="store_true", help="run the bare loop's vLLM in one process too, as ours on a CPU"
    )
    parser.add_argument("--without-transformers", action="store_true")
    add_option(parser)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    # Two engines are loaded at once here: they share a GPU.
    setup = VLLMSetup(dtype=arguments.dtype, gpu_memory=None if VLLMSetup().on_cpu else 0.4)
    if arguments.quick:
        arguments.prompts, arguments.new_tokens, arguments.rounds = 64, 16, 2
    prompts, sampling = make_prompts(arguments.prompts), Sampling(max_new_tokens=arguments.new_tokens)
    engine = VLLMEngine(arguments.model, setup)
    loop = make_bare(engine, setup, arguments.alike)
    try:
        for warm in (prompts[:8], prompts):
            run_ours(engine, warm, replace(sampling, max_new_tokens=4))
            run_bare(loop, engine, warm, replace(sampling, max_new_tokens=4))
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for number in range(arguments.rounds):
            # The bare loop's round is asked for from here: its asking is not its work.
            turns = [(ours, run_ours, (engine,), None), (theirs, run_bare, (loop, engine), loop.pid)]
            for rates, run, first, pid in turns if number % 2 == 0 else turns[::-1]:
                before, mine = cpu_seconds(pid or os.getpid()), 0.0 if pid else cpu_seconds(loop.pid)
                tokens, seconds = run(*first, prompts, replace(sampling, seed=number))
                used = cpu_seconds(pid or os.getpid()) - before - (0.0 if pid else cpu_seconds(loop.pid) - mine)
                rates.append((tokens / seconds, tokens / used))
    finally:
        loop.close()
        engine.close()
    print(f"{arguments.model}: {len(prompts)} prompts x {sampling.max_new_tokens} tokens, {arguments.dtype}")
    rows: list[tuple[str | float | None, ...]] = []
    for name, rates in (("ours, stored", ours), ("bare LLM.generate", theirs)):
        wall, cpu = zip(*rates, strict=True)
        shown = ", ".join(f"{rate:.0f}" for rate in wall)
        print(f"{name:22} {max(wall):8.0f} tokens/s (rounds {shown}), {max(cpu):8.0f} per CPU second")
        rows.append((name, max(wall), max(cpu)))
    if not arguments.without_transformers:
        other = run_transformers(engine, prompts, sampling, arguments.dtype)
        print(f"{'transformers.generate':22} {other:8.0f} tokens/s")
        rows.append(("transformers.generate", other, None))
    by_wall, by_cpu = (max(rate[kind] for rate in ours) / max(rate[kind] for rate in theirs) for kind in (0, 1))
    busy = arguments.alike and VLLMSetup().on_cpu and load > (os.cpu_count() or 1)
    ratio = by_cpu if busy else by_wall
    print(f"ours / bare: {by_wall:.3f} by the wall clock, {by_cpu:.3f} by CPU time (at least {BAND})")
    if busy:
        print(f"judged by CPU time: the load before the start was {load:.1f} on {os.cpu_count()} CPUs")
    save(
        arguments.json,
        f"generated tokens per second, {arguments.model.name}",
        [
            Table(
                f"{len(prompts)} prompts x {sampling.max_new_tokens} tokens, {arguments.dtype}, "
                f"best of {arguments.rounds} rounds",
                (Column("how"), Column("tokens/s", "number"), Column("per CPU second", "number")),
                tuple(rows),
                (
                    f"Ours / bare: {by_wall:.3f} by the wall clock, {by_cpu:.3f} by CPU time; judged by "
                    f"{'CPU time' if busy else 'the wall clock'}, at least {BAND}.",
                ),
            )
        ],
        outside=[] if ratio >= BAND else [f"ours / bare is {ratio:.3f}, under {BAND}"],
        versions=("torch", "transformers", "vllm"),
    )
    return 0 if ratio >= BAND else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        bare()
    else:
        sys.exit(main())
