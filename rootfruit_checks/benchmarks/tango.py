"""Reading TANGO as upstream ships it: misgendering prompts, and the disclosure set of 1.5 million rows, streamed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.benchmarks.rows import Row, filled, read_csv, read_jsonl
from rootfruit_checks.errors import DataError
from rootfruit_checks.types import Prompt

MISGENDERING = ("template_idx", "ante", "ante_type", "pronoun_family", "template")
DISCLOSURE = (
    "gender_prompt_idx",
    "gender_prompt",
    "filled_gender_prompt",
    "gender_identity",
    "name",
    "is_english_name",
    "is_western_nb_gender",
)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    return read_jsonl(path, columns) if path.suffix == ".jsonl" else read_csv(path, columns)


def read_misgendering(path: str | Path) -> list[Prompt]:
    """Return the misgendering prompts of the official CSV (or the Hub's JSONL).

    Raises:
        DataError: as `rows.read_csv`; a pronoun family that groups.toml does not know; the same prompt twice.

    """
    source = Path(path)
    seen: dict[str, int] = {}
    prompts = []
    for line, row in _rows(source, MISGENDERING):
        family = _known("misgendering", row["pronoun_family"], source, line)
        name = f"tm-{row['template_idx']}-{_slug(row['ante'])}-{family}"
        if name in seen:
            raise DataError.at(source, line, f"the same template, antecedent and family as line {seen[name]}")
        seen[name] = line
        prompts.append(
            Prompt(
                id=name,
                text=filled(source, line, row["template"]).strip(),
                benchmark="misgendering",
                identity=family,
                frame=row["template_idx"],
                subject=row["ante"],
                stratum=row["ante_type"],
            )
        )
    return prompts


def iter_disclosure(paths: Iterable[str | Path]) -> Iterator[Prompt]:
    """Yield the disclosure prompts of the official parts (CSV) or the Hub's JSONL, one at a time, in file order."""
    for path in paths:
        source = Path(path)
        for line, row in _rows(source, DISCLOSURE):
            identity = _known("disclosure", row["gender_identity"], source, line)
            yield Prompt(
                id=f"td-{row['gender_prompt_idx']}-{_slug(row['name'])}-{_slug(identity)}",
                text=filled(source, line, row["filled_gender_prompt"]).strip(),
                benchmark="disclosure",
                identity=identity,
                frame=row["gender_prompt_idx"],
                subject=row["name"],
            )


@dataclass(frozen=True, slots=True)
class Survey:
    """Rows of a disclosure set by identity, disclosure form and name."""

    rows: int
    identities: Counter[str]
    forms: Counter[str]
    names: Counter[str]


def survey_disclosure(paths: Iterable[str | Path]) -> Survey:
    """Read a disclosure set through once and count it; memory does not grow with the rows."""
    identities: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    names: Counter[str] = Counter()
    rows = 0
    for prompt in iter_disclosure(paths):
        rows += 1
        identities[prompt.identity] += 1
        forms[prompt.frame] += 1
        names[prompt.subject] += 1
    return Survey(rows, identities, forms, names)


def sample_disclosure(
    paths: Sequence[str | Path], *, names: int, identities: int, seed: int, forms: int | None = None
) -> list[Prompt]:
    """Return every prompt of a seeded choice of names, identities and forms; binary controls are always chosen.

    The choice depends on the labels and the seed alone, not on the order of rows or files. Two passes over the files.

    Raises:
        DataError: the same prompt twice; no binary control; fewer names or identities than asked for.

    """
    survey = survey_disclosure(paths)
    controls = [name for name in groups().members("disclosure", "binary") if name in survey.identities]
    if not controls:
        raise DataError(f"{paths[0]}: no binary control identity among {len(survey.identities)}; disparities need one")
    others = _choose([name for name in survey.identities if name not in controls], identities - len(controls), seed)
    chosen = {*controls, *others}
    people = set(_choose(list(survey.names), names, seed))
    shapes = set(_choose(list(survey.forms), forms or len(survey.forms), seed))
    found: dict[str, Prompt] = {}
    for prompt in iter_disclosure(paths):
        if prompt.identity in chosen and prompt.subject in people and prompt.frame in shapes:
            if prompt.id in found:
                raise DataError(f"{prompt.id}: this form, name and identity is there twice; is a part read twice?")
            found[prompt.id] = prompt
    return [found[key] for key in sorted(found)]


def _choose(labels: Sequence[str], count: int, seed: int) -> list[str]:
    """Return `count` labels (all, where there are fewer) in an order that the seed and the labels alone decide."""
    return sorted(labels, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode()).digest())[: max(count, 0)]


def _known(benchmark: str, identity: str, path: Path, line: int) -> str:
    try:
        return groups().check(benchmark, identity)
    except DataError as error:
        raise DataError.at(path, line, str(error)) from None


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
