"""Continuations by vLLM in Ray workers (`ray.data.llm`), in the plan's batches, each returned when it is complete.

Prompts are passed as token ids, encoded as in the transformers engine, without a chat template. Each draw has its own
seed, from (seed, prompt id, draw), so batches, workers and resuming change it by no more than vLLM's noise.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines.hf.generation import Batch
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.work_units import Unit, seed_of

_ROWS = 64


def version() -> str:
    """Return the installed version of vLLM, or "" if it is not installed."""
    found = setup.find()
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class VLLM:
    """How vLLM runs in each worker.

    Attributes:
        path: the model directory, which each node must see.
        dtype: dtype of weights and cache.
        workers: number of engines; 0 means one per GPU.
        trust_remote_code: let the model bring its own code.
        gpu: whether a worker has a GPU. Without one, draws have no seeds (vLLM's CPU build does not support them), and
                only greedy continuations are reproducible.

    """

    path: Path
    dtype: str = "float32"
    workers: int = 0
    trust_remote_code: bool = False
    gpu: bool = True

    def identity(self) -> tuple[str, ...]:
        """What changes the sampled text, for the fingerprint; the number of workers does not."""
        return ("ray-llm/1", version(), self.dtype, "gpu" if self.gpu else "cpu")

    def options(self, workers: int, longest: int) -> dict[str, Any]:
        """Return the arguments of `vLLMEngineProcessorConfig`, for sequences of at most `longest` tokens."""
        engine: dict[str, Any] = {
            "dtype": self.dtype,
            "enable_prefix_caching": True,
            "trust_remote_code": self.trust_remote_code,
            # Take sampling from our settings only, not from the model's generation config.
            "generation_config": "vllm",
            "seed": 0,
            # A model's own limit may exceed the cache that memory can hold.
            "max_model_len": longest,
        }
        told: dict[str, Any] = {
            "model_source": str(self.path),
            "engine_kwargs": engine,
            "concurrency": workers,
            "batch_size": _ROWS,
            "chat_template_stage": False,
            "tokenize_stage": False,
            "detokenize_stage": False,
            "log_engine_metrics": False,
        }
        if not self.gpu:
            engine["enforce_eager"] = True
            told["placement_group_config"] = {"bundles": [{"CPU": 1}]}
        return told


def chosen(path: Path, dtype: str, device: str, workers: int, trust_remote_code: bool) -> VLLM | None:
    """Return how vLLM generates if it is installed and a GPU was requested or is available, else None."""
    if device == "cpu" or not version():
        return None
    import torch

    if device == "auto" and not torch.cuda.is_available():
        return None
    return VLLM(path, dtype, workers, trust_remote_code)


def rows(units: Sequence[Unit], ends: Sequence[int], *, seeded: bool) -> list[dict[str, Any]]:
    """Return one row per draw: its unit and index there, its prompt, its sampling parameters."""
    found = []
    for unit in units:
        batch: Batch = unit.task
        how = batch.sampling
        for place, (name, ids) in enumerate(zip(batch.names, batch.ids, strict=True)):
            params: dict[str, Any] = {
                "temperature": how.temperature,
                "top_p": how.top_p,
                "max_tokens": how.max_new_tokens,
                "stop_token_ids": list(ends),
                "skip_special_tokens": True,
            }
            if seeded and how.temperature > 0:
                params["seed"] = seed_of("vllm", how.seed, *name)
            found.append({"unit": unit.key, "place": place, "tokenized_prompt": list(ids), "sampling_params": params})
    return found


class Gather:
    """Collects the answers of each unit, in any order."""

    def __init__(self, units: Sequence[Unit], ends: Sequence[int]) -> None:
        self._sizes = {unit.key: len(unit.task.names) for unit in units}
        self._stops = frozenset(ends)
        self._held: dict[str, dict[int, tuple[str, int, str]]] = {unit.key: {} for unit in units}

    def add(self, key: str, place: int, tokens: Sequence[int], text: str) -> bytes | None:
        """Add one answer; return the unit's value when it is complete (in the form of `generation.run`)."""
        ended = bool(len(tokens)) and int(tokens[-1]) in self._stops
        held = self._held[key]
        held[place] = (text, len(tokens), "eos" if ended else "length")
        if len(held) < self._sizes[key]:
            return None
        del self._held[key]
        return json.dumps([held[i] for i in range(self._sizes[key])]).encode()


def compute(ray: Any, vllm: VLLM, units: Sequence[Unit], ends: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Yield (key, value) of each unit when all of its draws have arrived.

    Raises:
        EngineError: vLLM or its Ray pipeline failed.

    """
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.print_on_execution_start
    context.enable_progress_bars = context.print_on_execution_start = False
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.ERROR)
    gather = Gather(units, ends)
    longest = max(len(ids) + unit.task.sampling.max_new_tokens for unit in units for ids in unit.task.ids)
    workers = vllm.workers or max(1, int(ray.cluster_resources().get("GPU", 0)))
    try:
        asked = rows(units, ends, seeded=vllm.gpu)
        processor = build_processor(vLLMEngineProcessorConfig(**vllm.options(workers, longest)), postprocess=_answer)
        answers = processor(ray.data.from_items(asked, override_num_blocks=max(1, len(asked) // _ROWS)))
        for row in answers.iter_rows():
            value = gather.add(row["unit"], row["place"], row["tokens"], row["text"])
            if value is not None:
                yield row["unit"], value
    except (ray.exceptions.RayError, RuntimeError, ValueError) as error:
        heart = getattr(error, "cause", None) or error
        told = " ".join(str(heart).split())[-300:] or type(heart).__name__
        raise EngineError(f"{vllm.path}: vLLM in Ray workers failed: {told}") from error
    finally:
        log.setLevel(level)
        context.enable_progress_bars, context.print_on_execution_start = before


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "unit": row["unit"],
        "place": row["place"],
        "tokens": list(row["generated_tokens"]),
        "text": row["generated_text"],
    }
