"""The vLLM engine: one unit per request, all missing ones submitted at once, each stored when it is finished.

vLLM runs in a separate process (see `worker.py`), one at a time: policy and reference, and generation and scoring, take
turns on one GPU. Generation shares prefixes through vLLM's cache. Scoring must not, because vLLM does not read cached
prefixes when log-probs of the prompt are requested. So each has its own setup.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.base.version import __version__
from rootfruit_checks.engines.hf import generation
from rootfruit_checks.engines.hf.model_dir import ModelDir
from rootfruit_checks.engines.vllm.setup import Mode, VLLMSetup
from rootfruit_checks.engines.vllm.worker_process import Worker
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work, key_of, seed_of


class VLLMEngine(ModelDir):
    """A model directory, run by vLLM.

    Args:
        path: a model directory.
        setup: the settings of vLLM.

    Raises:
        EngineError: the directory holds no causal model that may be loaded.

    """

    # An adapter's path and rank, if there is one (see `vllm_adapter.py`).
    lora: Mapping[str, Any] | None = None

    def __init__(self, path: str | Path, setup: VLLMSetup | None = None) -> None:
        self._setup = VLLMSetup() if setup is None else setup
        super().__init__(path, allow_pickle=self._setup.allow_pickle, trust_remote_code=self._setup.trust_remote_code)
        self.limit = self._setup.limit(self._longest, self.path)
        self._running: tuple[Mode, Worker] | None = None
        self._busy = False
        self._used: dict[str, str] = {}

    # -- identity ------------------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, configuration, tokenizer, dtype, device kind, versions and vLLM's settings."""
        setup = self._setup
        parts = (
            "vllm/2",
            __version__,
            setup.distribution,
            setup.version,
            importlib.metadata.version("torch"),
            importlib.metadata.version("transformers"),
            *self.digests,
            setup.dtype,
            "cpu" if setup.on_cpu else "cuda",
            str(setup.tensor_parallel),
            str(setup.quantization),
            str(self.limit),
            os.environ.get("VLLM_BATCH_INVARIANT", "0"),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """What ran: versions, dtype, device, BOS handling, digests, and how scores and draws were made."""
        setup, (weights, _, tokenizer) = self._setup, self.digests
        told = {
            "engine": f"{setup.distribution} {setup.version}",
            "torch": importlib.metadata.version("torch"),
            "architecture": ", ".join(self._config["architectures"]),
            "dtype": setup.dtype,
            "device": "cpu" if setup.on_cpu else setup.device,
            "bos": self.bos[1],
            "stops": self.ends_in_words,
            "weights": weights[:16],
            "tokenizer": tokenizer[:16],
            "tensor_parallel": str(setup.tensor_parallel),
            "quantization": setup.quantization or "as configured",
            "max_model_len": str(self.limit),
        }
        return {**told, **self._used}

    # -- the process ---------------------------------------------------------------------------------------------------

    def _worker(self, mode: Mode) -> Worker:
        if self._running is not None and self._running[0] == mode and not self._busy:
            return self._running[1]
        self.close()
        worker = Worker(self._setup.worker, self._setup.environment(), f"{self.path}: the vLLM worker")
        self._running, self._busy = (mode, worker), True
        try:
            worker.send({"model": self._setup.arguments(mode, self.path, self.limit), "lora": self.lora})
            worker.receive()
            self._busy = False
        finally:
            if self._busy:
                self.close()
        return worker

    def close(self) -> None:
        """End the process that holds the weights; kill it if it is busy."""
        if self._running is not None:
            self._running[1].close(idle=not self._busy)
            self._running, self._busy = None, False

    def _ask(
        self, mode: Mode, units: Sequence[Unit], request: Mapping[str, Any], read: Callable[[Unit, Any], bytes]
    ) -> Iterator[tuple[str, bytes]]:
        """Submit all units, and yield each as it is finished."""
        worker = self._worker(mode)
        self._busy = True
        left = set(range(len(units)))
        try:
            worker.send(request)
            while left:
                for number, answer in worker.receive()["answers"]:
                    left.remove(number)
                    yield units[number].key, read(units[number], answer)
            self._busy = False
        finally:
            # Also when the caller stops iterating: leftover answers must not be read as those of the next request.
            if left and self._running is not None and self._running[1] is worker:
                self.close()

    # -- scoring -------------------------------------------------------------------------------------------------------

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan the log-probs of each distinct text."""
        context = self.context(before)
        encoded = self.encode(texts, context)
        # vLLM scores a prompt while it generates one more token, so that token must fit too.
        for number, ids in enumerate(encoded):
            if len(ids) + len(context) + 1 > self.limit:
                room = self.limit - len(context) - 1
                raise EngineError(
                    f"{self.path}: text {number} has {len(ids)} tokens and vLLM is set up for {room}; "
                    "raise --rootfruit-max-model-len"
                )
        planned = [
            Unit(key_of("vllm-score/2", context, ids), len(ids), list(ids))
            for ids in sorted({tuple(ids) for ids in encoded if ids})
        ]
        self._used["scoring"] = "log-probs of the prompt, no shared prefixes"

        def compute(missing: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
            request = {
                "rows": [[*context, *unit.task] for unit in missing],
                "params": {"prompt_logprobs": 0, "max_tokens": 1, "temperature": 0, "flat_logprobs": True},
                "seeds": None,
                "reseed": None,
            }
            # A row has a value for every token but the first; only the text's own are kept.
            return self._ask(
                "score",
                missing,
                request,
                lambda unit, row: np.array(row, dtype="<f4")[-len(unit.task) :].tobytes(),
            )

        def answers(held: Mapping[str, bytes]) -> list[TokenScores]:
            found = {tuple(unit.task): np.frombuffer(held[unit.key], dtype="<f4") for unit in planned}
            nothing = np.zeros(0, dtype=np.float32)
            return [TokenScores(np.array(ids, dtype=np.int32), found.get(tuple(ids), nothing)) for ids in encoded]

        return Work("score (vLLM)", planned, compute, answers)

    # -- generation ----------------------------------------------------------------------------------------------------

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations, one unit per draw, in a fixed order."""
        if sampling.temperature and not 0.01 <= sampling.temperature <= 2:
            # vLLM would raise a lower one to 0.01 without an error, and reject a higher one after loading the weights.
            raise EngineError(f"--rootfruit-temperature={sampling.temperature:g}: vLLM accepts 0, and 0.01 to 2")
        room = self.limit - sampling.max_new_tokens
        rows = self.encode_prompts(prompts, room, sampling.chat)
        planned = generation.plan(prompts, rows, replace(sampling, batch_size=1))
        self._used["draws"] = self._drawn(sampling)

        def compute(missing: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
            return self._ask("generate", missing, self.request(missing, sampling), self._completion)

        return Work("generate", planned, compute, lambda held: generation.read(planned, held, prompts, sampling))

    def _drawn(self, sampling: Sampling) -> str:
        if sampling.temperature == 0:
            return "greedy"
        if self._setup.on_cpu:
            return (
                "one seed for all requests handed over together, in the plan's order "
                "(vLLM's CPU build takes none a request): a resumed run draws what is missing anew"
            )
        return "a seed a request, of (seed, prompt, draw)"

    def request(self, missing: Sequence[Unit], sampling: Sampling) -> dict[str, Any]:
        """Return the message that requests these units (see `worker_main.py`)."""
        names = [unit.task.names[0] for unit in missing]
        drawn = sampling.temperature > 0
        return {
            "rows": [unit.task.ids[0] for unit in missing],
            "params": {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_new_tokens,
                # Only our stop tokens: a text ends with the same tokens in every engine.
                "stop_token_ids": self.ends(sampling),
                "ignore_eos": True,
            },
            "seeds": [seed_of(sampling.seed, *name) for name in names] if drawn and not self._setup.on_cpu else None,
            # The seed depends on the work, not the model, so that policy and reference share it.
            "reseed": seed_of(sampling.seed, [unit.key for unit in missing]) if drawn and self._setup.on_cpu else None,
        }

    def _completion(self, unit: Unit, tokens: list[int]) -> bytes:
        finish = "eos" if tokens and tokens[-1] in self.ends(unit.task.sampling) else "length"
        text = self.tokenizer.decode(tokens[:-1] if finish == "eos" else tokens, skip_special_tokens=True)
        return json.dumps([(text, len(tokens), finish)]).encode()
