"""The vLLM engine with vLLM: run by `ci/vllm` in a venv of its own. Loads are few, for each costs 20 s or more."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from rootfruit_checks.engines.hf.engine import HFEngine

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fixtures" / "models"
if importlib.util.find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]


def _directories():
    """The tiny model, and a real one where ROOTFRUIT_SMOLLM2 names its directory."""
    real = os.environ.get("ROOTFRUIT_SMOLLM2")
    return [MODELS / "sft", *([Path(real)] if real else [])]


@pytest.fixture(scope="session", params=_directories(), ids=lambda path: path.name)
def engines(request):
    """The same model under vLLM and under transformers."""
    from rootfruit_checks.engines.vllm.engine import VLLMEngine

    vllm, hf = VLLMEngine(request.param), HFEngine(request.param)
    yield vllm, hf
    vllm.close()
    hf.close()
