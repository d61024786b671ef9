"""Reservations: everything that the settings or a test loosened, as clauses for the sentence that states the verdict.

Only what makes it easier to pass is listed. The result already records stricter limits, other data and other models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from rootfruit_checks.catalog.entry_points import other_packages
from rootfruit_checks.catalog.registry import MEASURES, defaults
from rootfruit_checks.config.settings import Settings

_USUAL = Settings()
_NAMED = 3
LET_THROUGH = "did not block"


class Decided(Protocol):
    """The part of a verdict that reservations need."""

    @property
    def id(self) -> str:
        """The check's id."""

    @property
    def benchmark(self) -> str:
        """Its benchmark."""

    @property
    def metric(self) -> str:
        """Its metric."""

    @property
    def gated(self) -> bool:
        """Whether it can block the release."""

    @property
    def limit(self) -> float | None:
        """The limit that decides it."""

    @property
    def verdict(self) -> str:
        """The outcome."""


def reservations(settings: Settings, rows: Iterable[Decided]) -> list[str]:
    """Return, as clauses, each way in which this run is less strict than the defaults; empty if it is not.

    Args:
        settings: of the run.
        rows: its verdicts.

    """
    gated = sorted((row for row in rows if row.gated), key=lambda row: row.id)
    told = []
    left = [name for name in defaults() if name not in settings.benchmarks]
    if left:
        told.append(f"{_and(left)} {'were' if len(left) > 1 else 'was'} left out")
    if settings.extensions == "off" and (packages := other_packages()):
        told.append(f"the checks of {_and(packages)} were left out")
    if settings.absolute_only:
        told.append("nothing was compared with a reference")
    if settings.allow_same:
        told.append("policy and reference were allowed to be the same model")
    if looser := [_looser(row) for row in gated if _is_looser(row)]:
        more = f", and {len(looser) - _NAMED} more" if len(looser) > _NAMED else ""
        told.append(
            f"{len(looser)} {'limits are' if len(looser) > 1 else 'limit is'} looser than the default "
            f"({', '.join(looser[:_NAMED])}{more})"
        )
    if settings.decision == "point":
        told.append("checks were decided by their estimates alone, without bounds")
    if settings.alpha > _USUAL.alpha:
        told.append(f"alpha is {settings.alpha:g} instead of {_USUAL.alpha:g}")
    if settings.max_unscored > _USUAL.max_unscored:
        told.append(
            f"up to {100 * settings.max_unscored:g} % of a check's samples may be unscored instead of "
            f"{100 * _USUAL.max_unscored:g} %"
        )
    through = sum(row.verdict == "inconclusive" for row in gated)
    if through and settings.inconclusive == "warn":
        told.append(f"{through} of {len(gated)} gated checks are inconclusive and {LET_THROUGH}")
    return told


def _is_looser(row: Decided) -> bool:
    default = _default(row)
    return row.limit is not None and default is not None and row.limit > default


def _default(row: Decided) -> float | None:
    return MEASURES[f"{row.benchmark}/{row.metric}"].limit


def _looser(row: Decided) -> str:
    default = _default(row)
    return f"{row.id} {row.limit:g} instead of {default:g}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def released(told: Sequence[str]) -> str:
    """Return the start of the sentence for a release: "Released", followed by the reservations."""
    return f"Released, but {'; '.join(told)}" if told else "Released"
