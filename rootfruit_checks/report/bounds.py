"""The figures of a check for display: a bound that only repeats the end of the measure's range is None."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from rootfruit_checks.catalog.informative_bounds import informative, within
from rootfruit_checks.catalog.registry import MEASURES


class Figures(Protocol):
    """An estimate with its bounds."""

    @property
    def estimate(self) -> float | None:
        """The estimate."""

    @property
    def low(self) -> float | None:
        """The lower bound."""

    @property
    def high(self) -> float | None:
        """The upper bound."""


class Decided(Figures, Protocol):
    """An estimate that is compared with a limit."""

    @property
    def id(self) -> str:
        """The check's id."""

    @property
    def limit(self) -> float | None:
        """The limit."""


class Shown(NamedTuple):
    """The figures to show."""

    estimate: float | None
    low: float | None
    high: float | None
    limit: float | None = None


def shown(check: Decided) -> Shown:
    """Return the figures of a check."""
    low, high = informative(MEASURES.get(check.id.rsplit("/", 1)[0]), check.low, check.high)
    return Shown(check.estimate, low, high, check.limit)


def shown_within(figures: Figures, span: tuple[float, float]) -> Shown:
    """Return the figures of a quantity that lies in `span`."""
    low, high = within(span, figures.low, figures.high)
    return Shown(figures.estimate, low, high)
