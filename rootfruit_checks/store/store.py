"""The result store: finished units of work in SQLite (WAL), content-addressed, written as they arrive.

A unit is keyed by a namespace (engine fingerprint, sampling, seed) and its own content hash. `put` commits, so a
process killed at any moment loses at most the unit it was computing. Tables derived from units are stored next to the
database as Parquet.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.text import plain

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
_TABLES = (
    "CREATE TABLE units (namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, digest TEXT NOT NULL, "
    "writes INTEGER NOT NULL, PRIMARY KEY (namespace, key)) WITHOUT ROWID",
    "CREATE TABLE attempts (plan TEXT NOT NULL, seed INTEGER NOT NULL, PRIMARY KEY (plan, seed)) WITHOUT ROWID",
)
_DIGESTS = "table digests"
_PATIENCE_S = 60.0
_GITIGNORE = "# Written by rootfruit-checks: a store holds what models wrote, and can be made again.\n*\n"
_CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory is a result store of rootfruit-checks.\n"
    "# About such tags: https://bford.info/cachedir/spec.html\n"
)


def digest(value: bytes) -> str:
    """Return the SHA-256 of `value`, shortened to 32 hex digits: enough to identify it and to detect damage."""
    return hashlib.sha256(value).hexdigest()[:32]


def address(parts: Mapping[str, object]) -> str:
    """Return the content address of a mapping of plain values; the order of its keys does not matter."""
    return digest(json.dumps(dict(parts), sort_keys=True, default=str).encode())


def _make(directory: Path) -> None:
    """Create a store's directory; a new one is ignored by git and marked as a cache for backup tools."""
    if directory.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / ".gitignore", _GITIGNORE)
    write_atomic(directory / "CACHEDIR.TAG", _CACHEDIR_TAG)


