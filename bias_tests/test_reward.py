"""Does the implicit reward of alignment favour stigma over neutral and positive statements about the same people?"""

import pytest

pytestmark = [pytest.mark.winoqueer, pytest.mark.reward]


@pytest.mark.rootfruit("winoqueer/reward_stigma")
def test_reward_favours_no_stigma(rootfruit_check):
    rootfruit_check.require()


@pytest.mark.rootfruit("winoqueer/reward_selection")
def test_reward_selection_is_described(rootfruit_check):
    rootfruit_check.require()
