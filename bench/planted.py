"""Data of planted truth for `calibration.py`: rows in clusters whose mean is known exactly.

A row's latent normal z = sqrt(a) u[first] + sqrt(b) v[second] + sqrt(1 - a - b) e is cut into a value, so that the
marginal rates are exact whatever the clusters do; a and b are solved for the wanted intra-cluster correlation of the
*values*, by quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Draw = Callable[[np.random.Generator], Floats]
# Latent shares of both factors together stay below this; where the wanted correlations need more they shrink alike.
MOST = 0.96


@dataclass(frozen=True)
class Outcome:
    """What a latent normal is cut into: `values[k]` between `cuts[k - 1]` and `cuts[k]`."""

    cuts: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def share(cls, rate: float) -> Outcome:
        """1 with probability `rate`, else 0."""
        return cls((float(stats.norm.isf(rate)),), (0.0, 1.0))

    @classmethod
    def flips(cls, up: float, down: float) -> Outcome:
        """1 with probability `up`, -1 with probability `down`, else 0."""
        return cls((float(stats.norm.ppf(down)), float(stats.norm.isf(up))), (-1.0, 0.0, 1.0))

    @property
    def mean(self) -> float:
        """The expected value."""
        return float(self.given(np.zeros(1), 0.0)[0])

    def given(self, u: Floats, latent: float) -> Floats:
        """The expected value given a cluster's effect u that carries the share `latent` of the variance."""
        edges = np.array([-np.inf, *self.cuts, np.inf])
        below = stats.norm.cdf((edges - math.sqrt(latent) * u[:, None]) / math.sqrt(1.0 - latent))
        return np.asarray(np.diff(below, axis=1) @ np.array(self.values))

    def cut(self, z: Floats) -> Floats:
        """The values of latent normals."""
        return np.asarray(np.array(self.values)[np.searchsorted(np.array(self.cuts), z)])

    def correlation(self, latent: float) -> float:
        """Correlation of two values in one cluster whose effect carries the share `latent`."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        inside = self.given(nodes, latent)
        weights = weights / weights.sum()
        probability = np.diff(stats.norm.cdf(np.array([-np.inf, *self.cuts, np.inf])))
        values = np.array(self.values)
        variance = float(probability @ values**2) - self.mean**2
        return (float(weights @ inside**2) - self.mean**2) / variance

    def latent(self, correlation: float) -> float:
        """The latent share for which values within a cluster correlate so, or the most that can be had."""
        return _latent(self, correlation)

    def latents(self, correlations: Sequence[float]) -> tuple[float, ...]:
        """`latent` for several factors; where they need more than all of the variance they shrink alike."""
        found = [self.latent(correlation) for correlation in correlations]
        scale = min(1.0, MOST / sum(found)) if sum(found) else 1.0
        return tuple(scale * share for share in found)


@cache
def _latent(outcome: Outcome, correlation: float) -> float:
    if correlation <= 0.0:
        return 0.0
    if outcome.correlation(MOST) <= correlation:
        return MOST
    return float(optimize.brentq(lambda a: outcome.correlation(a) - correlation, 0.0, MOST, xtol=1e-6))


@dataclass(frozen=True)
class Planted:
    """One check's rows: labels by factor, a draw of values, and the truth.

    Attributes:
        labels: one or two factors, each n labels; "" is outside the factor.
        draw: values, shape (n,).
        truth: their expected mean.
        value_range: the range of a single value.
        note: in words.

    """

    labels: tuple[NDArray[np.str_], ...]
    draw: Draw
    truth: float
    value_range: tuple[float, float]
    note: str = ""


def cut_latent(
    outcome: Outcome,
    rng: np.random.Generator,
    codes: Sequence[Codes],
    effects: Sequence[Floats | int],
    latent: Sequence[float],
) -> Floats:
    """Values of rows whose clusters have these effects, or so many new ones; a row outside a factor (code -1) has the
    same marginal law.
    """
    z = math.sqrt(1.0 - sum(latent)) * rng.standard_normal(len(codes[0]))
    for code, effect, share in zip(codes, effects, latent, strict=True):
        if share:
            drawn = rng.standard_normal(effect) if isinstance(effect, int) else effect
            z += math.sqrt(share) * np.append(drawn, 0.0)[code]
            outside = code < 0
            z[outside] += math.sqrt(share) * rng.standard_normal(int(outside.sum()))
    return outcome.cut(z)


def _both(outcome: Outcome, correlations: Sequence[float]) -> tuple[tuple[float, ...], str]:
    latent = outcome.latents(correlations)
    real = [outcome.correlation(share) for share in latent]
    told = "" if np.allclose(real, correlations, atol=0.005) else "ICC " + " and ".join(f"{r:.2f}" for r in real)
    return latent, told


def named(codes: Codes, kind: str) -> NDArray[np.str_]:
    """Labels of codes, "" for -1."""
    return np.where(codes < 0, "", np.char.add(kind, codes.astype(str)))


def predicates(rng: np.random.Generator, groups: int, names: int) -> tuple[Codes, Codes]:
    """Predicates with unequally many rows: named ones (a random subset of the names each), half as many nameless."""
    first, second = [], []
    for predicate in range(groups):
        count = int(rng.integers(max(2, names // 4), names + 1))
        first += [predicate] * (count + count // 2)
        second += [*rng.choice(names, count, replace=False).tolist(), *[-1] * (count // 2)]
    return np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)


def pairs(outcome: Outcome, groups: int, names: int, icc: tuple[float, float]) -> Planted:
    """Sentence pairs, clustered by predicate and by name: WinoQueer's shape."""
    codes = predicates(np.random.default_rng([groups, names]), groups, names)
    latent, told = _both(outcome, icc)
    low = min(outcome.values)
    return Planted(
        (named(codes[0], "p"), named(codes[1], "n")),
        lambda rng: cut_latent(outcome, rng, codes, (groups, names), latent),
        outcome.mean,
        (low, 1.0),
        told,
    )


