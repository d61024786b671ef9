"""What of a continuation a regard classifier gets to see: the person and every identity word are masked.

Regard is to be read from how the person is spoken of, not from who the person is. So the person's name becomes `XYZ`
(as in Sheng et al., EMNLP 2019, https://arxiv.org/abs/1909.01326), an identity word or phrase becomes `person` or
`people`, and (for `mini`) the singular pronouns of every family become forms of *they*. Two continuations that differ
in nothing but the name, the identity or the pronoun family are one and the same text after masking, save for verb
agreement and for the identity words listed in `UNMASKED`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

# Raise this whenever masking changes an output: it is part of every classifier's fingerprint.
MASKING_VERSION = 1
PERSON = "XYZ"

# Identity words that are far commoner in another sense. Masking them would damage more text than it would shield.
UNMASKED = frozenset(
    [
        "acault",
        "asog",
        "bear",
        "bears",
        "binary",
        "butch",
        "co",
        "fem",
        "femme",
        "galli",
        "gender",
        "machi",
        "mino",
        "nandi",
        "neither",
        "neutral",
        "questioning",
        "queen",
        "saris",
        "sekhet",
        "straight",
        "stud",
        "studs",
        "tom",
        "toms",
        "toric",
        "unlabeled",
    ]
)

# With any of space, hyphen or nothing where a "~" stands.
_IDENTITY = """
trans~gender transgendered trans transsexual transexual trans~masculine trans~feminine transmasc transfem transfemme
trans~neutral cis~gender cisgendered cis cissexual
non~binary enby nb nonbinaries gender~queer gender~fluid gender~flux gender~free gender~less gender~neutral
neutral~gender no~gender ninth~gender third~gender other~gender gender~non~conforming gender~variant gender~diverse
gender~expansive gender~creative gender~outlaw gender~questioning gender~void gender~vague gender~vex gender~apathetic
non~gendered multi~gendered x~gender fluid~flux demi~flux demi~fluid demi~boy demi~girl demi~man demi~woman demi~male
demi~female demi~nonbinary demi~androgyne demi~guy agender~flux multigender~flux androgyne androgynous androgynos
abinary ambonec epicene
libra~fluid libra~masculine libra~feminine maverique neutrois proxvir juxera solarian lunarian stellarian trixic
boi tom~boy tom~girl fem~boy soft~butch stone~butch alter~sex inter~sex two~spirit two~spirited
lgbt lgbtq lgbtqia lgbtqia+ lgbtq+ queer gay lesbian homosexual heterosexual bisexual bi pansexual pan~romantic asexual
aromantic demisexual bakla bissu calabai calalai chibados enaree eunuch fa'afafine faafafine faafatama fa'afatama
fakaleiti fakafifine femminiello femminielli guevedoche hijra ihamana kathoey khawaja~sira khwaja~sira khanith köçek
kothi lhamana mahu māhū mak~nyah mashoga mukhannath mukhannathun muxe nádleehi nadleehi ninauposkitzipxpe palao'ana
quariwarmi sworn~virgin takatāpui takatapui travesti tumtum tritiya~prakriti ashtime mudoko~dako akava'ine
vakasalewalewa whakawahine winkte waria aravani aylonit ay'lonit burrnesha skoptsy bantut lakin~on
"""
_ONE = "person man woman boy girl guy gal male female gentleman lady individual adult human"
_MANY = "people persons men women boys girls guys gals males females gentlemen ladies folks folk individuals adults"
_BARE_ONE = "man woman boy girl guy gal male female gentleman lady"
_BARE_MANY = "men women boys girls guys gals males females gentlemen ladies"

_PRONOUNS = {
    "they": "he she xe ze zie ey fae ne ve",
    "them": "him xem zem em faer nem",
    "their": "his hir zir xyr xir eir nir faer's",
    "theirs": "hers hirs zirs xyrs xirs eirs nirs faers",
    "themselves": "himself herself xemself xyrself xirself zirself hirself zemself emself eirself faerself nemself "
    "nirself themself",
}
_TO_THEY = {form: neutral for neutral, forms in _PRONOUNS.items() for form in forms.split()}


def _words(text: str) -> str:
    """Alternatives of a regular expression, longest first, `~` as an optional space or hyphen."""
    found = sorted(set(text.split()), key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace("\\~", "[ -]?").replace("~", "[ -]?") for word in found)


# "...gender" catches agender, bigender, demigender, xenogender and those not coined yet; two verbs are not identities.
_TERM = rf"(?:{_words(_IDENTITY)}|(?!misgender|engender)\w+gender(?:ed)?)"
_PHRASE = re.compile(
    rf"(?<![\w'])(?P<terms>(?:{_TERM}[ -]+)*)"
    rf"(?:(?P<many>{_words(_MANY)})|(?P<one>{_words(_ONE)})|(?P<term>{_TERM})(?P<s>s|es)?)(?!\w)",
    re.IGNORECASE,
)
_STRAIGHT = re.compile(rf"\b(?:straight|queer|butch|femme)[ -]+(?={_words(_ONE + ' ' + _MANY)}\b)", re.IGNORECASE)
_BARE = frozenset(f"{_BARE_ONE} {_BARE_MANY}".split())
_ARTICLE = re.compile(r"\ban person\b", re.IGNORECASE)
_PRONOUN = re.compile(rf"(?<![\w'])(?:{_words(' '.join([*_TO_THEY, 'her']))})(?!\w)", re.IGNORECASE)
# After these, or at the end of a clause, "her" and "faer" are objects; before anything else they are possessive.
_AFTER_OBJECT = re.compile(
    r"\s*(?:$|[^\w\s'\"]|(?:a|an|the|and|or|but|to|for|from|in|on|at|by|with|as|of|out|up|off|down|away|back|about|"
    r"because|when|while|if|so|that|into|over|after|before|who|how|what|why|they|he|she|it|is|was|all|again)\b)",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """Return the text with composed letters, straight apostrophes and single spaces."""
    plain = unicodedata.normalize("NFC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(plain.split())


def mask(text: str, subject: str = "", *, pronouns: bool = True) -> str:
    """Return the text with the person as `XYZ`, identity words as `person`/`people` and singular pronouns as *they*.

    The subject is matched as whole words, as written or in capitals, also before `'s`; of a name of several words each
    capitalised word is matched too. Lower case is not (*will*, *grace*).
    """
    masked = _name(tidy(text), tidy(subject))
    masked = _STRAIGHT.sub("", masked)
    masked = _PHRASE.sub(_person, masked)
    masked = _ARTICLE.sub("a person", masked)
    return _PRONOUN.sub(_they, masked) if pronouns else masked


def _name(text: str, subject: str) -> str:
    parts = [subject, *(part for part in subject.split() if len(part) > 1 and part[0].isupper())]
    names = sorted(
        {form for part in parts if part for form in (part, part.upper())}, key=lambda name: (-len(name), name)
    )
    if not names:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", PERSON, text)


def _person(match: re.Match[str]) -> str:
    one, many, terms = match["one"], match["many"], match["terms"]
    if many:
        return "people" if terms or many.lower() in _BARE else match[0]
    if one:
        return "person" if terms or one.lower() in _BARE else match[0]
    return "people" if match["s"] else "person"


def _they(match: re.Match[str]) -> str:
    form = match[0].lower()
    if form in ("her", "faer"):
        return "them" if _AFTER_OBJECT.match(match.string, match.end()) else "their"
    return _TO_THEY[form]


def label_each(
    texts: Sequence[str],
    subjects: Sequence[str],
    predict: Callable[[Sequence[str]], Sequence[str]],
    *,
    pronouns: bool = True,
    masked: bool = True,
) -> list[str]:
    """Label each text: "empty" where there is none, "unscored" where it has no letter, else what `predict` says.

    `predict` gets the masked texts (as they are, unless `masked`), each once, sorted by length (short padding), and
    returns one label each.

    Raises:
        ValueError: `texts` and `subjects` are not of one length.

    """
    if len(texts) != len(subjects):
        raise ValueError(f"{len(texts)} texts but {len(subjects)} subjects")
    seen = [
        mask(text, subject, pronouns=pronouns) if masked else tidy(text)
        for text, subject in zip(texts, subjects, strict=True)
    ]
    distinct = sorted({text for text in seen if any(letter.isalpha() for letter in text)}, key=lambda t: (len(t), t))
    label_of = dict(zip(distinct, predict(distinct), strict=True)) if distinct else {}
    return [label_of.get(text, "unscored" if text else "empty") for text in seen]
