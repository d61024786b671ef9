"""Tidy frames out of the store."""

from __future__ import annotations

import pandas as pd

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.observations.frame import frame_of
from rootfruit_checks.store.store import Store


def load_frame(store: Store, name: str) -> pd.DataFrame | None:
    """Return a stored table, or None where there is none.

    Raises:
        StoreError: it is not what was saved, or no tidy frame.

    """
    value = store.table_bytes(name)
    if value is None:
        return None
    where = untrusted.shown(store.table_path(name))
    return frame_of(untrusted.read_parquet(value, where, StoreError), where, StoreError)