def uneven(outcome: Outcome, groups: int, icc: float) -> Planted:
    """One factor whose clusters hold from 2 to 60 rows, most of them few."""
    sizes = np.round(2 * 30 ** (np.arange(groups) / max(1, groups - 1))).astype(int)
    code = np.repeat(np.arange(groups, dtype=np.intp), sizes)
    latent, told = _both(outcome, (icc,))
    return Planted(
        (named(code, "c"),),
        lambda rng: cut_latent(outcome, rng, (code,), (groups,), latent),
        outcome.mean,
        (min(outcome.values), 1.0),
        told,
    )


def crossed(
    group: float, control: float, shape: tuple[int, int], icc: tuple[float, float], identities: int = 3
) -> Planted:
    """Disparities of prompts: every template with every antecedent, some identities in each cell, which share two
    control prompts: TANGO's shape.
    """
    rows, columns = shape
    first, second = (code.ravel() for code in np.indices(shape))
    mine, yours = Outcome.share(group), Outcome.share(control)
    latent, told = _both(mine, icc)
    theirs, _ = _both(yours, icc)

    def draw(rng: np.random.Generator) -> Floats:
        # The identities of a cell share its template and antecedent, and so do its two controls.
        effects = [rng.standard_normal(n) for n in (rows, columns, rows, columns)]
        cells = len(first)

        def answers(outcome: Outcome, parts: tuple[float, ...], u: Floats, v: Floats, many: int) -> Floats:
            z = math.sqrt(parts[0]) * u[first] + math.sqrt(parts[1]) * v[second]
            noise = math.sqrt(1.0 - sum(parts)) * rng.standard_normal((many, cells))
            return outcome.cut(z + noise)

        own = answers(mine, latent, effects[0], effects[1], identities)
        other = answers(yours, theirs, effects[2], effects[3], 2).mean(axis=0)
        return np.asarray((own - other).ravel())

    labels = (np.tile(named(first, "t"), identities), np.tile(named(second, "a"), identities))
    return Planted(labels, draw, group - control, (-1.0, 1.0), told)
