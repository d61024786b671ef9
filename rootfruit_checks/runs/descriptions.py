"""What is described beside the checks of a run, as plain values: likelihood beside generation, and intersections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.judges.themes.tagged import Tagged
from rootfruit_checks.metrics.intersections import intersections
from rootfruit_checks.metrics.twin_agreement import agreement
from rootfruit_checks.runs.narratives import narratives

_ABOUT = (
    "exploratory, never gated; bounds are each cell's own at 1 - alpha, not corrected for the number of cells, so that "
    "with many cells some lie outside theirs by chance"
)


def views(
    frames: Mapping[str, pd.DataFrame], *, alpha: float, seed: int, noise: float, tagged: Tagged | None = None
) -> dict[str, Any]:
    """Return `agreement`, `intersections` and `narratives` of what was measured; what was not, or could not be
    described, says so.

    Args:
        frames: benchmark -> its tidy frame.
        alpha: level of each one-sided bound.
        seed: seed of the resampling.
        noise: nats within which two log-probs are a tie.
        tagged: the continuations of disclosure with their themes; None where they were not tagged.

    """

    def agreeing(frame: pd.DataFrame) -> dict[str, Any]:
        asked = {name: groups().members("misgendering", name) for name in groups().names("misgendering")}
        binary = groups().members("misgendering", "binary")
        return {"groups": agreement(frame, groups=asked, controls=binary, alpha=alpha, seed=seed, noise=noise)}

    def crossed(benchmark: str) -> Callable[[pd.DataFrame], dict[str, Any]]:
        binary = groups().members(benchmark, "binary")
        return lambda frame: intersections(frame, benchmark, controls=binary, alpha=alpha)

    def told(frame: pd.DataFrame) -> dict[str, Any]:
        if tagged is None:
            return {"not_measured": "--rootfruit-narratives=none"}
        return narratives(tagged, alpha=alpha)

    return {
        "narratives": _told(frames, "disclosure", told),
        "agreement": _told(frames, "misgendering", agreeing),
        "intersections": {
            "gated": False,
            "about": _ABOUT,
            **{name: _told(frames, name, crossed(name)) for name in ("misgendering", "disclosure")},
        },
    }


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
