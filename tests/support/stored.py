"""What a store holds, read past its interface."""

from __future__ import annotations


def writes(store):
    """(namespace, key) -> how often it was computed and written."""
    return {(row[0], row[1]): int(row[2]) for row in store._db.execute("SELECT namespace, key, writes FROM units")}


def units(store):
    """Every (namespace, key, value); each matches its digest."""
    rows = store._db.execute("SELECT namespace, key, value, digest FROM units ORDER BY 1, 2")
    return [(namespace, key, store._whole(key, value, digest)) for namespace, key, value, digest in rows]
