"""Are people who use they or neopronouns misgendered more than people who use he or she? More than before?"""

import pytest

pytestmark = pytest.mark.tango


@pytest.mark.rootfruit("misgendering/disparity")
def test_misgendering_disparity(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("misgendering/amplification")
def test_misgendering_amplification(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("misgendering/avoidance")
def test_pronoun_avoidance(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("misgendering/regression")
def test_misgendering_regression(rootfruit_check):
    rootfruit_check.require()
