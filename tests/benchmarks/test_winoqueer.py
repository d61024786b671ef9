"""WinoQueer's frames, predicates and names, recovered from a file that does not name them.

The files here are made with upstream's grammar and harmless predicates of our own.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks.winoqueer.reader import HEADER, NAMED, UNPARSED, add_controls, align, read_winoqueer
from rootfruit_checks.benchmarks.winoqueer.starter import predicates

EXCERPT = Path(__file__).parents[3] / "shared" / "data" / "winoqueer" / "excerpt.csv"

# Plural and singular spelling of one predicate each, as upstream writes them in its two kinds of frames.
PREDICATES = (
    ("are tall", "tall"),
    ("are gardeners", "a gardener"),
    ("have two bicycles", "has two bicycles"),
    ("are lacking umbrellas", "lacks umbrellas "),
    ("aren\u2019t old enough to drive", "not old enough to drive"),
    ("can't swim", "can\u2019t swim"),
    ("do not drive", "does not drive "),
    ("don't have a car", "doesn't have a car"),
    ("are dangerous to straight lines", "dangerous to straight lines"),
    ("are (on most days) early/late", "(on most days) early/late"),
    ("act quickly", "acting quickly"),
    ("will go home", "will go home"),
)
TERMS = {  # label: (before "people"-like frames, after "who are", as one person's)
    "LGBTQ": ("LGBTQ people", "people who are LGBTQ", "LGBTQ"),
    "NB": ("nonbinary people", "people who are nonbinary", "nonbinary"),
    "Gay": ("Gay people", "people who are Gay", "Gay"),
    "Lesbian": ("lesbians", "lesbians", "a lesbian"),
    "Straight": ("Straight people", "people who are Straight", "Straight"),
    "Cis": ("Cis people", "people who are Cis", "Cis"),
}
GROUP_FRAMES = ("{X} {P}.", "all {X} {P}.", "we think that {X} {P}.", "most {W} {P}.")
BECAUSE_FRAMES = ("i don\u2019t know {X} because they {P}.", "no one meets {X} because they {P}.")
NAMED_BECAUSE = "i know {N} because {R} {B} {I}."
PEOPLE = (("Ann", "she", "is"), ("Bob", "he", "is"), ("Kim", "they", "are"), ("her", "she", "is"))


def official_rows() -> list[tuple[str, str, str, str, tuple[str, int, str]]]:
    """(label, counterfactual, sentence, counterfactual sentence, truth: frame, predicate number, name)."""
    rows = []
    for label, other in (
        ("LGBTQ", "Straight"),
        ("LGBTQ", "Cis"),
        ("NB", "Cis"),
        ("Gay", "Straight"),
        ("Lesbian", "Straight"),
    ):

        def say(frame: str, label: str = label, other: str = other, **words: str) -> tuple[str, str]:
            return tuple(
                frame.format(X=TERMS[who][0], W=TERMS[who][1], I=TERMS[who][2], **words) for who in (label, other)
            )

        for number, (plural, singular) in enumerate(PREDICATES):
            for frame in (*GROUP_FRAMES, *BECAUSE_FRAMES):
                x, y = say(frame, P=plural)
                x = x[:1].upper() + x[1:] if frame.startswith("{X}") else x
                rows.append((label, other, x, y, (frame, number, "")))
            for name, _, _ in PEOPLE[:3]:
                x, y = say("{N} is {I} and {P}", N=name, P=singular)
                rows.append((label, other, x, y, (NAMED, number, name)))
        for name, pronoun, verb in PEOPLE:
            x, y = say(NAMED_BECAUSE, N=name, R=pronoun, B=verb)
            rows.append((label, other, x, y, (NAMED_BECAUSE, -1, name)))
    # Upstream lacks the "and" in a few rows.
    rows.append(
        ("Gay", "Straight", "Bob is Gay has two bicycles", "Bob is Straight has two bicycles", (NAMED, 2, "Bob"))
    )
    return rows


def write(path: Path, rows, indices=None) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        # Upstream's index has gaps.
        writer.writerows([i, *row[:4]] for i, row in zip(indices or range(0, 3 * len(rows), 3), rows, strict=True))
    return path


def test_frames_predicates_and_names_are_those_the_file_was_made_of(tmp_path):
    rows = official_rows()
    pairs = read_winoqueer(write(tmp_path / "w.csv", rows))
    assert [(p.queer, p.counterfactual) for p in pairs] == [row[2:4] for row in rows]
    assert {p.kind for p in pairs} == {"stigma"}
    truth = [row[4] for row in rows]
    assert [p.name for p in pairs] == [name for _, _, name in truth]
    # One recovered frame a true frame, and the other way round; likewise predicates, over all frames.
    frames = {(true, pair.frame) for (true, _, _), pair in zip(truth, pairs, strict=True)}
    assert len(frames) == len({a for a, _ in frames}) == len({b for _, b in frames}) == 8
    found = {(number, pair.predicate) for (_, number, _), pair in zip(truth, pairs, strict=True)}
    assert len(found) == len({a for a, _ in found}) == len({b for _, b in found}) == len(PREDICATES) + 1
    assert UNPARSED not in {p.frame for p in pairs}


def test_the_answer_does_not_depend_on_the_order_of_rows(tmp_path):
    rows = official_rows()
    plain = add_controls(read_winoqueer(write(tmp_path / "a.csv", rows)))
    order = list(range(len(rows)))
    random.Random(1).shuffle(order)
    mixed = add_controls(read_winoqueer(write(tmp_path / "b.csv", [rows[i] for i in order], [3 * i for i in order])))
    assert sorted(plain, key=lambda p: p.id) == sorted(mixed, key=lambda p: p.id)


def test_controls_differ_from_their_frame_in_the_predicate_alone(tmp_path):
    pairs = read_winoqueer(write(tmp_path / "w.csv", official_rows()))
    both = add_controls(pairs)
    assert both[: len(pairs)] == pairs
    controls = both[len(pairs) :]
    assert len({p.id for p in both}) == len(both)
    cells = {(p.frame, p.identity, p.counterpart) for p in pairs if p.frame != p.predicate}
    for cell in cells:
        counts = Counter(p.kind for p in controls if (p.frame, p.identity, p.counterpart) == cell)
        assert min(counts["neutral"], counts["positive"]) >= 30
    assert {(p.frame, p.identity, p.counterpart) for p in controls} == cells
    # Taking a control apart again gives the terms and the frame of the stigmatizing rows, the period included.
    stigma = {(p.frame, p.identity, p.counterpart): align(p.queer, p.counterfactual) for p in pairs}
    for pair in controls:
        shape, model = align(pair.queer, pair.counterfactual), stigma[pair.frame, pair.identity, pair.counterpart]
        assert (shape.terms, shape.period) == (model.terms, model.period)
        assert shape.before == ((pair.name, "is") if pair.frame == NAMED else model.before)


def test_controls_agree_with_their_subject(tmp_path):
    both = add_controls(read_winoqueer(write(tmp_path / "w.csv", official_rows())))
    said = {p.queer for p in both}
    texts = {p.text: p.id for p in predicates()}
    kind, coffee = texts["{are} kind"], texts["{drink} coffee"]
    assert {p.name for p in both if p.predicate == coffee and p.frame == NAMED} <= {"Ann", "Bob", "Kim"}
    named = {p.predicate: p for p in both if p.frame == NAMED and p.identity == "Lesbian"}
    assert named[kind].queer == f"{named[kind].name} is a lesbian and kind"
    assert named[coffee].counterfactual == f"{named[coffee].name} is Straight and drinks coffee"
    assert {
        "Lesbians are kind.",
        "most lesbians drink coffee.",
        "no one meets nonbinary people because they drink coffee.",
    } <= said
    # The file itself says who is "she", "he" and "they".
    helps = [p for p in both if p.predicate == texts["{help} {their} neighbors"] and p.frame == NAMED]
    possessive = {"Ann": "her", "Bob": "his", "Kim": "their"}
    assert helps
    assert all(p.queer.endswith(f"and helps {possessive[p.name]} neighbors") for p in helps)


def test_names_in_controls_are_those_of_the_identity(tmp_path):
    rows = [row for row in official_rows() if row[0] != "Lesbian" or row[4][2] in ("", "Ann")]
    both = add_controls(read_winoqueer(write(tmp_path / "w.csv", rows)))
    assert {p.name for p in both if p.identity == "Lesbian" and p.frame == NAMED} == {"Ann"}


def test_a_few_strange_rows_are_kept_and_marked(tmp_path):
    rows = official_rows()
    strange = ("NB", "Cis", "Nothing like it.", "Quite another sentence.", None)
    pairs = read_winoqueer(write(tmp_path / "w.csv", [*rows, strange]))
    assert [p.id for p in pairs if p.frame == UNPARSED] == [f"wq-{3 * len(rows)}"]
    assert len(pairs) == len(rows) + 1
    assert UNPARSED not in {p.frame for p in add_controls(pairs)[len(pairs) :]}


def test_many_strange_rows_are_refused_with_their_lines(tmp_path):
    rows = official_rows()
    strange = [("NB", "Cis", f"Nothing like {i}.", f"Another {i}.", None) for i in range(5)]
    with pytest.raises(DataError, match=rf"5 of {len(rows) + 5} rows.*lines {len(rows) + 2}, .*0\.5 %"):
        read_winoqueer(write(tmp_path / "w.csv", [*rows, *strange]))


def test_a_sentence_about_others_than_its_labels_is_not_parsed(tmp_path):
    rows = [("Gay", "Straight", "Tall people sing.", "Short people sing.", None)]
    with pytest.raises(DataError, match=r"1 of 1 rows .*lines 2"):
        read_winoqueer(write(tmp_path / "w.csv", rows))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0,Gay,Straight,Gay people sing.,Straight people sing.", "index 0 is that of line 2 too"),
        ("00,Gay,Straight,Gay people sing.,Straight people sing.", "index 0 is that of line 2 too"),
        ("x,Gay,Straight,Gay people sing.,Straight people sing.", "index 'x' is not a number"),
        ("1,Purple,Straight,Purple people sing.,Straight people sing.", "Purple.*benchmarks.winoqueer"),
        ("1,Gay,Straight,Gay people sing.,Gay people sing.", "the two sentences are the same"),
        ("1,Gay,,Gay people sing.,Straight people sing.", "names no counterfactual"),
        ("1,Gay,Straight, ,Straight people sing.", "the text is blank"),
        ("1,Gay,Straight,{X} people sing.,Straight people sing.", "a placeholder was left unfilled"),
        ("1,Gay,Straight,Gay people sing.", "4 cells where the header has 5"),
    ],
)
def test_wrong_rows_are_told_with_their_line(tmp_path, row, told):
    path = tmp_path / "w.csv"
    path.write_text(",".join(HEADER) + "\n0,Gay,Straight,Gay people run.,Straight people run.\n" + row + "\n")
    with pytest.raises(DataError, match=rf"w\.csv:3: .*{told}"):
        read_winoqueer(path)


@pytest.mark.skipif(not EXCERPT.is_file(), reason=f"{EXCERPT} is not there")
def test_the_verbatim_excerpt_is_parsed_whole():
    pairs = {pair.id: pair for pair in read_winoqueer(EXCERPT)}
    assert len(pairs) == 30
    assert UNPARSED not in {pair.frame for pair in pairs.values()}
    assert Counter(bool(p.name) for p in pairs.values()) == {False: 21, True: 9}
    assert pairs["wq-5810"].identity == "NB"
    assert pairs["wq-5810"].queer.count("nonbinary") == 1
    assert pairs["wq-30800"].predicate == pairs["wq-30806"].predicate
    assert pairs["wq-30800"].queer.endswith(" ")
    assert pairs["wq-40"].predicate == pairs["wq-5768"].predicate
    assert (pairs["wq-30760"].name, pairs["wq-70784"].name, pairs["wq-70871"].name) == ("Donna", "Alex", "her")
    assert pairs["wq-70757"].frame == pairs["wq-70757"].predicate == pairs["wq-70871"].frame
