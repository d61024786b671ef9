"""From `--rootfruit-data` to samples: the starter set, the fetched official files, or a directory of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rootfruit_checks.benchmarks import scales
from rootfruit_checks.benchmarks.starter import (
    starter_disclosure,
    starter_info,
    starter_misgendering,
    starter_pairs,
)
from rootfruit_checks.benchmarks.tango import read_misgendering, sample_disclosure
from rootfruit_checks.benchmarks.winoqueer import add_controls, read_winoqueer
from rootfruit_checks.errors import DataError
from rootfruit_checks.types import Pair, Prompt

WINOQUEER = ("winoqueer_final.csv",)
MISGENDERING = ("misgendering_prompts.csv", "misgendering.jsonl")
DISCLOSURE_PARTS = tuple(f"part_{i}_gender_disclosure_prompts.csv" for i in range(1, 9))
_WHOSE = {
    "winoqueer": ("WinoQueer (Felkner et al. 2023), with our own control predicates in its frames", "MIT"),
    "misgendering": ("TANGO (Ovalle et al. 2023)", "CC BY-SA 4.0"),
    "disclosure": ("TANGO (Ovalle et al. 2023)", "CC BY-SA 4.0"),
}


@dataclass(frozen=True, slots=True)
class DataSet:
    """The samples of one benchmark, and whose they are."""

    name: str
    statement: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    prompts: tuple[Prompt, ...] = ()


def load_pairs(data: str, scale: str, seed: int) -> DataSet:
    """Return the sentence pairs, controls among them. Raises DataError where there are none."""
    if data == "starter":
        return _starter(pairs=scales.sample_pairs(starter_pairs(), scale, seed))
    file = _find(data, WINOQUEER)[0]
    read = read_winoqueer(file)
    unparsed = sum(pair.frame == "unparsed" for pair in read)
    notes = (f"the frame of {unparsed} of {len(read)} rows could not be recovered; they are kept",) if unparsed else ()
    pairs = scales.sample_pairs(add_controls(read), scale, seed)
    return _official(data, "winoqueer", [file], notes, pairs=pairs)


def load_prompts(benchmark: str, data: str, scale: str, seed: int) -> DataSet:
    """Return the prompts of "disclosure" or "misgendering". Raises DataError where there are none."""
    if data == "starter":
        prompts = starter_disclosure() if benchmark == "disclosure" else starter_misgendering()
        return _starter(prompts=scales.sample_prompts(prompts, scale, seed))
    if benchmark == "misgendering":
        file = _find(data, MISGENDERING)[0]
        prompts = scales.sample_prompts(read_misgendering(file), scale, seed)
        return _official(data, benchmark, [file], (), prompts=prompts)
    files = _find(data, DISCLOSURE_PARTS, ("disclosure.jsonl",))
    names, identities, forms = scales.DISCLOSURE[scale]
    whole = 10**9
    sampled = sample_disclosure(files, names=names or whole, identities=(identities or whole), seed=seed, forms=forms)
    if scale == "smoke":
        sampled = scales.sample_prompts(sampled, scale, seed)
    return _official(data, benchmark, files, (), prompts=sampled)


def _find(data: str, *alternatives: Sequence[str]) -> list[Path]:
    """Return the files of the first alternative that is there: any of single files, all of several parts."""
    if data == "official":
        from rootfruit_checks.benchmarks.fetch import verified

        return verified([name for names in alternatives for name in names])
    folder = Path(data)
    if not folder.is_dir():
        raise DataError(f"--rootfruit-data {data}: is neither starter nor official, and no such directory")
    for names in alternatives:
        there = [folder / name for name in names if (folder / name).is_file()]
        if names == DISCLOSURE_PARTS and 0 < len(there) < len(names):
            missing = [name for name in names if not (folder / name).is_file()]
            raise DataError(f"--rootfruit-data {data}: lacks {', '.join(missing)}; all eight parts are needed")
        if there:
            return there if names == DISCLOSURE_PARTS else there[:1]
    looked = ", ".join(name for names in alternatives for name in names)
    raise DataError(
        f"--rootfruit-data {data}: holds none of {looked}; add it, or choose other benchmarks with "
        "--rootfruit-benchmarks"
    )


def _starter(pairs: Sequence[Pair] = (), prompts: Sequence[Prompt] = ()) -> DataSet:
    info = starter_info()
    return DataSet("starter", info["source"], info["licence"], info["sha256"], (), tuple(pairs), tuple(prompts))


def _official(
    data: str,
    benchmark: str,
    files: Sequence[Path],
    notes: tuple[str, ...],
    pairs: Sequence[Pair] = (),
    prompts: Sequence[Prompt] = (),
) -> DataSet:
    if not pairs and not prompts:
        raise DataError(f"--rootfruit-data {data}: gives no {benchmark} samples")
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            sha.update(hashlib.file_digest(stream, "sha256").digest())
    statement, licence = _WHOSE[benchmark]
    return DataSet(data, statement, licence, sha.hexdigest(), notes, tuple(pairs), tuple(prompts))
