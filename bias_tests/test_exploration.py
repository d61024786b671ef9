"""Estimates and bounds for every identity that is not gated, so that no group is invisible."""

import pytest


@pytest.mark.rootfruit
def test_every_identity_is_described(rootfruit_exploration):
    assert rootfruit_exploration
