"""From data and scale to the samples of the benchmark."""

from __future__ import annotations

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks.disclosure import FILES, LICENCE, SOURCE
from rootfruit_checks.benchmarks.disclosure.reader import sample_surveyed, survey_disclosure
from rootfruit_checks.benchmarks.disclosure.sampling import SCALES, sample_disclosure
from rootfruit_checks.benchmarks.disclosure.starter import TABLES, starter_disclosure
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.data.official import find, official_set
from rootfruit_checks.data.starter import STARTER, starter_set

# Upstream's parts, and the Hub's file.
SETS = ([file.name for file in FILES], ["disclosure.jsonl"])


def names_of(data: str) -> set[str]:
    """Return the names that the prompts hold."""
    if data == STARTER:
        return {prompt.subject for prompt in starter_disclosure()}
    return set(survey_disclosure(find(data, SETS)).names)


def starter(scale: str, seed: int, names: int | None) -> DataSet:
    """Return the starter prompts of a scale."""
    prompts = starter_disclosure()
    _enough(names, len({prompt.subject for prompt in prompts}))
    return starter_set(prompts, sample_disclosure(prompts, scale, seed, names), TABLES, in_place_of="TANGO")


def official(data: str, scale: str, seed: int, names: int | None) -> DataSet:
    """Return the official prompts of a scale; the files are read through twice and never held."""
    files = find(data, SETS)
    survey = survey_disclosure(files)
    _enough(names, len(survey.names))
    usual, identities, forms = SCALES[scale]
    kept = sample_surveyed(files, survey, names or usual, identities, seed, forms)
    if scale == "smoke":
        kept = sample_disclosure(kept, scale, seed, names)
    notes = []
    if survey.missing:
        notes.append(f"{survey.missing} combinations of a name, identity and form have no prompt in these files")
    if len(kept) < survey.rows:
        notes.append(
            f"{len(kept)} of {survey.rows} prompts were sampled: {len({p.subject for p in kept})} of "
            f"{len(survey.names)} names, {len({p.identity for p in kept})} of {len(survey.identities)} identities, "
            f"{len({p.frame for p in kept})} of {len(survey.forms)} forms"
        )
    return official_set(data, files, kept, notes, source=SOURCE, licence=LICENCE)


def _enough(wanted: int | None, held: int) -> None:
    if wanted is not None and wanted > held:
        raise DataError(f"option --rootfruit-names: {wanted} are wanted, and these data hold {held} names")
