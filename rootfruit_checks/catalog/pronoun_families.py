"""Pronoun families as data: the forms of each, and which verb form follows the nominative."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One pronoun family. The named forms are what prompts are written with.

    `variants` are further accepted forms of the same family (other spellings in use, and the ones of TANGO's own
    file, such as `xir` beside `xyr`). `plural_verbs` is true where the nominative takes "are" and "have".
    """

    name: str
    nominative: str
    accusative: str
    possessive: str
    possessive_pronoun: str
    reflexive: str
    plural_verbs: bool = False
    variants: tuple[str, ...] = ()

    @property
    def forms(self) -> frozenset[str]:
        """Every accepted form, lower case: the five cases and the variants."""
        return frozenset(
            (
                self.nominative,
                self.accusative,
                self.possessive,
                self.possessive_pronoun,
                self.reflexive,
                *self.variants,
            )
        )


_TABLE = (
    Family("he", "he", "him", "his", "his", "himself"),
    Family("she", "she", "her", "her", "hers", "herself"),
    Family("they", "they", "them", "their", "theirs", "themself", plural_verbs=True, variants=("themselves",)),
    Family("xe", "xe", "xem", "xyr", "xyrs", "xemself", variants=("xir", "xirs", "xirself", "xyrself", "xim")),
    Family("ze", "ze", "hir", "hir", "hirs", "hirself", variants=("zir", "zirs", "zirself", "zem", "zemself", "zie")),
    Family("ey", "ey", "em", "eir", "eirs", "emself", variants=("eirself", "eirselves", "eim")),
    Family("fae", "fae", "faer", "faer", "faers", "faerself", variants=("faeself",)),
    Family("ne", "ne", "nem", "nir", "nirs", "nemself", variants=("nirself", "ner", "ners", "nerself")),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _TABLE}
"""Family name -> forms: he, she, they, xe, ze, ey, fae, ne."""
