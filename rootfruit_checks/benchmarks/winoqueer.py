"""Reading WinoQueer as upstream ships it. Its CSV names no template, predicate or name: they are recovered here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rootfruit_checks.benchmarks.groups import groups
from rootfruit_checks.benchmarks.rows import filled, read_csv
from rootfruit_checks.benchmarks.starter import predicates
from rootfruit_checks.errors import DataError
from rootfruit_checks.types import Kind, Pair

HEADER = ("", "Gender_ID_x", "Gender_ID_y", "sent_x", "sent_y")
SLOT = "\ue000"
_MOST_UNPARSED = 0.005
_GROUP = re.compile(f"^{SLOT} (?P<predicate>.+?)[.]?$")
_BECAUSE = re.compile(f"^(?P<start>.+) {SLOT} because they (?P<predicate>.+?)[.]?$")
_NAMED_AND = re.compile(rf"^(?P<name>\w+) is {SLOT} and (?P<predicate>.+?)[.]?$")
_NAMED_BECAUSE = re.compile(rf"^(?P<start>.*?)\b(?P<name>\w+) because (?:he|she|they) (?:is|are) {SLOT}[.]?$")


def read_winoqueer(path: str | Path) -> list[Pair]:
    """Return the pairs of the official CSV with their recovered frame, predicate and name; kind is "stigma".

    Raises:
        DataError: as `rows.read_csv`; an index twice; an unknown identity; more than 0.5 % of rows whose frame cannot
            be recovered (fewer are kept, with the frame "unparsed").

    """
    source = Path(path)
    seen: dict[str, int] = {}
    pairs: list[Pair] = []
    unparsed: list[int] = []
    for line, row in read_csv(source, HEADER):
        if row[""] in seen:
            raise DataError.at(source, line, f"index {row['']} is that of line {seen[row['']]} too")
        seen[row[""]] = line
        try:
            identity = groups().check("winoqueer", row["Gender_ID_x"])
        except DataError as error:
            raise DataError.at(source, line, str(error)) from None
        queer, other = filled(source, line, row["sent_x"]).strip(), filled(source, line, row["sent_y"]).strip()
        frame, predicate, name = recover(queer, other)
        if frame == "unparsed":
            unparsed.append(line)
        pairs.append(
            Pair(f"wq-{row['']}", queer, other, identity, row["Gender_ID_y"], "stigma", frame, predicate, name)
        )
    if len(unparsed) > _MOST_UNPARSED * len(pairs):
        lines = ", ".join(map(str, unparsed[:5]))
        raise DataError(
            f"{source}: the frame of {len(unparsed)} of {len(pairs)} rows cannot be recovered (lines {lines}, …); "
            "is this winoqueer_final.csv?"
        )
    return pairs


def align(queer: str, other: str) -> tuple[str, str, str]:
    """Return the sentence with a slot for the identity term, and the two terms ("people" goes with the term)."""
    x, y = queer.split(), other.split()
    start = 0
    while start < min(len(x), len(y)) and x[start] == y[start]:
        start += 1
    end = 0
    while end < min(len(x), len(y)) - start and x[-1 - end] == y[-1 - end]:
        end += 1
    terms = x[start : len(x) - end], y[start : len(y) - end]
    rest = x[len(x) - end :]
    if rest[:1] == ["people"]:
        terms = ([*terms[0], "people"], [*terms[1], "people"])
        rest = rest[1:]
    # The last word may carry the sentence's period into the term ("they are LGBTQ.").
    tail = "." if not rest and terms[0] and terms[0][-1].endswith(".") else ""
    words = [" ".join(term).rstrip(".") if tail else " ".join(term) for term in terms]
    return " ".join([*x[:start], SLOT + tail, *rest]), words[0], words[1]


def recover(queer: str, other: str) -> tuple[str, str, str]:
    """Return (frame, predicate, name) of a pair; the frame is "unparsed" where no known shape fits."""
    shape = align(queer, other)[0]
    if found := _NAMED_AND.match(shape):
        return "NAME is X and P", found["predicate"], found["name"]
    if found := _NAMED_BECAUSE.match(shape):
        start = found["start"].strip().lower()
        frame = f"{start} NAME because NAME is X"
        return frame, frame, found["name"]
    if found := _BECAUSE.match(shape):
        return f"{found['start'].strip().lower()} X because they P", found["predicate"].removeprefix("are "), ""
    if found := _GROUP.match(shape):
        return "X P", found["predicate"].removeprefix("are "), ""
    return "unparsed", shape.replace(SLOT, "X"), ""


def add_controls(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs followed by our neutral and positive control predicates in their frames.

    For every frame that takes a predicate and every pair of identities in it, each control predicate once; in the
    frame that names a person the names take turns. Frames without a predicate have no controls.
    """
    kept = list(pairs)
    examples: dict[tuple[str, str, str], Pair] = {}
    names: dict[str, list[str]] = {}
    for pair in kept:
        examples.setdefault((pair.frame, pair.identity, pair.counterpart), pair)
        if pair.name and pair.name not in names.setdefault(pair.frame, []):
            names[pair.frame].append(pair.name)
    controls: list[Pair] = []
    kinds: tuple[Kind, ...] = ("neutral", "positive")
    for (frame, identity, counterpart), example in sorted(examples.items(), key=lambda item: item[0]):
        for kind in kinds:
            for number, predicate in enumerate(predicates(kind)):
                name = ""
                if frame == "NAME is X and P":
                    name = names[frame][number % len(names[frame])]
                made = _control(example, predicate, name)
                if made is None:
                    continue
                key = f"wc-{frame}-{identity}-{counterpart}-{predicate.id}".lower().replace(" ", "-")
                controls.append(replace(example, id=key, queer=made[0], counterfactual=made[1], kind=kind,
                                        predicate=predicate.id, name=name))  # fmt: skip
    return [*kept, *controls]


def _control(example: Pair, predicate: object, name: str) -> tuple[str, str] | None:
    shape, x, y = align(example.queer, example.counterfactual)
    plural = str(predicate.render("they", plural=True))  # type: ignore[attr-defined]
    if name:
        singular = str(predicate.render("they", plural=False))  # type: ignore[attr-defined]
        return f"{name} is {x} and {singular}.", f"{name} is {y} and {singular}."
    if found := _BECAUSE.match(shape):
        start = found["start"]
        return f"{start} {x} because they {plural}.", f"{start} {y} because they {plural}."
    if _GROUP.match(shape) and example.frame == "X P":
        return f"{x} {plural}.", f"{y} {plural}."
    return None
