"""The starter pairs: identities x frames x predicates, in a balanced design.

Twelve frames: six about a group or a stranger, six about a named person. For each identity a predicate stands in three
of the first six and three of the last six, so that each (frame, identity, counterpart) holds half of the predicates
of each kind: 60 stigmatizing (less those that do not fit the identity), 30 neutral, 30 positive. Every identity has its
mirror, which takes the frames that it leaves free; over a pair of mirrors each predicate is in every frame once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from rootfruit_checks.base.types import Kind, Pair
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.data import words as word_tables
from rootfruit_checks.data.words import capitalized, fill

HERE = Path(__file__).parent
# Complementary halves of six frames. A predicate takes one half for an identity and the other for its mirror.
_HALVES = tuple((half, tuple(sorted(set(range(6)) - set(half)))) for half in combinations(range(6), 3) if 0 in half)
_KINDS: tuple[Kind, ...] = ("stigma", "neutral", "positive")


def _table(name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    return word_tables.table(HERE / name, columns)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A predicate with marks for verbs and pronouns; `exclude` names the identities it does not fit."""

    id: str
    kind: Kind
    type: str
    text: str
    exclude: frozenset[str]

    def render(self, pronoun: str = "they", plural: bool = True) -> str:
        """The predicate for a subject of that pronoun family; `plural` says which verb form the subject takes."""
        return fill(self.text, FAMILIES[pronoun], plural=plural)


@dataclass(frozen=True, slots=True)
class Identity:
    """A queer identity: WinoQueer's label, the word in the sentence, its nouns, its counterfactual labels."""

    label: str
    word: str
    people: str
    person: str
    counterparts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SentenceFrame:
    """A sentence around an identity and a predicate.

    `subject` tells what the predicate's verb agrees with: `group` (plural), `one` (singular noun or name) or `pronoun`
    (the named person's pronoun).
    """

    id: str
    subject: str
    text: str

    @property
    def named(self) -> bool:
        """Whether the frame names a person."""
        return "{name}" in self.text

    def render(self, identity: Identity, word: str, predicate: Predicate, name: str = "", pronoun: str = "they") -> str:
        """The sentence, with `word` for the identity term: the identity's own word or a counterfactual one."""
        family = FAMILIES[pronoun]
        plural = self.subject == "group" or (self.subject == "pronoun" and family.plural_verbs)
        words = {"i": word, "I": capitalized(word), "people": identity.people, "person": identity.person, "name": name}
        # The frame's own verbs and pronouns belong to the person; the predicate brings its own marks.
        text = self.text.replace("[predicate]", predicate.text)
        return fill(text, family, plural=plural, words=words) + "."


@cache
def predicates(kind: Kind | None = None) -> tuple[Predicate, ...]:
    """The predicates of one kind, or all, in file order."""
    rows = _table("predicates.csv", ("id", "kind", "type", "text", "exclude"))
    kinds = {str(k): k for k in _KINDS}
    found = (
        Predicate(r["id"], kinds[r["kind"]], r["type"], r["text"], frozenset(filter(None, r["exclude"].split(";"))))
        for r in rows
    )
    return tuple(p for p in found if kind is None or p.kind == kind)


@cache
def identities() -> tuple[Identity, ...]:
    """The nine identities, mirrors side by side."""
    rows = _table("identities.csv", ("label", "word", "people", "person", "counterparts"))
    return tuple(
        Identity(r["label"], r["word"], r["people"], r["person"], tuple(r["counterparts"].split(";"))) for r in rows
    )


@cache
def frames() -> tuple[SentenceFrame, ...]:
    """The twelve frames: six that name nobody, then six that name a person."""
    return tuple(
        SentenceFrame(r["id"], r["subject"], r["text"]) for r in _table("frames.csv", ("id", "subject", "text"))
    )


@cache
def names() -> tuple[tuple[str, str], ...]:
    """(name, pronoun family) of the people named."""
    return tuple((r["name"], r["pronoun"]) for r in _table("names.csv", ("name", "pronoun")))


def _placed(number: int, identity: int, frame: int) -> bool:
    half = _HALVES[(number + identity // 2) % len(_HALVES)][(number // len(_HALVES) + identity) % 2]
    return frame % 6 in half


def _person(identity: Identity, frame: int, number: int) -> tuple[str, str]:
    # The name depends on frame and predicate alone, so that identities are compared on the same people.
    people = names()
    name, pronoun = people[(number + 7 * frame) % len(people)]
    if identity.people == "women" and pronoun == "he":
        women = [person for person in people if person[1] == "she"]
        men = [person for person in people if person[1] == "he"]
        return women[men.index((name, pronoun)) % len(women)]
    return name, pronoun


def starter_pairs() -> list[Pair]:
    """All starter pairs, stigmatizing and control, ordered by identity, counterpart, frame and predicate."""
    out: list[Pair] = []
    kinds = [(predicate, n) for kind in _KINDS for n, predicate in enumerate(predicates(kind))]
    for i, identity in enumerate(identities()):
        for counterpart in identity.counterparts:
            for f, frame in enumerate(frames()):
                for predicate, n in kinds:
                    if identity.label in predicate.exclude or not _placed(n, i, f):
                        continue
                    name, pronoun = _person(identity, f, n) if frame.named else ("", "they")
                    out.append(
                        Pair(
                            id=f"sw-{identity.label}-{counterpart}-{frame.id}-{predicate.id}".lower(),
                            queer=frame.render(identity, identity.word, predicate, name, pronoun),
                            counterfactual=frame.render(identity, counterpart.lower(), predicate, name, pronoun),
                            identity=identity.label,
                            counterpart=counterpart,
                            kind=predicate.kind,
                            frame=frame.id,
                            predicate=predicate.id,
                            name=name,
                        )
                    )
    return out
