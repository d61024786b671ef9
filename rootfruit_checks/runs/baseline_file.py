"""Saves a baseline at the end of the session, in the main process, from the tables in the store.

The rows are in the store, whichever process computed them; only the names of the tables are passed on. So this works
the same way under xdist, after a merge, and in a run that computed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rootfruit_checks.base.errors import BaselineError, RootfruitError
from rootfruit_checks.config.settings import Settings

if TYPE_CHECKING:
    from rootfruit_checks.results.result import Result
    from rootfruit_checks.runs.baseline_types import ToKeep


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of saving: one line to print, and whether saving failed."""

    line: str
    lost: bool


def keep(settings: Settings, told: ToKeep | None, result: Result) -> Kept:
    """Save the baseline that `settings` request; errors are reported, not raised.

    Args:
        settings: of the session.
        told: `Run.to_keep` of the process that measured; None if none did.
        result: the session's result.

    """
    from rootfruit_checks.base.text import plain

    try:
        rows = _save(settings, told, result)
    except RootfruitError as error:
        return Kept(plain(f"{type(error).__name__}: {error}"), lost=True)
    return Kept(plain(f"baseline: {settings.save_baseline} ({rows} rows)"), lost=False)


def _save(settings: Settings, told: ToKeep | None, result: Result) -> int:
    from rootfruit_checks.observations.stored_frames import load_frame
    from rootfruit_checks.runs.baseline import save
    from rootfruit_checks.store.store import Store

    frames = []
    if told is not None:
        with Store(settings.store) as store:
            for benchmark, name in told.tables.items():
                frame = load_frame(store, name)
                if frame is None:
                    raise BaselineError(
                        f"option --rootfruit-save-baseline: the store {settings.store} no longer holds the answers of "
                        f"{benchmark}; run again"
                    )
                frames.append(frame)
    facts, noise = (told.facts, told.noise) if told else ({}, 0.0)
    save(str(settings.save_baseline), frames, facts, noise, result)
    return sum(map(len, frames))
