"""Do all other checks hold: those of benchmarks and metrics that have no file of their own here?"""

import re
from pathlib import Path

import pytest

from rootfruit_checks.catalog.registry import measures

_FILES = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
_TESTED = {name for text in _FILES for name in re.findall(r'rootfruit\("([^"]+)"\)', text)}
OTHERS = [measure.id for measure in measures() if measure.id not in _TESTED]

if OTHERS:

    @pytest.mark.rootfruit(OTHERS)
    def test_registered(rootfruit_check):
        rootfruit_check.require()
