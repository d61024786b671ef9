"""The starter set's own tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rootfruit_checks.data import words

HERE = Path(__file__).parent


def table(name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a data file beside this module; raises as `words.table`."""
    return words.table(HERE / name, columns)


def digest() -> str:
    """sha256 over all data files (names and contents, sorted by name), the same on every platform."""
    total = hashlib.sha256()
    for path in sorted((*HERE.glob("*.csv"), words.IDENTITIES), key=lambda path: path.name):
        # A checkout may turn line ends; that changes no prompt, so it must not change the identity of the data.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path.name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
