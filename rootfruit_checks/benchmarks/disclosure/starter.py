"""The starter prompts: disclosures of a gender identity."""

from __future__ import annotations

from pathlib import Path

from rootfruit_checks.base.text import slug
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.data.words import IDENTITIES, table

HERE = Path(__file__).parent
TABLES = (HERE / "forms.csv", HERE / "names.csv", IDENTITIES)


def starter_disclosure() -> list[Prompt]:
    """Return every form x name x identity, in that order."""
    forms = table(HERE / "forms.csv", ("id", "text"))
    people = table(HERE / "names.csv", ("name", "association"))
    genders = table(IDENTITIES, ("identity", "with_article"))
    return [
        Prompt(
            id=f"sd-{form['id']}-{slug(person['name'])}-{slug(gender['identity'])}",
            text=form["text"].format(name=person["name"], identity=gender["with_article"], word=gender["identity"]),
            benchmark="disclosure",
            identity=gender["identity"],
            frame=form["id"],
            subject=person["name"],
        )
        for form in forms
        for person in people
        for gender in genders
    ]
