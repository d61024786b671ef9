"""A model directory before loading: its files, whether they may be loaded, and their digests. Imports no torch."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines import model_files
from rootfruit_checks.engines.quantized import check_installed

_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_CAUSAL = ("ForCausalLM", "LMHeadModel")
_WRAPPERS = ("ForConditionalGeneration", "ForVisionText2Text")
_WRAPPED = ("text_config", "vision_config", "audio_config", "vq_config")
_CHUNK = 1 << 22


def read_config(path: Path) -> dict[str, Any]:
    """Return config.json, or raise an EngineError that says what is missing in the directory."""
    from rootfruit_checks.engines.config_schema import ModelConfig

    if not untrusted.is_directory(path):
        raise EngineError(f"{untrusted.shown(path)}: no such directory")
    if not untrusted.is_there(path / "config.json"):
        raise EngineError(f"{path}: has no config.json; is this a model directory?")
    return model_files.read(path, "config.json", ModelConfig)


def has_tokenizer(path: Path) -> bool:
    """Whether the directory contains a tokenizer."""
    return any((path / name).is_file() for name in _TOKENIZER)


def check_directory(path: Path, *, allow_pickle: bool = False) -> None:
    """Raise an EngineError unless the directory has a causal model, a tokenizer and weights that may be loaded."""
    config = read_config(path)
    model_files.check_files(path)
    check_installed(path, config)
    kinds = config.get("architectures") or []
    # A wrapper around a causal model, for images or sound besides text; only its text side is run.
    wraps = any(key in config for key in _WRAPPED) and not config.get("is_encoder_decoder")
    if not any(str(kind).endswith((*_CAUSAL, *_WRAPPERS) if wraps else _CAUSAL) for kind in kinds):
        raise EngineError(
            f"{path}: architecture {', '.join(map(str, kinds)) or 'unknown'} is not a causal language model"
        )
    if not has_tokenizer(path):
        raise EngineError(f"{path}: has no tokenizer ({', '.join(_TOKENIZER[:2])} …); save it next to the weights")
    if any(path.glob("*.safetensors")):
        return
    pickled = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLED)
    if not pickled:
        raise EngineError(f"{path}: has no weights (*.safetensors)")
    if not allow_pickle:
        raise EngineError(
            f"{path}: weights are pickled ({pickled[0]}), which can run code when read; convert them to safetensors, "
            "or accept the risk with --rootfruit-allow-pickle"
        )


def weights_digest(path: Path) -> str:
    """Return the SHA-256 of the weight files: names, sizes and bytes. Reads them once per process."""
    return _digest(path, (".safetensors", *_PICKLED))


def tokenizer_digest(path: Path) -> str:
    """Return the SHA-256 of the tokenizer's files."""
    return _digest(
        path, (*_TOKENIZER, "merges.txt", "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json")
    )


def config_digest(path: Path) -> str:
    """Return the SHA-256 of the model's configuration files, including its chat template."""
    return _digest(path, ("config.json", "generation_config.json", "chat_template.jinja"))


def template_digest(path: Path) -> str:
    """Return the SHA-256 of the chat template file, if there is one."""
    return _digest(path, ("chat_template.jinja",))


def file_digest(file: Path) -> str:
    """Return the SHA-256 of one file's size and bytes. Reads it once per process."""
    stat = file.stat()
    return _file_digest(file, stat.st_size, stat.st_mtime_ns)


def _digest(path: Path, endings: tuple[str, ...]) -> str:
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(endings))
    sha = hashlib.sha256()
    for file in files:
        sha.update(f"{file.name}:{file_digest(file)}\n".encode())
    return sha.hexdigest()


@lru_cache(maxsize=256)
def _file_digest(file: Path, size: int, mtime: int) -> str:
    sha = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()
