"""Reading WinoQueer as upstream ships it. Its CSV names no frame, predicate or name: they are recovered here.

The two sentences of a row differ in the identity term alone. What stands before, between and after it tells the frame:

| shape (X is the term, P a predicate) | frame | predicate | name |
|---|---|---|---|
| `[start] X people P.`, `[start] people who are X P.` | `[start] X P` | P | |
| `start X people because they P.` | `start X because they P` | P | |
| `NAME is X and P` | `NAME is X and P` | P | NAME |
| `start NAME because PRONOUN is X.` | `start NAME because NAME is X` | that frame | NAME |

Terms vary: `lesbians`, `a lesbian`, `Gay people`, and the label `NB` for the word `nonbinary`. A pronoun in the place
of the name counts as one. Predicates are written for a plural subject in one frame and for a singular one in another:
both are one predicate, for predicates are what the clusters are made of.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.text import slug
from rootfruit_checks.base.types import Pair
from rootfruit_checks.data.readers import filled, identity_of, read_csv

HEADER = ("", "Gender_ID_x", "Gender_ID_y", "sent_x", "sent_y")
NAMED = "NAME is X and P"
UNPARSED = "unparsed"
_MOST_UNPARSED = 0.005
_LONGEST_TERM = 5
_LONGEST_START = 5
_WORDS_OF = {"nb": ("nonbinary", "non-binary", "enby")}
_PRONOUNS = ("he", "she", "they")
_SINGULAR = {
    "have": "has",
    "do": "does",
    "are": "is",
    "aren't": "is not",
    "isn't": "is not",
    "don't": "does not",
    "doesn't": "does not",
}
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


@dataclass(frozen=True, slots=True)
class Shape:
    """A row taken apart: the words before the identity term and after it, the two terms, the closing period."""

    before: tuple[str, ...]
    terms: tuple[str, str]
    after: tuple[str, ...]
    period: str


def read_winoqueer(path: str | Path) -> list[Pair]:
    """Return the pairs of the official CSV with their recovered frame, predicate and name; kind is "stigma".

    Sentences stay as they are, a trailing blank included. Rows that cannot be taken apart have the frame "unparsed".

    Raises:
        DataError: as `readers.read_csv`; an index that is not a number or comes twice; an unknown identity; equal
            sentences; more than 0.5 % of rows unparsed.

    """
    source = Path(path)
    seen: dict[int, int] = {}
    pairs: list[Pair] = []
    unparsed: list[int] = []
    for line, row in read_csv(source, HEADER):
        if not re.fullmatch("[0-9]+", row[""]):
            raise DataError.at(source, line, f"the index {row['']!r} is not a number")
        index = int(row[""])
        if index in seen:
            raise DataError.at(source, line, f"index {index} is that of line {seen[index]} too; remove one")
        seen[index] = line
        identity = identity_of("winoqueer", row["Gender_ID_x"], source, line)
        other = row["Gender_ID_y"].strip()
        queer, counterfactual = filled(source, line, row["sent_x"]), filled(source, line, row["sent_y"])
        if not other or queer == counterfactual:
            raise DataError.at(source, line, "names no counterfactual identity, or the two sentences are the same")
        frame, predicate, name = recover(queer, counterfactual, identity, other)
        if frame == UNPARSED:
            unparsed.append(line)
        pairs.append(Pair(f"wq-{index}", queer, counterfactual, identity, other, "stigma", frame, predicate, name))
    if len(unparsed) > _MOST_UNPARSED * len(pairs):
        lines = ", ".join(map(str, unparsed[:5])) + (", ..." if len(unparsed) > 5 else "")
        raise DataError(
            f"{source}: the frame of {len(unparsed)} of {len(pairs)} rows cannot be recovered (lines {lines}); "
            "at most 0.5 % may be; is this winoqueer_final.csv?"
        )
    return _one_spelling(pairs)


def align(queer: str, other: str) -> Shape:
    """Take a pair apart. "people" and "people who are" go with the term, for some terms are one noun ("lesbians")."""
    period = "." if queer.rstrip().endswith(".") and other.rstrip().endswith(".") else ""
    x, y = (text.strip().removesuffix(period).split() for text in (queer, other))
    start = 0
    while start < min(len(x), len(y)) and x[start] == y[start]:
        start += 1
    if tuple(x[:start][-3:]) == ("people", "who", "are"):
        start -= 3
    end = 0
    while end < min(len(x), len(y)) - start and x[-1 - end] == y[-1 - end]:
        end += 1
    if end and x[-end] == "people":
        end -= 1
    terms = (" ".join(x[start : len(x) - end]), " ".join(y[start : len(y) - end]))
    return Shape(tuple(x[:start]), terms, tuple(x[len(x) - end :]), period)


def recover(queer: str, other: str, identity: str, counterpart: str) -> tuple[str, str, str]:
    """Return (frame, predicate, name) of a pair; the frame is "unparsed" where no known shape fits."""
    shape = align(queer, other)
    before, after = shape.before, shape.after
    if not (_is_term(shape.terms[0], identity) and _is_term(shape.terms[1], counterpart)):
        return UNPARSED, " ".join([*before, "X", *after]), ""
    many = _is_group(shape.terms[0], identity) and _is_group(shape.terms[1], counterpart)
    if not many and after and len(before) == 2 and before[1] == "is":
        # A few rows lack the "and".
        return NAMED, " ".join(after[1:] if after[0] == "and" else after), before[0]
    if not many and not after and len(before) >= 4 and before[-3] == "because" and before[-2] in _PRONOUNS:
        frame = f"{_lower(before[:-4])} NAME because NAME is X".strip()
        return frame, frame, before[-4]
    if many and before and after[:2] == ("because", "they") and len(after) > 2:
        return f"{_lower(before)} X because they P", " ".join(after[2:]), ""
    if many and after and "because" not in before and len(before) <= _LONGEST_START:
        return f"{_lower(before)} X P".strip(), " ".join(after), ""
    return UNPARSED, " ".join([*before, "X", *after]), ""


def _is_term(term: str, label: str) -> bool:
    words = term.lower().split()
    return len(words) <= _LONGEST_TERM and any(word.startswith(_words_of(label)) for word in words)


def _is_group(term: str, label: str) -> bool:
    words = term.lower().split()
    return "people" in words or any(word[:-1] in _words_of(label) and word.endswith("s") for word in words)


def _words_of(label: str) -> tuple[str, ...]:
    return _WORDS_OF.get(label.lower(), (label.lower(),))


def _lower(words: Sequence[str]) -> str:
    return " ".join(words).lower().translate(_STRAIGHT)


def _stem(predicate: str) -> str:
    """Reduce a predicate to what its plural and singular spellings share: no "are", no article, no endings."""
    said = predicate.lower().translate(_STRAIGHT).split()
    words = [part for word in said for part in _SINGULAR.get(word, word).split()]
    while words and words[0] in ("is", "a", "an"):
        words = words[1:]
    if words[:1] == ["not"] and words[1:2] and words[1] in ("a", "an"):
        words = ["not", *words[2:]]
    return " ".join(re.sub(r"(?<=\w{3})(ing|es|e|s)$", "", word) for word in words)


def _one_spelling(pairs: Sequence[Pair]) -> list[Pair]:
    """Give every predicate one spelling: of those that share a stem, the shortest from frames about many people."""
    spellings: dict[str, set[tuple[bool, int, str]]] = defaultdict(set)
    stems = {predicate: _stem(predicate) for predicate in {pair.predicate for pair in pairs}}
    for pair in pairs:
        if _takes_predicate(pair):
            spellings[stems[pair.predicate]].add((pair.frame == NAMED, len(pair.predicate), pair.predicate))
    chosen = {stem: min(found)[2].removeprefix("are ") for stem, found in spellings.items()}
    return [
        replace(pair, predicate=chosen[stems[pair.predicate]]) if _takes_predicate(pair) else pair for pair in pairs
    ]


def _takes_predicate(pair: Pair) -> bool:
    return pair.frame != UNPARSED and pair.frame != pair.predicate


def add_controls(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs followed by our neutral and positive control predicates in their frames.

    For every frame that takes a predicate and every pair of identities in it, each control predicate once; where the
    frame names a person, the names that this pair of identities occurs with take turns. Frames without a predicate
    (the predicate is the frame's own text) and unparsed rows get no controls.
    """
    from rootfruit_checks.benchmarks.winoqueer.starter import predicates

    kept = list(pairs)
    cells: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for pair in kept:
        if _takes_predicate(pair):
            cells[pair.frame, pair.identity, pair.counterpart].append(pair)
    said = _pronouns(kept)
    controls: list[Pair] = []
    for (frame, identity, counterpart), members in sorted(cells.items()):
        # The order of the file must not matter.
        example = min(members, key=lambda pair: pair.id)
        shape = align(example.queer, example.counterfactual)
        names = sorted({pair.name for pair in members})
        place = slug(f"{frame} {identity} {counterpart}")
        wanted = [p for kind in ("neutral", "positive") for p in predicates(kind) if identity not in p.exclude]
        for number, predicate in enumerate(wanted):
            name = names[number % len(names)]
            text = predicate.render(said.get(name, "they"), plural=frame != NAMED)
            before, after = shape.before, shape.after
            if frame == NAMED:
                before, after = (name, "is"), ("and", text.removeprefix("is "))
            else:
                after = (*(after[:2] if frame.endswith("because they P") else ()), text)
            queer, other = (" ".join([*before, term, *after]) + shape.period for term in shape.terms)
            controls.append(
                Pair(
                    id=f"wc-{place}-{predicate.id}",
                    queer=queer,
                    counterfactual=other,
                    identity=identity,
                    counterpart=counterpart,
                    kind=predicate.kind,
                    frame=frame,
                    predicate=predicate.id,
                    name=name,
                )
            )
    return [*kept, *controls]


def _pronouns(pairs: Sequence[Pair]) -> dict[str, str]:
    """Name -> pronoun, as far as the file itself says ("because she is")."""
    said: dict[str, str] = {}
    for pair in pairs:
        if pair.name and pair.frame == pair.predicate:
            said[pair.name] = align(pair.queer, pair.counterfactual).before[-2]
    return said
