"""Store an engine's units: stored units are never computed again. Also reports progress."""

from __future__ import annotations

from typing import Protocol

from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.engines.work_units import SPOILED
from rootfruit_checks.store.store import Store


class Progress(Protocol):
    """Receives the progress of long work."""

    def start(self, what: str, total: int) -> None:
        """Begin a stage of `total` units."""

    def step(self) -> None:
        """Count one more finished unit."""

    def finish(self) -> None:
        """End the stage."""


class Silent:
    """Progress that is not shown."""

    def start(self, what: str, total: int) -> None:
        """Do nothing."""

    def step(self) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class StoredUnits:
    """`Units` over a Store, in one namespace (everything that changes a unit's result, except its content).

    Args:
        store: where units are stored.
        namespace: what they belong to.
        title: name of the work, for progress and errors.
        progress: receives the progress.
        only: raise a StoreError for a unit that is not stored, so that nothing is computed.

    """

    def __init__(
        self, store: Store, namespace: str, title: str, progress: Progress | None = None, *, only: bool = False
    ) -> None:
        self._store = store
        self._only = only
        self._namespace = namespace
        self._title = title
        self._progress = progress or Silent()
        self.computed = 0
        self.reused = 0

    def begin(self, what: str, total: int) -> None:
        """Announce the stage.

        Raises:
            StoreError: the stored units must not be used.

        """
        reason = self._store.get(self._namespace, SPOILED)
        if reason is not None:
            raise StoreError(f"{self._store.directory}: contains answers of two models ({reason.decode()})")
        self._progress.start(f"{self._title}: {what}", total)

    def get(self, key: str) -> bytes | None:
        """Return the stored value, or None."""
        value = self._store.get(self._namespace, key)
        if value is None and self._only:
            raise StoreError(
                f"{self._store.directory}: lacks answers of {self._title} (unit {key[:12]}), and "
                "--rootfruit-stored-only computes none; were they made with other settings, data or weights?"
            )
        if value is not None:
            self.reused += 1
            self._progress.step()
        return value

    def put(self, key: str, value: bytes) -> None:
        """Store the value; once stored, it survives a kill."""
        self._store.put(self._namespace, key, value)
        self.computed += 1
        self._progress.step()

    def end(self) -> None:
        """End the stage, whether it succeeded or not."""
        self._progress.finish()
