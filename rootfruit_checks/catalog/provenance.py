"""Where a registration comes from: its module, and a hash over the source that it is made of.

The hash is part of the instrument's fingerprint: a changed rule is another instrument, whose tables are rebuilt.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

from rootfruit_checks.base.digests import text_digest
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.measures import Origin

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
    package = _package(module)
    file = getattr(sys.modules.get(module), "__file__", None)
    source: Callable[[], str]
    if package is not None:
        source = partial(_of_package, package)
    elif file and Path(file).is_file():
        # Read now: another conftest.py may be loaded by the time the hash is needed.
        source = partial(str, _of_files([Path(file)], Path(file).parent))
    elif version:
        source = str
    else:
        raise ConfigError(f"{where}: the source of module {module!r} cannot be read; give version=")
    return Origin(module, lambda: hashlib.sha256(f"{version}\0{source()}".encode()).hexdigest())


def _package(module: str) -> Path | None:
    """Return the directory of the outermost regular package around a module; none of a conftest.py or single file."""
    parts = module.split(".")
    if parts[-1] == "conftest":
        return None
    # A benchmark of this package is its own folder: a change elsewhere in the package is no change of it.
    start = 3 if parts[0] == __name__.partition(".")[0] else 1
    for end in range(start, len(parts) + 1):
        outer = sys.modules.get(".".join(parts[:end]))
        # A namespace package has no file; what else lies in it belongs to others.
        if outer is not None and getattr(outer, "__path__", None) and getattr(outer, "__file__", None):
            return Path(str(outer.__file__)).parent
    return None


@cache
def _of_package(root: Path) -> str:
    """Read once a process, as the code itself is."""
    found = [file for file in root.rglob("*") if file.is_file() and file.suffix not in _NOT_SOURCE]
    return _of_files([file for file in found if "__pycache__" not in file.parts], root)


def _of_files(files: Iterable[Path], root: Path) -> str:
    return text_digest((file.relative_to(root).as_posix(), file) for file in sorted(files))


def told(origin: Origin) -> str:
    """Return the origin in words: package, version and hash of its source."""
    name = DISTRIBUTIONS.get(origin.package, origin.module)
    return f"{name}; source {origin.digest[:12]}"
