"""Gate language-model releases on harm to transgender, nonbinary and other gender-diverse people.

`import rootfruit_checks as rootfruit` gives what a benchmark, metric or classifier of one's own needs: see
`catalog/extend.py`.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rootfruit_checks.base.version import __version__

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Pair, Prompt
    from rootfruit_checks.catalog.extend import benchmark, classifier, metric
    from rootfruit_checks.catalog.measures import OfficialFile, Rise
    from rootfruit_checks.catalog.removal import isolated
    from rootfruit_checks.data.data_set import DataSet
    from rootfruit_checks.metrics.custom import Group

__all__ = [
    "DataSet",
    "Group",
    "OfficialFile",
    "Pair",
    "Prompt",
    "Rise",
    "__version__",
    "benchmark",
    "classifier",
    "isolated",
    "metric",
]

# Name -> its module, imported when it is first asked for: a project that merely has us installed must not pay for us.
_WHERE = {
    **dict.fromkeys(("benchmark", "classifier", "metric"), "catalog.extend"),
    **dict.fromkeys(("Pair", "Prompt"), "base.types"),
    "isolated": "catalog.removal",
    "DataSet": "data.data_set",
    **dict.fromkeys(("OfficialFile", "Rise"), "catalog.measures"),
    "Group": "metrics.custom",
}


class _Suite:
    """Finds `rootfruit_checks.bias_tests` beside the package, where it lies in a checkout; a wheel holds it inside."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        if name != f"{__name__}.bias_tests":
            return None
        from importlib.util import spec_from_file_location

        folder = Path(__file__).resolve().parents[1] / "bias_tests"
        if not (folder / "__init__.py").is_file() or not (folder.parent / "pyproject.toml").is_file():
            return None
        return spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])


# Last, so that it is asked only where the package itself holds none.
sys.meta_path.append(_Suite)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
