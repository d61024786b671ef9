"""What is described beside the checks of a run, as plain values: likelihood beside generation, and intersections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from rootfruit_checks.catalog.identity_groups import controls, groups
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.intersections import intersections
from rootfruit_checks.metrics.twin_agreement import agreement
from rootfruit_checks.runs.narratives import narratives

NO_BENCHMARK = "no benchmark is described so"
_ABOUT = (
    "exploratory, never gated; bounds are each cell's own at 1 - alpha, not corrected for the number of cells, so that "
    "with many cells some lie outside theirs by chance"
)


def views(
    frames: Mapping[str, pd.DataFrame],
    *,
    alpha: float,
    seed: int,
    noise: float,
    tagged: Mapping[str, Tagged] | None = None,
) -> dict[str, Any]:
    """Return `agreement`, `intersections` and `narratives` of what was measured; what was not, or could not be
    described, says so.

    Args:
        frames: benchmark -> its tidy frame.
        alpha: level of each one-sided bound.
        seed: seed of the resampling.
        noise: nats within which two log-probs are a tie.
        tagged: benchmark -> its continuations with their themes; empty where they were not tagged.

    """

    def agreeing(name: str) -> Callable[[pd.DataFrame], dict[str, Any]]:
        known = groups()
        asked = {group: known.members(name, group) for group in known.names(name)}
        return lambda frame: {
            "benchmark": name,
            "groups": agreement(frame, groups=asked, controls=controls(name), alpha=alpha, seed=seed, noise=noise),
        }

    def crossed(name: str) -> Callable[[pd.DataFrame], dict[str, Any]]:
        return lambda frame: intersections(frame, name, controls=controls(name), alpha=alpha)

    def themed(name: str) -> Callable[[pd.DataFrame], dict[str, Any]]:
        def tell(frame: pd.DataFrame) -> dict[str, Any]:
            if tagged is None or name not in tagged:
                return {"not_measured": "--rootfruit-narratives=none"}
            return narratives(tagged[name], name, alpha=alpha)

        return tell

    twins, themes, crossings = (_having(field) for field in ("twins", "themes", "crossed_with"))
    return {
        "narratives": _first(frames, themes, themed),
        "agreement": _first(frames, twins, agreeing),
        "intersections": {
            "gated": False,
            "about": _ABOUT,
            "benchmarks": {name: _told(frames, name, crossed(name)) for name in crossings},
        },
    }


def _having(field: str) -> list[str]:
    """Names of the benchmarks that are described in a certain way."""
    return [name for name, held in BENCHMARKS.items() if getattr(held, field)]


def _first(
    frames: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    view: Callable[[str], Callable[[pd.DataFrame], dict[str, Any]]],
) -> dict[str, Any]:
    """Describe the first of these benchmarks that was measured."""
    name = next((name for name in names if name in frames), names[0] if names else None)
    return {"not_measured": NO_BENCHMARK} if name is None else _told(frames, name, view(name))


def _told(
    frames: Mapping[str, pd.DataFrame], benchmark: str, view: Callable[[pd.DataFrame], dict[str, Any]]
) -> dict[str, Any]:
    if benchmark not in frames:
        return {"not_measured": f"{benchmark} was not measured in this run"}
    try:
        return view(frames[benchmark])
    except Exception as error:
        # Whatever it is: what is wrong with the data is told by the checks, and a description that fails (in a hook of
        # pytest, where an error ends the session) must not cost a single verdict. It says why it is not there.
        return {"not_measured": f"could not be described: {type(error).__name__}: {error}"}
