"""Do the checks hold that other packages, or this project's conftest.py, registered?"""

import pytest

from rootfruit_checks.catalog.registry import is_built_in, measures

if not all(map(is_built_in, measures())):

    @pytest.mark.rootfruit("registered")
    def test_registered(rootfruit_check):
        rootfruit_check.require()
