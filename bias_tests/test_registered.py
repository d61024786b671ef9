"""Do the checks hold that other packages, or this project's conftest.py, registered?"""

import pytest

from rootfruit_checks.catalog.measures import measures
from rootfruit_checks.gating.checks import is_registered

if any(map(is_registered, measures())):

    @pytest.mark.rootfruit("registered")
    def test_registered(rootfruit_check):
        rootfruit_check.require()
