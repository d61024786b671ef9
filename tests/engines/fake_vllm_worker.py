"""Stands in for vllm_worker.py: answers by arithmetic, and misbehaves on request. Run by tests, not collected.

Usage: fake_vllm_worker.py LOG MODE: appends what it is asked to LOG. MODE: ok, crash-after=N (answers), crash-load,
noise, error, hang, child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rootfruit_checks.engines.vllm import pipe


def answer(ids, params, number):
    if "prompt_logprobs" in params:
        return [-float(token) - place for place, token in enumerate(ids[1:])]
    # The last prompt token, counted up; an even row ends by a stop token.
    tokens = [(ids[-1] + step) % 200 + 5 for step in range(3)]
    return [*tokens, params["stop_token_ids"][0]] if number % 2 == 0 else tokens


def main():
    log, mode = Path(sys.argv[1]), sys.argv[2]
    source, out = sys.stdin.buffer, sys.stdout.buffer
    setup = pipe.read(source)
    with log.open("a") as notes:
        notes.write(json.dumps({"pid": os.getpid(), **setup}) + "\n")
    print("\x1b[31mloading the weights", file=sys.stderr, flush=True)
    if mode == "crash-load":
        print("RuntimeError: the card is on fire", file=sys.stderr, flush=True)
        sys.exit(3)
    if mode == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        log.with_suffix(".child").write_text(str(child.pid))
    pipe.write(out, {"ready": "fake"})
    sent = 0
    while True:
        try:
            message = pipe.read(source)
        except EOFError:
            return
        with log.open("a") as notes:
            notes.write(json.dumps(message) + "\n")
        if mode == "noise":
            out.write(b"hello from a library, on the wrong stream\n")
            out.flush()
        if mode == "error":
            pipe.write(out, {"error": "failed with ValueError: no such kernel"})
            sys.exit(1)
        for number in reversed(range(len(message["rows"]))):  # in another order than asked
            if mode == f"crash-after={sent}":
                print("Fatal: out of everything", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            pipe.write(out, {"answers": [[number, answer(message["rows"][number], message["params"], number)]]})
            sent += 1
            if mode in {"hang", "child"}:
                time.sleep(600)


if __name__ == "__main__":
    main()
