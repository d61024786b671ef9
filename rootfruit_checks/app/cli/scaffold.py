"""`rootfruit template DIR`: writes a small package with a benchmark of your own, and tests that pass.

The files are in `templates/`, where `PACKAGE` stands for the package's name.
"""

from __future__ import annotations

import keyword
import re
from importlib.util import find_spec
from pathlib import Path

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.catalog.extend import RESERVED
from rootfruit_checks.catalog.registry import benchmarks

KINDS = ("pairs", "prompts")
_PLACE = Path(__file__).with_name("templates")
# Suffix of every template, so that it is not mistaken for a module or a test of this package.
_SUFFIX = ".in"


def write(folder: Path, kind: str) -> list[Path]:
    """Write the package into a new directory; its name becomes the name of the package and the benchmark.

    Args:
        folder: the directory to make.
        kind: "pairs" or "prompts".

    Returns:
        The files written.

    Raises:
        ConfigError: the directory is not empty, or its name cannot name a package.

    """
    if kind not in KINDS:
        raise ConfigError(f"option --kind: {kind!r} is not one of {', '.join(KINDS)}")
    name = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")
    if not name.isidentifier() or keyword.iskeyword(name) or name in {*RESERVED, *benchmarks(), "test", "tests"}:
        raise ConfigError(f"{folder}: {folder.resolve().name!r} cannot name a package; choose another directory name")
    if find_spec(name) is not None:
        raise ConfigError(f"{folder}: a module {name!r} is already installed; choose another directory name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: already exists; name a new directory")
    written = []
    try:
        for root in (_PLACE / "both", _PLACE / kind):
            for file in sorted(root.rglob(f"*{_SUFFIX}")):
                inside = str(file.relative_to(root)).removesuffix(_SUFFIX).replace("PACKAGE", name)
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                text = file.read_text(encoding="utf-8")
                write_atomic(target, text.replace("PACKAGE", name).replace("KIND", kind))
                written.append(target)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error})") from error
    return written
