"""The vLLM engine is held to the one contract (contract.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from contract import CHECKS, Case

from rootfruit_checks.engines.vllm import engine
from rootfruit_checks.engines.vllm.engine import VLLMEngine

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"


@contextmanager
def no_worker() -> Iterator[None]:
    with mock.patch.object(engine, "Worker", side_effect=AssertionError("vLLM was started")):
        yield


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    found = Case(
        make=lambda: VLLMEngine(MODELS / "base"),
        other=lambda: VLLMEngine(MODELS / "sft"),
        forbid_loading=no_worker,
        same=0.95,
        drawn_again=False,  # the CPU build takes no seed per request
    )
    yield found
    found.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, case):
    check(case)