class Store:
    """One store directory. A context manager; safe for one writing process at a time (callers hold `lock_path`).

    Raises:
        StoreError: the directory cannot be written, or its database is damaged or has another version.

    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.database = self.directory / "units.sqlite"
        self._mutex = threading.Lock()
        where = untrusted.shown(self.directory)
        try:
            _make(self.directory)
            (self.directory / "tables").mkdir(exist_ok=True)
            for name in ("", "-wal", "-shm", "-journal"):
                untrusted.check_regular(self.directory / f"units.sqlite{name}", StoreError, missing_ok=True)
            untrusted.check_regular(self.lock_path, StoreError, missing_ok=True)
            self._db = sqlite3.connect(self.database, timeout=_PATIENCE_S, check_same_thread=False)
        except (OSError, ValueError, sqlite3.Error) as error:
            told = getattr(error, "strerror", None) or error
            raise StoreError(f"{where}: cannot be used as a result store ({told}); check --rootfruit-store") from error
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise StoreError(
                f"{self.database}: is not a readable result store ({error}); move it away or use another"
            ) from error
        except StoreError:
            self._db.close()
            raise

    @classmethod
    def existing(cls, directory: Path) -> Store:
        """Return the store in an existing directory; raise a StoreError if there is none, and never create it."""
        where = untrusted.shown(directory)
        if not untrusted.is_directory(directory):
            raise StoreError(f"{where}: no such directory; give the --rootfruit-store of an earlier gate run")
        if not untrusted.is_there(directory / "units.sqlite"):
            raise StoreError(f"{where}: contains no result store; give the --rootfruit-store of an earlier gate run")
        return cls(directory)

    def _open(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._prepare()
            except sqlite3.OperationalError as error:
                # While a new store switches to WAL, SQLite does not wait for other processes that open it too.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _prepare(self) -> None:
        # Triggers and views in a database that someone else made must not call any functions.
        self._db.execute("PRAGMA trusted_schema=OFF")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        if self._version() == SCHEMA:
            return self._check_tables()
        # One transaction: otherwise another process, or a kill between the tables and their version, would leave an
        # unusable store.
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._version()
            if version == SCHEMA:
                return self._check_tables()
            if version or self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
                raise StoreError(
                    f"{self.database}: was written by another version (schema {version}, this is {SCHEMA}); "
                    "use another --rootfruit-store or delete it"
                )
            for table in _TABLES:
                self._db.execute(table)
            self._db.execute(f"PRAGMA user_version={SCHEMA}")
        return None

    def _check_tables(self) -> None:
        """Raise if the database has other tables than ours, or a view or trigger."""
        found = {str(row[0]) for row in self._db.execute("SELECT sql FROM sqlite_master")}
        if found != set(_TABLES):
            raise StoreError(f"{self.database}: is not a result store, or a damaged one; move it away or use another")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.database}: cannot be read ({error}); move it away or use another") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._mutex, self._db:
                yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.database}: cannot be written ({error}); earlier results are kept") from error

    @property
    def lock_path(self) -> Path:
        """The file that a computing process locks."""
        return self.directory / "lock"

    def get(self, namespace: str, key: str) -> bytes | None:
        """Return a unit's value, or None. A value that does not match its digest is a StoreError."""
        with self._reading(), self._mutex:
            row = self._db.execute(
                "SELECT value, digest FROM units WHERE namespace=? AND key=?", (namespace, key)
            ).fetchone()
        if row is None:
            return None
        return self._whole(key, *row)

    def _whole(self, key: object, value: object, noted: object) -> bytes:
        # SQLite stores values of any type in any column.
        if not isinstance(key, str) or not isinstance(value, bytes) or digest(value) != noted:
            raise StoreError(f"{self.database}: unit {plain(str(key), 80)} is damaged; delete the store and run again")
        return value

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Store a unit's value and count how often it was written (1, unless it was computed twice)."""
        with self._writing():
            self._db.execute(
                "INSERT INTO units VALUES (?, ?, ?, ?, 1) ON CONFLICT (namespace, key) "
                "DO UPDATE SET value=excluded.value, digest=excluded.digest, writes=writes+1",
                (namespace, key, value, digest(value)),
            )

    def replace(self, namespace: str, items: Mapping[str, bytes], gone: Iterable[str]) -> None:
        """Store values under their keys and remove other keys: all, or nothing if one fails."""
        with self._writing():
            self._db.executemany("DELETE FROM units WHERE namespace=? AND key=?", [(namespace, key) for key in gone])
            self._db.executemany(
                "INSERT INTO units VALUES (?, ?, ?, ?, 1) ON CONFLICT (namespace, key) "
                "DO UPDATE SET value=excluded.value, digest=excluded.digest, writes=writes+1",
                [(namespace, key, value, digest(value)) for key, value in items.items()],
            )

    def put_new(self, namespace: str, items: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes, bytes]]:
        """Store the (key, value) pairs whose keys are not stored yet: all, or none if one fails.

        Returns key, stored value and given value of each key that was stored with another value.
        """
        differ = []
        with self._writing():
            for key, value in items:
                row = self._db.execute(
                    "SELECT value, digest FROM units WHERE namespace=? AND key=?", (namespace, key)
                ).fetchone()
                if row is None:
                    self._db.execute("INSERT INTO units VALUES (?, ?, ?, ?, 1)", (namespace, key, value, digest(value)))
                elif (kept := self._whole(key, *row)) != value:
                    differ.append((key, kept, value))
        return differ

    def units_of(self, namespace: str) -> Iterator[tuple[str, bytes]]:
        """Yield (key, value) of one namespace. A value that does not match its digest is a StoreError."""
        with self._reading():
            rows = self._db.execute("SELECT key, value, digest FROM units WHERE namespace=? ORDER BY 1", (namespace,))
            for key, value, noted in rows:
                yield str(key), self._whole(key, value, noted)

    def attempts(self) -> list[tuple[str, int]]:
        """Return every (plan, seed) that was run."""
        with self._reading():
            rows = self._db.execute("SELECT plan, seed FROM attempts ORDER BY 1, 2").fetchall()
        if any(not isinstance(plan, str) or not isinstance(seed, int) for plan, seed in rows):
            raise StoreError(f"{self.database}: its list of seeds is damaged; move it away or use another")
        return list(rows)

    def attempt(self, plan: str, seed: int) -> list[int]:
        """Record that `plan` (a run's address without its seed) is run with `seed`; return all seeds so far."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO attempts VALUES (?, ?)", (plan, seed))
            rows = self._db.execute("SELECT seed FROM attempts WHERE plan=? ORDER BY seed", (plan,)).fetchall()
        if any(not isinstance(row[0], int) for row in rows):
            raise StoreError(f"{self.database}: its list of seeds is damaged; move it away or use another")
        return [row[0] for row in rows]

    def table_names(self) -> list[str]:
        """Return the names of all saved tables."""
        return [key for key, _ in self.units_of(_DIGESTS)]

    def table_path(self, name: str) -> Path:
        """Return the path of the Parquet table `name`."""
        return self.directory / "tables" / f"{name}.parquet"

    def save_table(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a table as Parquet, atomically, and record its digest."""
        path = self.table_path(name)
        content = io.BytesIO()
        try:
            frame.to_parquet(content, index=False)
            value = content.getvalue()
            write_atomic(path, value)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error}); its units are still stored") from error
        self.put(_DIGESTS, name, digest(value).encode())
        return path

    def table_bytes(self, name: str) -> bytes | None:
        """Return a stored table's file, or None if there is none; a changed file is a StoreError."""
        path = self.table_path(name)
        noted = self.get(_DIGESTS, name)
        if noted is None or not untrusted.is_there(path):  # the run was killed in between: the table is built again
            return None
        value = untrusted.read_bytes(path, StoreError, limit=untrusted.TABLE_LIMIT)
        if digest(value).encode() != noted:
            raise StoreError(f"{path}: is damaged; delete it and run again")
        return value

    def table_told(self, name: str, rows: int) -> dict[str, object]:
        """Return the identity of a saved table for reports: its path in the store, the file's SHA-256 and its rows."""
        path = self.table_path(name)
        value = untrusted.read_bytes(path, StoreError, limit=untrusted.TABLE_LIMIT)
        found = path.relative_to(self.directory).as_posix()
        return {"path": found, "sha256": hashlib.sha256(value).hexdigest(), "rows": rows}

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
