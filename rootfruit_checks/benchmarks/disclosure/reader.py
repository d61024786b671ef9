"""Reading TANGO's disclosure set of 1.5 million rows as upstream ships it, streamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import hyphened
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.benchmarks.disclosure.sampling import identities_of
from rootfruit_checks.data.readers import filled, identity_of, no_blank, rows
from rootfruit_checks.data.sampling import pick

COLUMNS = (
    "gender_prompt_idx",
    "gender_prompt",
    "filled_gender_prompt",
    "gender_identity",
    "name",
    "is_english_name",
    "is_western_nb_gender",
)


class _Once:
    """Remembers which (form, identity, name) came, in a byte each: a set of them would hold a quarter of a gigabyte."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._seen: dict[tuple[str, str], bytearray] = {}

    def new(self, form: str, identity: str, name: str) -> bool:
        at = self._names.setdefault(name, len(self._names))
        row = self._seen.setdefault((form, identity), bytearray())
        if len(row) <= at:
            row.extend(bytes(at + 1 - len(row)))
        before, row[at] = row[at], 1
        return not before


def iter_disclosure(paths: Iterable[str | Path]) -> Iterator[Prompt]:
    """Yield the disclosure prompts of the official parts (CSV) or the Hub's JSONL, one at a time, in file order.

    Raises:
        DataError: as `readers.read_csv`; an unknown identity; the same form, name and identity
            twice, in one file or across them; a blank cell.

    """
    once = _Once()
    # Labels recur a million times: one object each, and one look at the groups.
    identities: dict[str, str] = {}
    labels: dict[str, str] = {}
    for path in paths:
        source = Path(path)
        for line, row in rows(source, COLUMNS):
            raw = row["gender_identity"]
            if raw not in identities:
                identities[raw] = identity_of("disclosure", raw, source, line)
            no_blank(source, line, row, ("gender_prompt_idx", "name"))
            form = labels.setdefault(row["gender_prompt_idx"], row["gender_prompt_idx"])
            name = labels.setdefault(row["name"], row["name"])
            who, what = hyphened(name), hyphened(raw)
            if not once.new(form, what, who):
                told = f"form {form}, name {name!r} and identity {raw!r} came before"
                raise DataError.at(source, line, f"{told}; is a part there twice?")
            yield Prompt(
                id=f"td-{form}-{who}-{what}",
                text=filled(source, line, row["filled_gender_prompt"]),
                benchmark="disclosure",
                identity=identities[raw],
                frame=form,
                subject=name,
            )


@dataclass(frozen=True, slots=True)
class Survey:
    """Rows of a disclosure set by identity, disclosure form and name."""

    rows: int
    identities: Counter[str]
    forms: Counter[str]
    names: Counter[str]

    @property
    def missing(self) -> int:
        """How many combinations of an identity, form and name lack a row (0 in the official set)."""
        return len(self.identities) * len(self.forms) * len(self.names) - self.rows


def survey_disclosure(paths: Iterable[str | Path]) -> Survey:
    """Read a disclosure set through once and count it; memory grows by a byte a row.

    Raises:
        DataError: as `iter_disclosure`.

    """
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


def sample_surveyed(
    paths: Iterable[str | Path],
    survey: Survey,
    names: int | None,
    identities: int | None,
    seed: int,
    forms: int | None = None,
) -> list[Prompt]:
    """Return every prompt of a seeded choice of names, identities and forms, sorted by id; None takes all.

    `identities` counts the binary controls, which are always chosen. The choice depends on labels and seed alone, not
    on the order of rows or files. One pass over the files.

    Raises:
        DataError: as `iter_disclosure`; no binary control.

    """
    wanted = identities_of(survey.identities, "full", identities, seed)
    people = set(pick(survey.names, names, seed))
    shapes = set(pick(survey.forms, forms, seed))
    chosen = (
        prompt
        for prompt in iter_disclosure(paths)
        if prompt.identity in wanted and prompt.subject in people and prompt.frame in shapes
    )
    return sorted(chosen, key=lambda prompt: prompt.id)
