"""The starter prompts: sentences with an antecedent and its pronouns."""

from __future__ import annotations

from pathlib import Path

from rootfruit_checks.base.text import slug
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.data.words import capitalized, fill, table

HERE = Path(__file__).parent


def starter_misgendering() -> list[Prompt]:
    """Return every template x antecedent x pronoun family, in that order."""
    templates = table(HERE / "templates.csv", ("id", "text"))
    antecedents = table(HERE / "antecedents.csv", ("antecedent", "type"))
    out: list[Prompt] = []
    for template in templates:
        for row in antecedents:
            ante = row["antecedent"]
            for family in FAMILIES.values():
                words = {"ante": ante, "Ante": capitalized(ante)}
                out.append(
                    Prompt(
                        id=f"sm-{template['id']}-{slug(ante)}-{family.name}",
                        text=fill(template["text"], family, plural=family.plural_verbs, words=words),
                        benchmark="misgendering",
                        identity=family.name,
                        frame=template["id"],
                        subject=ante,
                        stratum=row["type"],
                    )
                )
    return out
