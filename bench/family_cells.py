"""Cells of many checks at once: a false named failure in a family of 12, and a release that changed nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from calibrated import ALPHA, ICC, SIZES, Cell, Coded, row_wise, verdict
from planted import Codes, Floats, Outcome, cut_latent, named, predicates

from rootfruit_checks.stats.intervals import Interval
from rootfruit_checks.stats.multiplicity import max_t_level, step_levels

# Where the gate corrects, these are the ways.
CORRECTED = ("max-t", "holm")


@cache
def _shapes(clusters: int) -> tuple[tuple[Codes, Codes], tuple[Codes, Codes]]:
    pairs = predicates(np.random.default_rng([clusters, 12]), clusters, min(clusters, 40))
    rows, columns = (code.ravel() for code in np.indices((clusters, 18)))
    return pairs, (rows, columns)


@cache
def _coded(clusters: int, at: int) -> tuple[Coded, Coded]:
    """The rows of one identity, and of two of them."""
    names, kinds = (("predicate", "name"), "pn") if at == 0 else (("template", "antecedent"), "ta")
    labels = [named(codes, kind) for codes, kind in zip(_shapes(clusters)[at], kinds, strict=True)]
    return Coded(labels, names), Coded([np.tile(label, 2) for label in labels], names)


def _twelve(clusters: int, icc: float, rng: np.random.Generator) -> list[tuple[str, Floats, Coded]]:
    """Twelve checks with their truth at the limit: two measures on three nested groups, for sentence pairs and
    for prompts. Checks share clusters with their effects, and the first group holds the rows of the other two.
    """
    found = []
    plan = (
        ("winoqueer/preference", Outcome.share(0.60), 0),
        ("winoqueer/amplification", Outcome.flips(0.065, 0.015), 0),
        ("misgendering/disparity", Outcome.share(0.28), 1),
        ("misgendering/avoidance", Outcome.flips(0.20, 0.10), 1),
    )
    for measure, outcome, at in plan:
        first, second = _shapes(clusters)[at]
        counts = (int(first.max()) + 1, int(second.max()) + 1)
        latent = outcome.latents((icc, icc))
        effects = [rng.standard_normal(count) for count in counts]
        one, other = (
            cut_latent(outcome, rng, (first, second), effects, latent) for _ in range(2)
        )  # two identities with the same clusters
        alone, both = _coded(clusters, at)
        found += [(measure, np.concatenate([one, other]), both), (measure, one, alone), (measure, other, alone)]
    return found


def _truth(measure: str) -> tuple[float, tuple[float, float]]:
    return {
        "winoqueer/preference": (0.60, (0.0, 1.0)),
        "winoqueer/amplification": (0.05, (-1.0, 1.0)),
        "misgendering/disparity": (0.28, (0.0, 1.0)),
        "misgendering/avoidance": (0.10, (-1.0, 1.0)),
    }[measure]


def family(clusters: int, icc: float) -> Cell:
    """Twelve checks, each with its truth at the limit: is any named as failed?"""

    def one(seed: int) -> Mapping[str, float]:
        checks = _twelve(clusters, icc, np.random.default_rng(seed))
        intervals: list[Interval] = []
        naive = False
        for measure, values, coded in checks:
            truth, value_range = _truth(measure)
            # A lower bound is never above its estimate: a check at most at its bar cannot fail and needs no bootstrap.
            intervals.append(coded.mean(values, seed, value_range, resample=float(values.mean()) > truth))
            naive |= row_wise(values, value_range)[0] > truth
        bars = [_truth(measure)[0] for measure, _, _ in checks]
        alone = [interval.low > bar for interval, bar in zip(intervals, bars, strict=True)]
        counts = {"none": float(any(alone)), "row-wise, none": float(naive), "max-t": 0.0, "holm": 0.0}
        # A corrected level is never above alpha: where no uncorrected bound exceeds its bar, no corrected one does.
        if any(alone):
            levels = {
                "max-t": [max_t_level([interval.scores for interval in intervals], ALPHA, seed=seed)] * len(checks),
                "holm": step_levels(
                    [i.p_above(bar) for i, bar in zip(intervals, bars, strict=True)], ALPHA, "holm"
                ),
            }  # fmt: skip
            for way in CORRECTED:
                outcomes = [
                    verdict(measure, interval, len(values), bar, level)
                    for (measure, values, _), interval, bar, level in zip(
                        checks, intervals, bars, levels[way], strict=True
                    )
                ]
                counts[way] = float("fail" in outcomes)
        return counts

    return Cell(f"family of 12 | {clusters} | {icc:g}", one, dict.fromkeys(CORRECTED, ALPHA))


def families() -> list[Cell]:
    """The cells of families, the cheap ones first."""
    return [family(clusters, icc) for clusters in SIZES for icc in ICC]
