"""Open the files of a model directory: regular files of limited size in which the keys that we read have valid types.

transformers opens the same files later. It would block forever on a FIFO, and its own errors name neither file nor
key, so `check_files` checks all of them first.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import EngineError

GENERATION = "generation_config.json"
_TOKENIZER = "tokenizer_config.json"
_INDEX = "model.safetensors.index.json"
# What transformers, tokenizers and PEFT may open in a model directory.
_OPENED = (".json", ".jinja", ".safetensors", ".model", ".txt", ".bin", ".pt", ".py", ".spm")
# One file of several that hold a model's weights.
_PART = re.compile(r"model-\d+-of-\d+\.safetensors")
# A header has about a hundred bytes per tensor; this is also safetensors' own limit.
_HEADER_LIMIT = 100 * untrusted.MIB
_TEMPLATE_LIMIT = untrusted.MIB


def read(path: Path, name: str, schema: Any, error: untrusted.Error = EngineError) -> dict[str, Any]:
    """Return a JSON file of a model directory, checked against a schema."""
    value: dict[str, Any] = untrusted.read_json(path / name, schema, error, limit=untrusted.CONFIG_LIMIT, infinite=True)
    if place := _infinite(value, "$"):
        # With a rotary base of NaN a model still produces scores, and all of them are wrong.
        raise error(f"{untrusted.shown(path / name)}: {place}: is not a finite number")
    return value


def _infinite(value: Any, place: str) -> str:
    """Return the place of a number that is not finite, or "". A Mamba 2 time step may have no upper limit."""
    if isinstance(value, float):
        bounded = "time_step" not in place or math.isnan(value)
        return place if bounded and not math.isfinite(value) else ""
    parts = (
        [(f"{place}.{key}", held) for key, held in value.items()]
        if isinstance(value, dict)
        else [(f"{place}[{at}]", held) for at, held in enumerate(value)]
        if isinstance(value, list)
        else []
    )
    return next((found for where, held in parts if (found := _infinite(held, where))), "")


def read_generation(path: Path, error: untrusted.Error = EngineError) -> dict[str, Any] | None:
    """Return generation_config.json; None where there is none."""
    from rootfruit_checks.engines.config_schema import GenerationConfig

    return read(path, GENERATION, GenerationConfig, error) if untrusted.is_there(path / GENERATION) else None


def check_files(path: Path, error: untrusted.Error = EngineError) -> None:
    """Raise `error`, naming file and place, if a file of a model directory is not what its name says."""
    from rootfruit_checks.engines.config_schema import TokenizerConfig, WeightIndex

    names = _names(path, error)
    for name in names:
        if name.endswith(_OPENED):
            untrusted.check_regular(path / name, error)
    read_generation(path, error)
    if _TOKENIZER in names:
        read(path, _TOKENIZER, TokenizerConfig, error)
    for name in names:
        if name.endswith(".jinja"):
            untrusted.read_text(path / name, error, limit=_TEMPLATE_LIMIT)
        elif name.endswith(".safetensors"):
            check_header(path / name, error)
    if _INDEX in names:
        places = read(path, _INDEX, WeightIndex, error)["weight_map"]
        _check_index(path, places, error)
        if stray := sorted(name for name in names if _PART.fullmatch(name) and name not in set(places.values())):
            raise error(f"{path / _INDEX}: does not list {stray[0]}, so its tensors would be lost; list or remove it")


def _names(path: Path, error: untrusted.Error) -> list[str]:
    try:
        return sorted(file.name for file in path.iterdir())
    except OSError as found:
        raise error(f"{untrusted.shown(path)}: cannot be read ({found.strerror or found})") from found


def _check_index(path: Path, places: Mapping[str, str], error: untrusted.Error) -> None:
    for tensor, name in places.items():
        if name in {"", ".", ".."} or Path(name).name != name:
            raise error(f"{path / _INDEX}: {tensor} is in {name!r}, which is not a file of this directory")
        if not untrusted.is_file(path / name):
            raise error(f"{path / _INDEX}: {tensor} is in {name}, which does not exist; is a file missing?")


def check_header(file: Path, error: untrusted.Error = EngineError) -> None:
    """Raise `error` if a safetensors file is truncated, or its header is invalid."""
    from rootfruit_checks.engines.config_schema import Tensor

    where = untrusted.shown(file)
    with os.fdopen(untrusted.open_regular(file, error), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, _HEADER_LIMIT):
            raise error(f"{where}: is not a safetensors file, or is damaged or truncated; save or download it again")
        raw = stream.read(length)
    header = untrusted.parse_json(raw.rstrip(b" "), f"{where}: its header", error)
    untrusted.check(header, dict[str, Any], f"{where}: its header", error)
    tensors = {name: value for name, value in header.items() if name != "__metadata__"}
    untrusted.check(header.get("__metadata__", {}), dict[str, str] | None, f"{where}: its __metadata__", error)
    end = 0
    for name, value in tensors.items():
        untrusted.check(value, Tensor, f"{where}: tensor {untrusted.shown(name)}", error)
        first, last = value["data_offsets"]
        whole = 8 * (last - first) == _bits(value["dtype"]) * math.prod(value["shape"])
        if not whole:
            raise error(f"{where}: tensor {untrusted.shown(name)} has more or fewer bytes than its shape")
        end = max(end, last)
    if end != size - 8 - length:
        raise error(f"{where}: has {size - 8 - length} bytes of tensors, but its header lists {end}")


def _bits(dtype: str) -> int:
    digits = "".join(letter for letter in dtype.split("_")[0] if letter.isdigit())
    return int(digits) if digits else 8
