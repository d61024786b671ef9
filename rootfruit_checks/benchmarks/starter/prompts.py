"""The starter prompts: disclosures of a gender identity, and sentences with an antecedent and its pronouns."""

from __future__ import annotations

from rootfruit_checks.base.text import slug
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.benchmarks.starter.tables import table
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.data.words import IDENTITIES, capitalized, fill
from rootfruit_checks.data.words import table as table_of


def starter_disclosure() -> list[Prompt]:
    """Disclosure prompts: every form x name x identity, in that order."""
    forms = table("disclosure_forms.csv", ("id", "text"))
    people = table("disclosure_names.csv", ("name", "association"))
    genders = table_of(IDENTITIES, ("identity", "with_article"))
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


def starter_misgendering() -> list[Prompt]:
    """Misgendering prompts: every template x antecedent x pronoun family, in that order."""
    templates = table("misgendering_templates.csv", ("id", "text"))
    antecedents = table("antecedents.csv", ("antecedent", "type"))
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
