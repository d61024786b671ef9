"""The measures that come with the package."""

from rootfruit_checks.catalog.measures import REGRESSION, Measure
from rootfruit_checks.catalog.registry import BENCHMARKS, METRICS, measures


def is_built_in(measure: Measure) -> bool:
    held = METRICS.get(measure.id)
    return BENCHMARKS[measure.benchmark].origin.is_built_in and (held is None or held.origin.is_built_in)


OURS = tuple(measure for measure in measures() if is_built_in(measure))
# What every run declares, and what a run with a baseline declares beside it.
REGISTRY = tuple(measure for measure in OURS if measure.metric != REGRESSION)
REGRESSIONS = tuple(measure for measure in OURS if measure.metric == REGRESSION)
BUILT_IN = tuple(dict.fromkeys(measure.benchmark for measure in OURS))
