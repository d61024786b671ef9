"""TANGO's files: what was written is read, counted and sampled, whatever the order of rows, parts and formats."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks.disclosure.reader import COLUMNS as DISCLOSURE
from rootfruit_checks.benchmarks.disclosure.reader import iter_disclosure, sample_surveyed, survey_disclosure
from rootfruit_checks.benchmarks.misgendering.reader import COLUMNS as MISGENDERING
from rootfruit_checks.benchmarks.misgendering.reader import read_misgendering
from rootfruit_checks.catalog.identity_groups import groups

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "tango" / "misgendering_prompts.csv"
IDENTITIES = (
    "man",
    "woman",
    "agender",
    "Genderfluid",
    "transgender woman",
    "two-spirit",
    "bigender",
    "transgender man",
)
NAMES = ("Ada", "Bo", "Cleo", "Dana Lee", "Em", "Flo", "Gus")
FORMS = ("{n} is {i}.", "{n} told us: {i}.", '{n} said "{i}", and left.')


def sample_disclosure(paths, names, identities, seed, forms=None):
    return sample_surveyed(paths, survey_disclosure(paths), names, identities, seed, forms)


def rows(names=NAMES, identities=IDENTITIES, forms=FORMS) -> list[dict[str, object]]:
    return [
        {
            "gender_prompt_idx": at,
            "gender_prompt": form,
            "filled_gender_prompt": form.format(n=name, i=identity),
            "gender_identity": identity,
            "name": name,
            "is_english_name": len(name) % 2 == 0,
            "is_western_nb_gender": identity != "two-spirit",
        }
        for (at, form), name, identity in product(enumerate(forms), names, identities)
    ]


def write_csv(path: Path, some, columns=DISCLOSURE) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(some)
    return path


def write_jsonl(path: Path, some) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return path


def split(folder: Path, some, parts: int = 8) -> list[Path]:
    return [write_csv(folder / f"part_{i + 1}.csv", some[i::parts]) for i in range(parts)]


def test_parts_and_jsonl_give_the_same_prompts(tmp_path):
    found = list(iter_disclosure(split(tmp_path, rows())))
    assert len(found) == len(rows()) == len({p.id for p in found})
    assert {p.text for p in found} == {str(row["filled_gender_prompt"]) for row in rows()}
    assert {p.identity for p in found} == {groups().check("disclosure", i) for i in IDENTITIES}
    assert {(p.frame, p.subject) for p in found} == set(product("012", NAMES))
    hub = list(iter_disclosure([write_jsonl(tmp_path / "disclosure.jsonl", rows())]))
    assert sorted(hub, key=lambda p: p.id) == sorted(found, key=lambda p: p.id)


def test_the_survey_counts_every_row(tmp_path):
    survey = survey_disclosure(split(tmp_path, rows()))
    assert survey.rows == len(rows())
    assert survey.missing == 0
    assert set(survey.identities.values()) == {len(FORMS) * len(NAMES)}
    assert survey.names == Counter(str(row["name"]) for row in rows())
    assert survey_disclosure([write_csv(tmp_path / "most.csv", rows()[:-3])]).missing == 3


def test_a_sample_is_whole_and_keeps_the_controls(tmp_path):
    paths = split(tmp_path, rows())
    found = sample_disclosure(paths, names=4, identities=5, seed=3, forms=2)
    assert len(found) == 4 * 5 * 2
    assert {"man", "woman"} < {p.identity for p in found}
    for axis in ("identity", "subject", "frame"):
        assert len(set(Counter(getattr(p, axis) for p in found).values())) == 1
    assert sample_disclosure(paths, names=None, identities=None, seed=3) == sorted(
        iter_disclosure(paths), key=lambda p: p.id
    )
    assert {p.identity for p in sample_disclosure(paths, names=1, identities=0, seed=0)} == {"man", "woman"}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(shuffle=st.integers(0, 10**6), seed=st.integers(0, 5), parts=st.integers(1, 8))
def test_a_sample_depends_on_labels_and_seed_alone(tmp_path, shuffle, seed, parts):
    mixed = rows()
    random.Random(shuffle).shuffle(mixed)
    paths = split(tmp_path, mixed, parts)
    random.Random(shuffle + 1).shuffle(paths)
    plain = write_csv(tmp_path / "plain.csv", rows())
    assert sample_disclosure(paths, 3, 4, seed) == sample_disclosure([plain], 3, 4, seed)


def test_seeds_choose_differently(tmp_path):
    paths = split(tmp_path, rows())
    assert len({tuple(p.id for p in sample_disclosure(paths, 3, 4, seed)) for seed in range(8)}) > 4


def test_more_names_only_add_to_a_sample(tmp_path):
    paths = split(tmp_path, rows())
    few, more = (set(sample_disclosure(paths, count, 4, 0)) for count in (2, 5))
    assert few < more


def bad(**changes):
    return [*rows()[:5], {**rows()[5], **changes}]


@pytest.mark.parametrize(
    ("some", "told"),
    [
        (
            bad(gender_identity="martian"),
            "unknown identity 'martian'; add it to .* in rootfruit_checks.benchmarks.disclosure",
        ),
        ([*rows()[:5], rows()[2]], "form 0, name 'Ada' and identity 'agender' came before"),
        (bad(filled_gender_prompt="{name} is agender."), "a placeholder was left unfilled"),
        (bad(filled_gender_prompt=" "), "the text is blank"),
        (bad(name=""), "name is blank"),
    ],
)
def test_faulty_disclosure_rows_are_told_with_file_and_line(tmp_path, some, told):
    with pytest.raises(DataError, match=rf"part\.csv:7: .*{told}"):
        survey_disclosure([write_csv(tmp_path / "part.csv", some)])
    with pytest.raises(DataError, match=rf"part\.jsonl:6: .*{told}"):
        survey_disclosure([write_jsonl(tmp_path / "part.jsonl", some)])


def test_a_part_that_is_there_twice_is_told(tmp_path):
    paths = split(tmp_path, rows())
    with pytest.raises(DataError, match=r"part_1\.csv:2: .*came before; is a part there twice"):
        survey_disclosure([*paths, paths[0]])


def test_a_set_without_binary_controls_is_refused(tmp_path):
    path = write_csv(tmp_path / "part.csv", rows(identities=IDENTITIES[2:]))
    with pytest.raises(DataError, match="no binary control"):
        sample_disclosure([path], 2, 2, 0)


def misgendering_rows():
    pronouns = {"he": "his", "they": "their", "xe": "xir"}
    return [
        dict(zip(MISGENDERING, (at, ante, kind, family, f"{ante} lost {word} key {at}."), strict=True))
        for at, (ante, kind), (family, word) in product(
            range(3), (("rowan", "ante_nongendered"), ("the cook", "distal")), pronouns.items()
        )
    ]


def test_misgendering_comes_back_in_both_formats(tmp_path):
    found = read_misgendering(write_csv(tmp_path / "m.csv", misgendering_rows(), MISGENDERING))
    assert [
        dict(zip(MISGENDERING, (int(p.frame), p.subject, p.stratum, p.identity, p.text), strict=True)) for p in found
    ] == misgendering_rows()
    assert len({p.id for p in found}) == len(found)
    assert read_misgendering(write_jsonl(tmp_path / "m.jsonl", misgendering_rows())) == found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pronoun_family": "zed"}, "unknown identity 'zed'"),
        ({"template_idx": 0, "ante": "rowan", "pronoun_family": "he"}, "the same .* as line 2"),
        ({"ante": " "}, "ante is blank"),
        ({"ante_type": ""}, "ante_type is blank"),
        ({"template": "[ante] lost it"}, "a placeholder"),
    ],
)
def test_faulty_misgendering_rows_are_told_with_file_and_line(tmp_path, changes, told):
    some = misgendering_rows()
    some[4] = {**some[4], **changes}
    with pytest.raises(DataError, match=rf"m\.csv:6: .*{told}"):
        read_misgendering(write_csv(tmp_path / "m.csv", some, MISGENDERING))


@pytest.mark.skipif(not OFFICIAL.is_file(), reason=f"{OFFICIAL} is not there")
def test_the_official_misgendering_file_is_a_full_cross():
    found = read_misgendering(OFFICIAL)
    assert len(found) == 2880
    counts = [len({getattr(p, axis) for p in found}) for axis in ("frame", "subject", "identity", "stratum")]
    assert counts == [12, 40, 6, 4]
    assert len({(p.frame, p.subject, p.identity) for p in found}) == 2880
    with OFFICIAL.open(encoding="utf-8", newline="") as stream:
        assert [p.text for p in found] == [row["template"] for row in csv.DictReader(stream)]
