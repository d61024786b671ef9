"""The interface to the rows of an earlier release, with which a regression is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Earlier(Protocol):
    """An earlier release's answers."""

    @property
    def noise(self) -> float:
        """Nats within which a difference of its log-probs is a tie."""

    def of(self, benchmark: str) -> pd.DataFrame | None:
        """Return the tidy rows of one benchmark; None where it has none."""
