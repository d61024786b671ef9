"""SHA-256 over several files: over texts, regardless of line endings, and over a folder's files byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path


def text_digest(files: Iterable[tuple[str, Path]]) -> str:
    """Return the SHA-256 over names and contents of text files, in the given order; the same on every platform."""
    total = hashlib.sha256()
    for name, file in files:
        # A checkout may convert line endings, which changes neither rules nor data.
        content = file.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def folder_digest(folder: Path, patterns: Sequence[str]) -> str:
    """Return the SHA-256 over names and bytes of the folder's files that match a pattern, sorted by name."""
    total = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}):
        with file.open("rb") as stream:
            total.update(f"{file.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()};".encode())
    return total.hexdigest()
