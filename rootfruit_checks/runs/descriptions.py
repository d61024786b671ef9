"""The descriptions of a run besides its checks: likelihood and generation side by side, intersections, narratives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
import pandas as pd

from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.intersections import intersections
from rootfruit_checks.metrics.twin_agreement import agreement
from rootfruit_checks.results.json_result import as_plain
from rootfruit_checks.results.narratives import Narratives
from rootfruit_checks.results.views import AllInstances, Cells, Intersections, Views
from rootfruit_checks.runs.narratives import narratives

# The types of a view: each can say why it is missing.
View = TypeVar("View", AllInstances, Cells, Narratives)
NO_BENCHMARK = "no benchmark has this description"
_ABOUT = (
    "exploratory, never gated; each cell has its own bounds at 1 - alpha, not corrected for the number of cells, so "
    "with many cells some are outside their bounds by chance"
)


def views(
    frames: Mapping[str, pd.DataFrame],
    *,
    alpha: float,
    seed: int,
    noise: float,
    tagged: Mapping[str, Tagged] | None = None,
) -> Views:
    """Return `agreement`, `intersections` and `narratives` of what was measured; a view that is missing says why.

    Args:
        frames: benchmark -> its tidy frame.
        alpha: level of each one-sided bound.
        seed: seed of the resampling.
        noise: nats within which two log-probs are a tie.
        tagged: benchmark -> its continuations with their themes; empty if they were not tagged.

    """

    def agreeing(name: str, frame: pd.DataFrame) -> AllInstances:
        known = groups()
        asked = {group: known.members(name, group) for group in known.names(name)}
        told = agreement(frame, groups=asked, controls=controls(name), alpha=alpha, seed=seed, noise=noise)
        return _typed({"benchmark": name, "groups": told}, AllInstances)

    def crossed(name: str, frame: pd.DataFrame) -> Cells:
        return _typed(intersections(frame, name, controls=controls(name), alpha=alpha), Cells)

    def themed(name: str, frame: pd.DataFrame) -> Narratives:
        if tagged is None or name not in tagged:
            return Narratives(not_measured="--rootfruit-narratives=none")
        return narratives(tagged[name], name, alpha=alpha)

    twins, themes, crossings = (_having(field) for field in ("twins", "themes", "crossed_with"))
    return Views(
        agreement=_first(frames, twins, agreeing, AllInstances),
        intersections=Intersections(
            gated=False,
            about=_ABOUT,
            benchmarks={name: _told(frames, name, crossed, Cells) for name in crossings},
        ),
        narratives=_first(frames, themes, themed, Narratives),
    )


def _typed(told: Mapping[str, object], kind: type[View]) -> View:
    return msgspec.convert(as_plain(told), kind)


def _having(field: str) -> list[str]:
    """Names of the benchmarks whose registration sets `field`."""
    return [name for name, held in BENCHMARKS.items() if getattr(held, field)]


def _first(
    frames: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    view: Callable[[str, pd.DataFrame], View],
    kind: type[View],
) -> View:
    """Describe the first of these benchmarks that was measured."""
    name = next((name for name in names if name in frames), names[0] if names else None)
    return kind(not_measured=NO_BENCHMARK) if name is None else _told(frames, name, view, kind)


def _told(
    frames: Mapping[str, pd.DataFrame], benchmark: str, view: Callable[[str, pd.DataFrame], View], kind: type[View]
) -> View:
    if benchmark not in frames:
        return kind(not_measured=f"{benchmark} was not measured in this run")
    try:
        return view(benchmark, frames[benchmark])
    except Exception as error:
        # Any exception: the checks report what is wrong with the data, and a failing description (in a pytest hook,
        # where an error ends the session) must not lose any verdict. The view says why it is missing.
        return kind(not_measured=f"could not be described: {type(error).__name__}: {error}")
