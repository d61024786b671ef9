"""The program that runs one vLLM engine: `python -m rootfruit_checks.engines.vllm.worker_main`, controlled by frames.

The first message is {"model": arguments of vllm.LLM, "lora": path and rank, or null}, answered by {"ready": version}.
Each further one is {"rows": token ids of every request, "params": arguments of vllm.SamplingParams, "seeds": one per
request or null, "reseed": number or null}, answered by {"answers": [[row number, token ids or log-probs], ...]} as
requests finish. An exception is answered by {"error": one line}, and ends the program.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

from rootfruit_checks.engines.vllm import pipe

_GRACE_S = 5.0


def _listen(stream: BinaryIO, inbox: queue.Queue[Any]) -> None:
    """Pass messages on. When the parent process is gone, end, whatever the engine is doing."""
    try:
        while True:
            inbox.put(pipe.read(stream))
    except (EOFError, OSError, ValueError):
        inbox.put(None)
    time.sleep(_GRACE_S)
    if os.getpgrp() == os.getpid():  # started by `worker.py`, in its own process group
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _run(llm: Any, message: dict[str, Any], out: BinaryIO, lora: dict[str, Any] | None) -> None:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    engine, rows, seeds = llm.llm_engine, message["rows"], message["seeds"]
    params = {**message["params"], "output_kind": RequestOutputKind.FINAL_ONLY, "detokenize": False}
    scores = "prompt_logprobs" in params
    adapter: dict[str, Any] = {}
    if lora is not None:
        from vllm.lora.request import LoRARequest

        adapter = {"lora_request": LoRARequest("policy", 1, lora["path"])}
    if message["reseed"] is not None:
        import torch

        torch.manual_seed(message["reseed"])
    how = SamplingParams(**params)
    for number, ids in enumerate(rows):
        if seeds is not None:
            how = SamplingParams(**params, seed=seeds[number])
        engine.add_request(str(number), {"prompt_token_ids": ids}, how, **adapter)
    while engine.has_unfinished_requests():
        answers: list[tuple[int, Any]] = []
        for answer in engine.step():
            if answer.finished:
                number = int(answer.request_id)
                answers.append((number, _logprobs(answer, rows[number]) if scores else _tokens(answer)))
        if answers:
            pipe.write(out, {"answers": answers})


def _logprobs(answer: Any, ids: list[int]) -> list[float]:
    # A flat object: iterating it would rebuild a dict per token.
    flat = answer.prompt_logprobs
    if list(flat.token_ids) != ids[1:]:
        raise RuntimeError(f"vLLM gave log-probs of {len(flat.token_ids)} other tokens than the {len(ids) - 1} asked")
    return [float(value) for value in flat.logprobs]


def _tokens(answer: Any) -> list[int]:
    return [int(token) for token in answer.outputs[0].token_ids]


def main() -> int:
    """Serve until the input ends; returns the exit status."""
    out = os.fdopen(os.dup(1), "wb")
    # From here on all other output goes to the log, and no child process reads our messages.
    os.dup2(2, 1)
    source = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    inbox: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    try:
        setup = inbox.get()
        if setup is None:
            return 0
        import vllm

        lora = setup.get("lora")
        room = {"enable_lora": True, "max_lora_rank": lora["rank"]} if lora else {}
        llm = vllm.LLM(**setup["model"], **room)
        pipe.write(out, {"ready": vllm.__version__})
        while (message := inbox.get()) is not None:
            _run(llm, message, out, lora)
    except Exception as error:  # the parent process must learn of any error
        traceback.print_exc()
        told = " ".join(str(error).split())[:300]
        pipe.write(out, {"error": f"failed with {type(error).__name__}: {told}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
