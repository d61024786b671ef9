"""Create an engine from the model that the user named (`--model`, `--reference`)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.config import endpoints
from rootfruit_checks.config.settings import Settings, is_adapter
from rootfruit_checks.engines.base import Engine

if TYPE_CHECKING:
    from rootfruit_checks.engines.hf.engine import HFEngine

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# The files that a causal model needs; nothing else is downloaded. Pickled weights only when they are allowed.
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def resolve(name: str, *, allow_pickle: bool = False, option: str = "--model") -> Path:
    """Return the directory of a model: the directory itself, or a snapshot of a Hub id (`owner/name[@revision]`).

    Raises:
        EngineError: there is no such directory, and the Hub has no such model or cannot be reached.

    """
    path = local(name, option)
    if path is not None:
        return path
    from huggingface_hub import snapshot_download

    repo, _, revision = name.partition("@")
    try:
        wanted = [*_WANTED, "*.bin"] if allow_pickle else _WANTED
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=wanted))
    except Exception as error:
        # huggingface_hub raises a dozen types for "not found" and "not reachable"; users need only one error.
        raise EngineError(
            f"{option} {name}: no such directory, and the Hub has no such model ({type(error).__name__}); "
            "check the spelling and the network, or download it first"
        ) from error


def local(name: str, option: str = "--model") -> Path | None:
    """Return the directory of a local model, or None for a Hub id, which is downloaded later.

    Raises:
        EngineError: it is neither.

    """
    path = Path(name)
    if untrusted.is_directory(path):
        return path
    if untrusted.is_there(path):
        raise EngineError(f"{option} {name}: is a file; give the directory with config.json and the weights")
    if not _HUB_ID.fullmatch(name):
        shown = untrusted.shown(name)
        raise EngineError(f"{option} {shown}: no such directory (and not a Hub id of the form owner/name)")
    return None


def chosen(settings: Settings) -> str:
    """Return the engine name: the one that was chosen or, for `auto`, `hf` or `hf+vllm`.

    `hf+vllm` (the prefix tree scores, vLLM generates) is used if vLLM is installed and there is a CUDA device. `vllm`
    also means `hf+vllm` for adapters, because vLLM does not score with adapters.

    Raises:
        EngineError: a vLLM option is given, and vLLM does not run.

    """
    adapters = any(is_adapter(name) for name in (settings.model, settings.reference))
    if settings.engine != "auto":
        return "hf+vllm" if adapters and settings.engine == "vllm" else settings.engine
    if settings.device != "cpu" and importlib.util.find_spec("vllm") is not None:
        from rootfruit_checks.engines.vllm.setup import has_cuda

        if has_cuda():
            return "hf+vllm"
    given = settings.vllm_only()
    if given:
        raise EngineError(
            f"option {given[0]}: works only with vLLM, which --rootfruit-engine=auto does not choose here "
            "(not installed, or no CUDA device); drop it or use --rootfruit-engine=vllm"
        )
    return "hf"


def open_engine(name: str, settings: Settings, *, option: str = "--model") -> Engine:
    """Return the engine for one model; weights are loaded, and servers contacted, when first needed."""
    if endpoints.is_served(name):
        return _open_served(name, settings, option)
    if settings.engine == "openai":
        raise EngineError(
            f"{option} {name}: is not an address; --rootfruit-engine=openai needs http://HOST:PORT/v1#NAME"
        )
    kind = chosen(settings)
    path = resolve(name, allow_pickle=settings.allow_pickle, option=option)
    if kind == "vllm":
        return _vllm(path, settings, option)
    if kind == "hf+vllm":
        from rootfruit_checks.engines.split_engine import PairEngine

        return PairEngine(scorer=_hf(path, settings, option), generator=_vllm(path, settings, option))
    return _ray(path, settings, option) if kind == "ray" else _hf(path, settings, option)


def _vllm(path: Path, settings: Settings, option: str) -> Engine:
    from rootfruit_checks.engines.vllm.engine import VLLMEngine
    from rootfruit_checks.engines.vllm.setup import VLLMSetup

    setup = VLLMSetup(
        dtype=settings.dtype,
        device=settings.device,
        tensor_parallel=settings.tensor_parallel,
        quantization=settings.quantization,
        max_model_len=settings.max_model_len,
        gpu_memory=settings.gpu_memory,
        allow_pickle=settings.allow_pickle,
        trust_remote_code=settings.trust_remote_code,
    )
    if is_adapter(path):
        from rootfruit_checks.engines.vllm.adapter import VLLMAdapterEngine

        return VLLMAdapterEngine(path, resolve_base(path, settings, option), setup)
    return VLLMEngine(path, setup)


def _hf(path: Path, settings: Settings, option: str) -> Engine:
    return _maker(path, settings, option)()


def _ray(path: Path, settings: Settings, option: str) -> Engine:
    from rootfruit_checks.engines.ray import llm
    from rootfruit_checks.engines.ray.engine import RayEngine

    path = path.absolute()  # a worker runs in another directory
    make = _maker(path, settings, option)
    gpu = None if settings.device == "auto" else settings.device != "cpu"
    vllm = None
    if not is_adapter(path):
        vllm = llm.chosen(path, settings.dtype, settings.device, settings.workers, settings.trust_remote_code)
    return RayEngine(make, address=settings.ray_address, workers=settings.workers, gpu=gpu, vllm=vllm)


def _maker(path: Path, settings: Settings, option: str) -> Callable[[], HFEngine]:
    """Return a picklable factory for the transformers engine."""
    try:
        from rootfruit_checks.engines.hf.engine import HFEngine
    except ImportError as error:
        raise EngineError(
            f'the transformers engine needs an extra: pip install "rootfruit-checks[hf]" ({error})'
        ) from error
    options: dict[str, Any] = {
        "dtype": settings.dtype,
        "device": settings.device,
        "block_tokens": settings.block_tokens,
        "batch_size": settings.batch_size,
        "allow_pickle": settings.allow_pickle,
        "trust_remote_code": settings.trust_remote_code,
    }
    if is_adapter(path):
        from rootfruit_checks.engines.hf.adapter import AdapterEngine

        return partial(AdapterEngine, path, resolve_base(path, settings, option).absolute(), **options)
    return partial(HFEngine, path, **options)


def resolve_base(adapter: Path, settings: Settings, option: str = "--model") -> Path:
    """Return the directory of an adapter's base model."""
    from rootfruit_checks.engines.hf.adapter import base_name

    return resolve(base_name(adapter), allow_pickle=settings.allow_pickle, option=f"{option} {adapter}, whose base is")


def open_base(policy: Engine, settings: Settings) -> Engine:
    """Return the engine of an adapter's base. It reuses the policy's weights, adapter off, where the engine can."""
    shared: Callable[[], Engine] | None = getattr(policy, "base", None)
    if shared is not None:
        return shared()
    path = resolve(str(settings.model), allow_pickle=settings.allow_pickle)
    if not is_adapter(path):
        raise EngineError(
            f"--reference=base means the base of an adapter, and --model {settings.model} is not an adapter; "
            "give the reference's directory"
        )
    return open_engine(str(resolve_base(path, settings)), settings, option="--reference")


def _open_served(name: str, settings: Settings, option: str) -> Engine:
    try:
        import openai  # noqa: F401
        import tenacity  # noqa: F401

        from rootfruit_checks.engines.served.engine import ServedEngine
    except ImportError as error:
        raise EngineError(f'a served model needs an extra: pip install "rootfruit-checks[served]" ({error})') from error
    address, model = endpoints.split(f"option {option}", name)
    return ServedEngine(
        address,
        model,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        server_seed=settings.server_seed,
        server_bos=settings.server_bos,
    )
