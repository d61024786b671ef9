"""The official files of a benchmark: fetched and verified ones, or those in a directory of the user's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.data.data_set import DataSet


def find(data: str, sets: Sequence[Sequence[str]]) -> list[Path]:
    """Return the files of the first set that is there whole.

    Args:
        data: what `--rootfruit-data` says: `official`, whose files must be fetched and verified, or a directory.
        sets: names of files; each inner list is one whole set.

    Raises:
        DataError: no such directory, no set, a set with files missing, or an official file that is not fetched.

    """
    if data == "official":
        from rootfruit_checks.data.download import verified

        return verified(sets[0])
    folder = Path(data)
    if not untrusted.is_directory(folder):
        where = f"--rootfruit-data {untrusted.shown(data)}"
        raise DataError(f"{where}: is neither starter nor official, and there is no such directory")
    for names in sets:
        missing = [name for name in names if not untrusted.is_there(folder / name)]
        if not missing:
            return [folder / name for name in names]
        if len(missing) < len(names):
            raise DataError(f"--rootfruit-data {data}: lacks {', '.join(missing)}; add what is missing of the set")
    looked = " or ".join(", ".join(names) for names in sets)
    other = "choose other benchmarks with --rootfruit-benchmarks"
    raise DataError(f"--rootfruit-data {data}: holds none of {looked}; add it, or {other}")


def official_set(
    data: str,
    files: Sequence[Path],
    samples: Sequence[Pair | Prompt],
    notes: Sequence[str],
    *,
    source: str,
    licence: str,
) -> DataSet:
    """Return the samples of official files, with the sha256 over the files.

    Raises:
        DataError: the files give no samples.

    """
    if not samples:
        named = ", ".join(file.name for file in files)
        raise DataError(f"--rootfruit-data {data}: {named} gives no samples; add prompts or choose a larger scale")
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            sha.update(hashlib.file_digest(stream, "sha256").digest())
    return DataSet(
        data,
        source,
        licence,
        sha.hexdigest(),
        tuple(notes),
        tuple(sample for sample in samples if isinstance(sample, Pair)),
        tuple(sample for sample in samples if isinstance(sample, Prompt)),
    )
