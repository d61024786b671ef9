"""From `--rootfruit-data` to samples: the starter set, the fetched official files, or a directory of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.benchmarks.starter import starter_disclosure, starter_info, starter_misgendering, starter_pairs
from rootfruit_checks.benchmarks.tango import read_misgendering, sample_surveyed, survey_disclosure
from rootfruit_checks.benchmarks.winoqueer.reader import UNPARSED, add_controls, read_winoqueer
from rootfruit_checks.data import sampling
from rootfruit_checks.data.data_set import DataSet

# Upstream's names, GitHub's and the Hub's: each inner tuple is one whole set.
WINOQUEER = (("winoqueer_final.csv",),)
MISGENDERING = (("misgendering_prompts.csv",), ("misgendering.jsonl",))
DISCLOSURE_PARTS = tuple(f"part_{i}_gender_disclosure_prompts.csv" for i in range(1, 9))
DISCLOSURE = (DISCLOSURE_PARTS, ("disclosure.jsonl",))
_WHOSE = {
    "winoqueer": ("WinoQueer (Felkner et al. 2023), with our own control predicates in its frames", "MIT"),
    "misgendering": ("TANGO (Ovalle et al. 2023)", "CC BY-SA 4.0"),
    "disclosure": ("TANGO (Ovalle et al. 2023)", "CC BY-SA 4.0"),
}


def load(benchmark: str, data: str, scale: str, seed: int, names: int | None = None) -> DataSet:
    """Return the samples of a benchmark; `names` as for `load_prompts`."""
    return (
        load_pairs(data, scale, seed) if benchmark == "winoqueer" else load_prompts(benchmark, data, scale, seed, names)
    )


def names_held(data: str) -> int:
    """Return how many names the disclosure prompts hold in all.

    Raises:
        DataError: as `load_prompts`.

    """
    if data == "starter":
        return len({prompt.subject for prompt in starter_disclosure()})
    return len(survey_disclosure(_find(data, DISCLOSURE)).names)


def load_pairs(data: str, scale: str, seed: int) -> DataSet:
    """Return the sentence pairs, controls among them.

    Raises:
        DataError: no such data or scale, a file that is missing, damaged or not what upstream holds.

    """
    sampling.checked(scale)
    if data == "starter":
        ours = starter_pairs()
        return _starter(ours, sampling.sample_pairs(ours, scale, seed))
    files = _find(data, WINOQUEER)
    read = read_winoqueer(files[0])
    pairs = add_controls(read)
    kept = sampling.sample_pairs(pairs, scale, seed)
    notes = [f"{len(pairs) - len(read)} of {len(pairs)} pairs are our own control predicates in WinoQueer's frames"]
    if unparsed := sum(pair.frame == UNPARSED for pair in read):
        notes.append(f"the frame of {unparsed} of {len(read)} rows could not be recovered; all are kept")
    return _official(data, "winoqueer", files, [*notes, *_sampled(kept, pairs, "pairs")], pairs=kept)


def load_prompts(benchmark: str, data: str, scale: str, seed: int, names: int | None = None) -> DataSet:
    """Return the prompts of "disclosure" or "misgendering"; `names` of disclosure replaces the scale's.

    Raises:
        DataError: as `load_pairs`; no such benchmark.

    """
    sampling.checked(scale)
    if benchmark not in ("disclosure", "misgendering"):
        raise DataError(f"{benchmark!r} is no benchmark of prompts; there are disclosure and misgendering")
    if data == "starter":
        prompts = starter_disclosure() if benchmark == "disclosure" else starter_misgendering()
        _enough(names, len({prompt.subject for prompt in prompts}), benchmark)
        return _starter(prompts, sampling.sample_prompts(prompts, scale, seed, names))
    if benchmark == "misgendering":
        files = _find(data, MISGENDERING)
        prompts = read_misgendering(files[0])
        kept = sampling.sample_prompts(prompts, scale, seed)
        return _official(data, benchmark, files, _sampled(kept, prompts, "prompts"), prompts=kept)
    files = _find(data, DISCLOSURE)
    survey = survey_disclosure(files)
    _enough(names, len(survey.names), benchmark)
    usual, identities, forms = sampling.DISCLOSURE[scale]
    kept = sample_surveyed(files, survey, names or usual, identities, seed, forms)
    if scale == "smoke":
        kept = sampling.sample_prompts(kept, scale, seed, names)
    notes = []
    if survey.missing:
        notes.append(f"{survey.missing} combinations of a name, identity and form have no prompt in these files")
    if len(kept) < survey.rows:
        notes.append(
            f"{len(kept)} of {survey.rows} prompts were sampled: {len({p.subject for p in kept})} of "
            f"{len(survey.names)} names, {len({p.identity for p in kept})} of {len(survey.identities)} identities, "
            f"{len({p.frame for p in kept})} of {len(survey.forms)} forms"
        )
    return _official(data, benchmark, files, notes, prompts=kept)


def _enough(wanted: int | None, held: int, benchmark: str) -> None:
    if benchmark == "disclosure" and wanted is not None and wanted > held:
        raise DataError(f"option --rootfruit-names: {wanted} are wanted, and these data hold {held} names")


def _sampled(kept: Sequence[object], of: Sequence[object], what: str) -> list[str]:
    return [f"{len(kept)} of {len(of)} {what} were sampled"] if len(kept) < len(of) else []


def _find(data: str, sets: Sequence[Sequence[str]]) -> list[Path]:
    """Return the files of the first set that is there whole; of the official data only fetched, verified ones."""
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


def _starter(of: Sequence[Pair] | Sequence[Prompt], kept: Sequence[Pair] | Sequence[Prompt]) -> DataSet:
    info = starter_info()
    return DataSet(
        "starter",
        info["source"],
        info["licence"],
        info["sha256"],
        tuple(_sampled(kept, of, "samples")),
        tuple(sample for sample in kept if isinstance(sample, Pair)),
        tuple(sample for sample in kept if isinstance(sample, Prompt)),
    )


def _official(
    data: str,
    benchmark: str,
    files: Sequence[Path],
    notes: Sequence[str],
    pairs: Sequence[Pair] = (),
    prompts: Sequence[Prompt] = (),
) -> DataSet:
    if not pairs and not prompts:
        raise DataError(f"--rootfruit-data {data}: gives no {benchmark} samples; add prompts or choose a larger scale")
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            sha.update(hashlib.file_digest(stream, "sha256").digest())
    statement, licence = _WHOSE[benchmark]
    return DataSet(data, statement, licence, sha.hexdigest(), tuple(notes), tuple(pairs), tuple(prompts))
