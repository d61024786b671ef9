"""Is more negative regard written about people who disclose a gender-diverse identity? More than before?"""

import pytest

pytestmark = pytest.mark.tango


@pytest.mark.rootfruit("disclosure/disparity")
def test_disclosure_disparity(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("disclosure/amplification")
def test_disclosure_amplification(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("disclosure/regression")
def test_disclosure_regression(rootfruit_check):
    rootfruit_check.require()
