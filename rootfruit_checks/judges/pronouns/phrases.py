"""What the words of a noun phrase do: titles, predicates, groups, nouns for a person, names, plural things."""

from __future__ import annotations

from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.judges.pronouns import lexicon as words
from rootfruit_checks.judges.pronouns.first_names import FIRST_NAMES, LOWERCASE_NAMES
from rootfruit_checks.judges.pronouns.person_tracker import Reader
from rootfruit_checks.judges.pronouns.tokenizer import FORMS, Token

_PLACES = frozenset(("in", "at", "near", "into", "on", "around", "across", "throughout", "outside"))
_CITY_STARTS = frozenset(
    ("new", "los", "san", "saint", "st", "south", "north", "east", "west", "united", "great", "las")
)
_KEEPS_PREDICATE = frozenset(("called", "named", "considered", "been", "being", "also"))
_POSSESSIVE_FORMS = frozenset(family.possessive for family in FAMILIES.values()) | {"zir", "xir", "ner"}
_ENDS_PREDICATE = words.NEGATIONS | words.PREPOSITIONS | words.SUBORDINATORS | {"to"}


def word_at(stream: list[Token], at: int) -> str:
    """The word at a place, lower case, or "" where no word stands there."""
    return stream[at].low if 0 <= at < len(stream) and stream[at].kind == "word" else ""


def kind_at(stream: list[Token], at: int) -> str:
    """The kind of token at a place, or "" beyond the text."""
    return stream[at].kind if 0 <= at < len(stream) else ""


def capital(token: Token) -> bool:
    """Whether a word stands with a capital of its own, not in a shouted sentence or an abbreviation."""
    return token.text[0].isupper() and not (token.text.isupper() and len(token.text) > 1) and not token.shout


def read_title(reader: Reader, stream: list[Token], at: int) -> int:
    """A title with somebody else's name: returns where the name ends, or 0 where this is no such title."""
    token = stream[at]
    name = at + 2 if kind_at(stream, at + 1) == "end" and stream[at + 1].text == "." else at + 1
    low = word_at(stream, name)
    certain = token.low in ("mr", "mrs", "ms", "mx", "dr", "prof") or capital(token)
    if not low or low in words.NOT_NAMES or low in reader.names or not certain:
        return 0
    if not (
        capital(stream[name]) or stream[name].shout or (token.low in ("mr", "mrs", "ms") and low not in words.ENGLISH)
    ):
        return 0
    while kind_at(stream, name) == "word" and capital(stream[name]) and word_at(stream, name) not in words.NOT_NAMES:
        name += 1
    reader.introduce(words.TITLES.get(token.low, ""), max(name - 1, at + 1))
    return max(name, at + 2)


def start_predicate(reader: Reader) -> None:
    """Something is being said of the person."""
    reader.predicate, reader.role_in_predicate, reader.article_in_predicate = 9, False, False


def follow_predicate(reader: Reader, stream: list[Token], at: int) -> None:
    """Follow "is an American actress and singer": from the copula to whatever ends what it says."""
    low = stream[at].low
    if low in words.COPULAS:
        near = reader.last_was == "S" and (at - reader.last_person <= 4 or word_at(stream, at - 1) in ("and", "but"))
        if reader.clause == "S" and (near or (low == "be" and word_at(stream, at - 1) == "to")):
            start_predicate(reader)
        return
    if not reader.predicate:
        return
    reader.predicate -= 1
    if low in words.INDEFINITE_ARTICLES | words.DEFINITE_ARTICLES | words.POSSESSIVES:
        reader.article_in_predicate = True
    elif low == "of" and word_at(stream, at - 1) == "one":
        reader.predicate += 3
    elif low == "not" and word_at(stream, at + 1) in ("only", "just"):
        return
    elif low in _ENDS_PREDICATE or (not reader.article_in_predicate and _verb_form(low)):
        reader.predicate = 0


def _verb_form(low: str) -> bool:
    # "is seeing a man", "she's got a sister": no predicate nouns.
    return low in ("got", "had") or (low.endswith(("ing", "ed")) and low not in _KEEPS_PREDICATE)


def read_people(reader: Reader, stream: list[Token], at: int) -> None:
    """A noun for a group."""
    if reader.last_was == "S" and reader.last_person == at - 1:
        # "Kim volunteers": a verb.
        return
    low = stream[at].low
    if reader.predicate:
        back = [word_at(stream, n) for n in range(max(0, at - 5), at)]
        if low in words.GENDERED_PLURAL and "one" in back and "of" in back and not stream[at].suffix:
            reader.noun(stream[at], words.GENDERED_PLURAL[low])
        return
    if (
        low in ("both", "pair", "couple", "people")
        and word_at(stream, at + 1) in ("a", "an", "the", "of")
        and low == "both"
    ):
        return
    back = [word_at(stream, n) for n in range(max(0, at - 5), at)]
    if "one" in back and "of" in back:
        reader.introduce("", at)
    reader.meet_group()
    reader.clause = reader.clause or "O"


