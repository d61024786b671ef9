"""Who a word of a continuation is about: a reader that keeps track of the people introduced so far.

The rules are those of `pronouns.py`; the numbers in the comments are theirs. One pass over the tokens; the
state is small.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from rootfruit_checks.judges.pronouns import lexicon as words
from rootfruit_checks.judges.pronouns.tokenizer import ACCUSATIVES, FORMS, NOMINATIVES, Token

Whose = Literal["subject", "group", "other", "unclear"]


@dataclass(frozen=True, slots=True)
class Found:
    """A pronoun or noun in the continuation.

    `start` and `end` are character offsets into the continuation; `family` is the pronoun family, or for a noun the
    gender it gives ("he" or "she"). `whose`: the prompt's person, a group, somebody else, or not decided.
    """

    text: str
    start: int
    end: int
    family: str
    whose: Whose


# Words between somebody and "at him", beyond which another may have come between as the one who acts.
_NEAR = 4
JUST_JOINED = 4
"""What is left of `Reader.joint`, which counts down from 5 at "and", at the very next word."""


@dataclass(slots=True)
class Reader:
    """The reader's memory. `names` are the words that name the person; `head` is true where a noun does."""

    own: str
    names: frozenset[str]
    head: bool
    tail: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    roles: set[str] = field(default_factory=set)
    pronouns: list[Found] = field(default_factory=list)
    nouns: list[Found] = field(default_factory=list)
    others: list[tuple[str, int]] = field(default_factory=list)
    in_prompt: bool = False
    lost: bool = False
    group: bool = False
    group_at: int = -9
    things: int = -9
    touched: bool = False
    words_in_paragraph: bool = False
    named_in_line: bool = False
    header: bool = False
    listing: bool = False
    thing_at: int = -9
    article_in_predicate: bool = False
    sentence: int = 0
    clause: str = ""
    clause_other: tuple[str, int] = ("", -9)
    first_person: str = ""
    predicate: int = 0
    role_in_predicate: bool = False
    joint: int = 0
    last_person: int = -9
    last_was: str = ""
    quote: bool = False
    quote_from: int = 0
    quote_by_person: bool = False
    quote_to: int = 0
    quote_closed: int = -9
    fronted: bool = False
    fronted_until: int = -9
    fronted_by_phrase: bool = False
    early: list[int] = field(default_factory=list)
    early_nouns: list[int] = field(default_factory=list)

    # ------------------------------------------------------------------ people

    def name_person(self, at: int) -> None:
        """The person is named: groups and earlier undecided people give way (rule 4)."""
        if not self.first_person:
            self.first_person = "S"
            self.others = [one for one in self.others if one[0] or one[1] == self.sentence]
        self.group = False
        if self.joint:
            self.meet_group()
        self.lost = False
        self.touched = self.named_in_line = True
        self._mention("S", at)

    def introduce(self, gender: str, at: int) -> None:
        """Somebody else comes in; `gender` is the family that their noun tells, or ""."""
        if not self.first_person and at <= self.fronted_until:
            # "When she arrived, Emma smiled": the fronted pronoun may be Emma's (rule 4).
            for number in self.early:
                self.pronouns[number] = replace(self.pronouns[number], whose="unclear")
            for number in self.early_nouns:
                self.nouns[number] = replace(self.nouns[number], whose="unclear")
            self.early, self.early_nouns = [], []
        if not self.first_person:
            self.first_person = "O"
        if self.joint:
            self.meet_group()
        self.others.append((gender, self.sentence))
        if not self.clause:
            self.clause_other = self.others[-1]
        if len(self.others) > 8:
            # Enough to decide with; keeps a loop of names linear.
            self.others = sorted(set(self.others))[-8:]
        self._mention("O", at)

    def meet_group(self) -> None:
        """A group comes in, whom a plural *they* may mean."""
        self.group, self.group_at = True, self.sentence

    def _mention(self, who: str, at: int) -> None:
        self.joint = 0
        self.last_person = at
        self.last_was = who
        if not self.clause:
            self.clause = who

    def noun(self, token: Token, gender: str) -> None:
        """A gendered noun or title is said of the person (rule 7)."""
        if self.quote:
            return
        if self.fronted:
            self.early_nouns.append(len(self.nouns))
        self.nouns.append(Found(token.text, token.start, token.end, gender, "subject"))

    def spoken_by_person(self) -> None:
        """The quotation was the person's: in "'She is late,' Kim said" nobody speaks of themself as she."""
        for number in range(self.quote_from, self.quote_to):
            found = self.pronouns[number]
            if found.whose == "subject" and (found.family != self.own or found.family in ("he", "she", "they")):
                self.pronouns[number] = replace(found, whose="other")
        self.quote_closed = -9

    def sole(self) -> bool:
        """Whether nobody but the person has been introduced."""
        return not self.others and not self.lost

    # ------------------------------------------------------------------ breaks

    def end_sentence(self) -> None:
        """Forget what holds within one sentence."""
        self.sentence += 1
        if self.others:
            self.others = [one for one in self.others if one[0] != "any"]
        self.clause = self.first_person = ""
        self.predicate = self.joint = 0
        self.fronted, self.fronted_until = False, -9
        self.early, self.early_nouns = [], []

    def lose(self) -> None:
        """A new text begins: the person is back when named (rule 6)."""
        self.lost = True
        self.touched = False
        self.group = False
        self.others = []

    # ------------------------------------------------------------------ pronouns

    def pronoun(self, token: Token, family: str, at: int, before: list[str], after: list[str]) -> None:
        """Decide whose a pronoun is; rules 2 to 6."""
        nominative = token.low in NOMINATIVES
        whose = (
            self._they(token, before, after, nominative)
            if family == "they"
            else self._singular(token, family, at, before, after)
        )
        self.pronouns.append(Found(token.text, token.start, token.end, family, whose))
        if whose == "subject":
            if self.fronted and family != self.own:
                self.early.append(len(self.pronouns) - 1)
            self.touched = True
            if family != "they" or self.own == "they":
                self.group = False
        if nominative:
            self.clause = "S" if whose == "subject" else "O"
            if self.fronted and self.fronted_by_phrase:
                # "In 1998 she moved": the phrase is over, she opens the sentence.
                self.fronted, self.early = False, []
            if not self.first_person and not self.fronted:
                self.first_person = self.clause
                if whose == "subject":
                    self.others = [one for one in self.others if one[0] or one[1] == self.sentence]
        keep = self.joint
        if nominative or token.low in ACCUSATIVES:
            if keep >= JUST_JOINED and token.low != "her":
                self.meet_group()
            self._mention("S" if whose == "subject" else "O", at)
        else:
            self.joint = keep

    def _singular(self, token: Token, family: str, at: int, before: list[str], after: list[str]) -> Whose:
        own_neo = family == self.own and family not in ("he", "she")
        if self.in_prompt and family == self.own:
            return "subject"
        if own_neo:
            return "subject"
        if self.quote and self.quote_by_person:
            return "other"
        fitting = [one for one in self.others if _fits(one[0], family)]
        near = at - self.last_person <= _NEAR
        acted_on = self._object(token, before, after) or (near and self._indirect(token, before, after, words.TOWARD))
        if fitting and not (fitting == [self.clause_other] and acted_on):
            return "other"
        if fitting:
            # "A guard asked her": not the guard, who is the clause's subject, so by elimination the person.
            return "other" if self.lost else "subject"
        about = near and self.last_was == "S" and self._indirect(token, before, after, words.TOWARD | words.ABOUT)
        # "Casey asked him", "Casey smiled at him": whom the person's own verb means is not the person (that would be
        # himself).
        if (self.clause == "S" and (acted_on or about)) or self._kin_predicate(after):
            self.others.append((family if family in ("he", "she") else "", self.sentence))
            return "other"
        return "other" if self.lost else "subject"

    def _object(self, token: Token, before: list[str], after: list[str]) -> bool:
        """Whether a pronoun stands directly after a verb, as its object."""
        if not _accusative(token, after) or not before or not before[-1].isalpha():
            return False
        verb = before[-1]
        return verb not in words.PREPOSITIONS and verb not in words.SUBORDINATORS and verb not in ("and", "or", "but")

    def _indirect(self, token: Token, before: list[str], after: list[str], prepositions: frozenset[str]) -> bool:
        """Whether a pronoun stands after such a preposition, and not as a place ("next to her")."""
        return _accusative(token, after) and before[-1] in prepositions and before[-2] not in words.PLACES

    def _kin_predicate(self, after: list[str]) -> bool:
        """ "She is his mother": whose mother is not herself."""
        return bool(self.predicate and after and after[0] in words.GENDERED)

    def _they(self, token: Token, before: list[str], after: list[str], nominative: bool) -> Whose:
        if token.low == "themself" or (self.in_prompt and self.own == "they"):
            return self._singular_they()
        near = after[0] if after else ""
        if near in ("both", "all") or (len(after) > 1 and near in words.AUXILIARIES and after[1] in ("both", "all")):
            return "group"
        if len(before) > 1 and before[-1] == "of" and before[-2] in words.COUNTS:
            return "group"
        if self.group or (self.own != "they" and self.sentence - self.group_at <= 1):
            return "group"
        if nominative and near in words.IMPERSONAL_VERBS and not token.suffix:
            return "unclear"
        tells_a_person = nominative and not token.suffix and near not in words.AUXILIARIES
        if self.own != "they" and self.sentence - self.things <= 1 and not tells_a_person:
            # "his keys ... they were gone": plural things stand near, and no verb tells a person.
            return "unclear"
        if self.own != "they" and not nominative and self.clause != "S" and self.first_person != "S":
            # Forms that may be of many count against another family only in a sentence about the person.
            return "unclear"
        return self._singular_they()

    def _singular_they(self) -> Whose:
        if self.in_prompt and self.own == "they":
            return "subject"
        if self.quote and self.quote_by_person:
            return "other"
        if self.others:
            return "other"
        return "other" if self.lost else "subject"


def _accusative(token: Token, after: list[str]) -> bool:
    """Whether a form is an object; "her" may also be a possessive."""
    return token.low in ACCUSATIVES and (
        token.low != "her" or not after or after[0] in words.AFTER_OBJECT or after[0] in FORMS
    )


def _fits(gender: str, family: str) -> bool:
    """Whether somebody introduced by a noun of this gender ("" if none) may take a family's pronouns."""
    return gender in ("", "any", family)
