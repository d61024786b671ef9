"""From what the user named (`--model`, `--reference`) to an engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rootfruit_checks.engines.base import Engine
from rootfruit_checks.errors import EngineError
from rootfruit_checks.settings import Settings, is_adapter

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# What a causal model needs; nothing else of a repository is fetched. Pickled weights only when they are allowed.
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def resolve(name: str, *, allow_pickle: bool = False, option: str = "--model") -> Path:
    """Return the directory of a model: the directory itself, or a snapshot of a Hub id (`owner/name[@revision]`).

    Raises:
        EngineError: there is no such directory, and the Hub has no such model or cannot be reached.

    """
    path = Path(name)
    if path.is_dir():
        return path
    if path.exists():
        raise EngineError(f"{option} {name}: is a file; give the directory that holds config.json and the weights")
    if not _HUB_ID.fullmatch(name):
        raise EngineError(f"{option} {name}: no such directory (and not a Hub id of the form owner/name)")
    from huggingface_hub import snapshot_download

    repo, _, revision = name.partition("@")
    try:
        wanted = [*_WANTED, "*.bin"] if allow_pickle else _WANTED
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=wanted))
    except Exception as error:
        # huggingface_hub raises a dozen types for "not there" and "not reachable"; to the user they are one.
        raise EngineError(
            f"{option} {name}: no such directory, and the Hub gave no such model ({type(error).__name__}); "
            "check the spelling, the network, or download it first"
        ) from error


def open_engine(name: str, settings: Settings, *, option: str = "--model") -> Engine:
    """Return the engine for one model; weights are loaded when first needed."""
    try:
        from rootfruit_checks.engines.hf import HFEngine
    except ImportError as error:
        raise EngineError(
            f'the transformers engine needs its extra: pip install "rootfruit-checks[hf]" ({error})'
        ) from error
    path = resolve(name, allow_pickle=settings.allow_pickle, option=option)
    options: dict[str, Any] = {
        "dtype": settings.dtype,
        "device": settings.device,
        "block_tokens": settings.block_tokens,
        "batch_size": settings.batch_size,
        "allow_pickle": settings.allow_pickle,
        "trust_remote_code": settings.trust_remote_code,
    }
    if is_adapter(path):
        from rootfruit_checks.engines.adapter import AdapterEngine

        return AdapterEngine(path, resolve_base(path, settings, option), **options)
    return HFEngine(path, **options)


def resolve_base(adapter: Path, settings: Settings, option: str = "--model") -> Path:
    """Return the directory of an adapter's base."""
    from rootfruit_checks.engines.adapter import base_name

    return resolve(base_name(adapter), allow_pickle=settings.allow_pickle, option=f"{option} {adapter}, whose base is")


def open_base(policy: Engine, settings: Settings) -> Engine:
    """Return the engine of an adapter's base: where the policy's can, its own weights with the adapter switched off."""
    shared: Callable[[], Engine] | None = getattr(policy, "base", None)
    if shared is not None:
        return shared()
    path = resolve(str(settings.model), allow_pickle=settings.allow_pickle)
    if not is_adapter(path):
        raise EngineError(
            f"--reference=base means the base of an adapter, and --model {settings.model} is none; "
            "give the reference's directory"
        )
    return open_engine(str(resolve_base(path, settings)), settings, option="--reference")
