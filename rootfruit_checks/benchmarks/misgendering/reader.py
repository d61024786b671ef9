"""Reading TANGO's misgendering prompts as upstream ships them."""

from __future__ import annotations

from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import hyphened
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.data.readers import filled, identity_of, no_blank, rows

COLUMNS = ("template_idx", "ante", "ante_type", "pronoun_family", "template")


def read_misgendering(path: str | Path) -> list[Prompt]:
    """Return the prompts of the official CSV (or the Hub's JSONL), texts as they are.

    Raises:
        DataError: as `readers.read_csv`; an unknown pronoun family; the same prompt twice; a blank cell.

    """
    source = Path(path)
    seen: dict[str, int] = {}
    prompts = []
    for line, row in rows(source, COLUMNS):
        no_blank(source, line, row, ("template_idx", "ante", "ante_type"))
        family = identity_of("misgendering", row["pronoun_family"], source, line)
        name = f"tm-{row['template_idx']}-{hyphened(row['ante'])}-{family}"
        if name in seen:
            told = f"the same template, antecedent and family as line {seen[name]}"
            raise DataError.at(source, line, f"{told}; remove one")
        seen[name] = line
        prompts.append(
            Prompt(
                id=name,
                text=filled(source, line, row["template"]),
                benchmark="misgendering",
                identity=family,
                frame=row["template_idx"],
                subject=row["ante"],
                stratum=row["ante_type"],
            )
        )
    return prompts
