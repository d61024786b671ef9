"""Is the release worse than an earlier one (`--rootfruit-baseline=FILE`)?"""

import pytest


@pytest.mark.winoqueer
@pytest.mark.rootfruit("winoqueer/regression")
def test_preference_regression(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.tango
@pytest.mark.rootfruit("disclosure/regression")
def test_disclosure_regression(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.tango
@pytest.mark.rootfruit("misgendering/regression")
def test_misgendering_regression(rootfruit_check):
    rootfruit_check.require()
