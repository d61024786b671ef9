"""Gate language-model releases on harm to transgender, nonbinary and other gender-diverse people.

`import rootfruit_checks as rootfruit` gives what a benchmark, metric or classifier of one's own needs: see `extend.py`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rootfruit_checks.benchmarks.dataset import DataSet
    from rootfruit_checks.extend import benchmark, classifier, isolated, metric
    from rootfruit_checks.measures.own import Group
    from rootfruit_checks.types import Pair, Prompt

__version__ = "0.1.0"
__all__ = ["DataSet", "Group", "Pair", "Prompt", "benchmark", "classifier", "isolated", "metric"]

# Name -> its module, imported when it is first asked for: a project that merely has us installed must not pay for us.
_WHERE = {
    **dict.fromkeys(("benchmark", "classifier", "isolated", "metric"), "extend"),
    **dict.fromkeys(("Pair", "Prompt"), "types"),
    "DataSet": "benchmarks.dataset",
    "Group": "measures.own",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
