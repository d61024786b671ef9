"""Where a registration comes from: its module, and a hash over the source that it is made of.

The hash is part of the instrument's fingerprint: a changed rule is another instrument, whose tables are made anew.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import ConfigError
from rootfruit_checks.registry import Origin

_NOT_SOURCE = {".pyc", ".pyo"}
# Top-level module -> distribution and version, as entry points told it.
DISTRIBUTIONS: dict[str, str] = {}


def origin_of(where: str, function: Callable[..., Any], version: str) -> Origin:
    """Return the origin of a registered function.

    Of a package all files count (word lists and data change an answer as rules do), of a conftest.py or a single
    module that file alone.

    Args:
        where: what is registered, for the message.
        function: the reader, metric or classifier.
        version: what the author says; part of the hash.

    Raises:
        ConfigError: there is no source to be read, and no version is given.

    """
    module = str(getattr(function, "__module__", "") or "")
    files, root = _files(module)
    if not files and not version:
        raise ConfigError(f"{where}: the source of module {module!r} cannot be read; give version=")
    total = hashlib.sha256(f"{version}\0".encode())
    for file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return Origin(module, total.hexdigest())


def _files(module: str) -> tuple[list[Path], Path]:
    top = sys.modules.get(module.partition(".")[0])
    if module.rpartition(".")[2] != "conftest" and top is not None and getattr(top, "__path__", None):
        root = Path(next(iter(top.__path__)))
        found = (file for file in root.rglob("*") if file.is_file() and file.suffix not in _NOT_SOURCE)
        return sorted(file for file in found if "__pycache__" not in file.parts), root
    file = getattr(sys.modules.get(module), "__file__", None)
    return ([Path(file)], Path(file).parent) if file and Path(file).is_file() else ([], Path())


def told(origin: Origin) -> str:
    """Return the origin in words: package, version and hash of its source."""
    name = DISTRIBUTIONS.get(origin.package, origin.module)
    return f"{name}; source {origin.digest[:12]}"