def _determiner(stream: list[Token], at: int) -> tuple[str, int]:
    """The kind of determiner before a noun, and where it stands: indefinite, definite, possessive or none."""
    for back in range(at - 1, max(-1, at - 5), -1):
        if kind_at(stream, back) != "word":
            return "", back
        low = stream[back].low
        if low in words.INDEFINITE_ARTICLES:
            return "indefinite", back
        if low in words.DEFINITE_ARTICLES:
            return "definite", back
        if low in words.POSSESSIVES or low in _POSSESSIVE_FORMS or stream[back].suffix == "'s":
            return "possessive", back
        if (
            low in words.PREPOSITIONS
            or low in words.SUBORDINATORS
            or low in words.COPULAS
            or low in ("and", "or", "but")
        ):
            return "", back
    return "", at


def read_person(reader: Reader, stream: list[Token], at: int) -> None:
    """A noun for a person: said of the person, the person themself, or somebody new (rules 3 and 7)."""
    token = stream[at]
    low, tail = token.low, token.suffix == "'s"
    gender = words.GENDERED.get(low, "")
    kind, place = _determiner(stream, at)
    fresh = any(word_at(stream, n) in words.NEW_PERSON_ADJECTIVES for n in range(place + 1, at)) and kind != ""
    after = word_at(stream, at + 1)
    if reader.predicate and not tail:
        reader.role_in_predicate = True
        reader.roles.add(low)
        reader.predicate = max(reader.predicate, 4)
        if gender:
            reader.noun(token, gender)
        return
    if kind and "as" in (
        word_at(stream, place - 1),
        word_at(stream, place - 2) if word_at(stream, place - 1) in words.ARTICLES else "",
    ):
        if reader.sole():
            reader.roles.add(low)
            if gender and not tail:
                reader.noun(token, gender)
        return
    if kind == "definite" and low in reader.roles and not fresh and not reader.joint:
        if gender and not tail:
            reader.noun(token, gender)
        reader.name_person(at)
        return
    if kind == "definite" and low in words.DEFINITE and _may_be_the_person(reader, stream, at, fresh):
        reader.noun(token, gender)
        reader.touched = True
        reader.clause = reader.clause or "S"
        reader.last_person, reader.last_was = at, "S"
        return
    if kind == "" and low not in words.BARE and not reader.joint and not tail:
        return
    if after in reader.names and kind != "possessive":
        return
    reader.introduce(gender, at)


def _may_be_the_person(reader: Reader, stream: list[Token], at: int, fresh: bool) -> bool:
    after = word_at(stream, at + 1)
    follows = at + 1 < len(stream) and kind_at(stream, at + 1) == "word" and capital(stream[at + 1])
    named_elsewhere = stream[at].low in reader.known or after in words.RELATIVES or follows
    return (
        reader.sole()
        and reader.clause != "S"
        and not fresh
        and not named_elsewhere
        and not reader.quote
        and not stream[at].suffix
    )


def is_name(reader: Reader, stream: list[Token], at: int) -> bool:
    """Whether a word is, or may well be, the name of somebody who is not the person (rule 3)."""
    token = stream[at]
    low, before, after = token.low, word_at(stream, at - 1), word_at(stream, at + 1)
    if low in reader.known or low in words.NOT_NAMES or len(low) < 2 or after in words.NOT_PERSON_AFTER:
        return False
    if not token.text[0].isupper():
        return low in LOWERCASE_NAMES and before not in _PLACES and before not in words.ARTICLES
    if token.shout:
        return low in LOWERCASE_NAMES and before not in _PLACES
    if not capital(token):
        return False
    thing = before in words.ARTICLES or reader.thing_at == at - 1 or (reader.thing_at == at - 2 and before == "")
    listed = low in FIRST_NAMES
    if listed:
        name = not (thing or (before in _PLACES and not token.suffix))
    elif token.title or reader.quote or low.endswith(("ish", "ese")):
        name = False
    elif token.first:
        second = stream[at + 1] if at + 1 < len(stream) else None
        pair = second is not None and second.kind == "word" and capital(second) and after not in words.NOT_NAMES
        name = low not in _CITY_STARTS and (after in words.SPEECH or pair)
    else:
        determined = before in words.PLACE_PREPOSITIONS or before in words.POSSESSIVES or before in FORMS
        name = not (thing or determined or before in words.DEFINITE_ARTICLES)
    if not name:
        reader.thing_at = at
    return name


def read_thing(reader: Reader, stream: list[Token], at: int) -> None:
    """A plural noun: where it is the subject of its sentence, a later *they* is rather these things."""
    low = stream[at].low
    if (
        len(low) < 4
        or not low.endswith("s")
        or low.endswith(("ss", "us", "is"))
        or stream[at].suffix
        or reader.predicate
    ):
        return
    kind, place = _determiner(stream, at)
    if kind or word_at(stream, at - 1) in words.COUNTS:
        reader.things = reader.sentence
        after = word_at(stream, at + 1)
        # "The ticket belongs to": a verb, and not the plural that its ending looks like.
        verb = after and after != "to" and after not in words.PREPOSITIONS and not after.endswith("s")
        opens = verb and kind and kind_at(stream, place - 1) != "word" and not reader.clause
        if opens or after in ("are", "were", "have"):
            reader.meet_group()
            reader.clause = reader.clause or "O"
