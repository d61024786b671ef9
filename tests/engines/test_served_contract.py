"""The engine of served models is held to the one contract (contract.py)."""

from __future__ import annotations

import pytest
from served_double import Double

from rootfruit_checks.engines.served.engine import ServedEngine

contract = pytest.importorskip("contract", reason="the contract of all engines is not in this tree")


@pytest.fixture(scope="module", params=["prompt_logprobs", "echo"])
def case(request):
    policy, other = Double(ways=(request.param,)), Double(ways=(request.param,), name="other")
    made = contract.Case(
        make=lambda: ServedEngine(policy.url, "tiny", pause=0.01),
        other=lambda: ServedEngine(other.url, "other", pause=0.01),
        after_bos=policy.model.write("", 6, 0.0, None)[0],
        many=1_000,  # each is a request
    )
    yield made
    made.close()
    policy.stop()
    other.stop()


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_contract(check, case):
    if check is contract.an_empty_prompt_begins_from_bos and case.engine.record.get("scoring") == "echo":
        pytest.skip("a server without token ids cannot be asked for BOS alone: an EngineError, see test_served.py")
    check(case)
