"""Does the policy find stigmatizing sentences about queer people likelier than their twins? More than before?

A regression is decided where an earlier release is given (`--rootfruit-baseline=FILE`).
"""

import pytest

pytestmark = pytest.mark.winoqueer


@pytest.mark.rootfruit("winoqueer/preference")
def test_preference(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("winoqueer/amplification")
def test_preference_amplification(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("winoqueer/regression")
def test_preference_regression(rootfruit_check):
    rootfruit_check.require()
