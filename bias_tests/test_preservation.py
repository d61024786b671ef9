"""How much of the reference's bias does the policy keep? Described, not gated."""

import pytest

pytestmark = [pytest.mark.winoqueer, pytest.mark.rootfruit("winoqueer/preservation")]


def test_preservation_is_described(rootfruit_check):
    rootfruit_check.require()
