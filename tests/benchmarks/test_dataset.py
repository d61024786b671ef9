"""From `--rootfruit-data` to samples: starter, official, a directory; what is missing is told."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks.disclosure.reader import COLUMNS
from rootfruit_checks.benchmarks.disclosure.samples import SETS
from rootfruit_checks.benchmarks.disclosure.starter import starter_disclosure
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.reader import HEADER
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.data.load import load

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "tango" / "misgendering_prompts.csv"
IDENTITIES = ("man", "woman", "agender", "bigender", "transgender woman")
NAMES = tuple(f"Name{i}" for i in range(25))


def disclosure_rows():
    return [
        (form, "t", f"{name}, form {form}: {identity}.", identity, name, True, False)
        for form, name, identity in product(range(18), NAMES, IDENTITIES)
    ]


def write_parts(folder: Path, some) -> None:
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(SETS[0]):
        with (folder / name).open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(some[at::8])


def write_pairs(folder: Path, odd: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "winoqueer_final.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        at = 0
        for n in range(300):
            for word, other in (("NB", "Cis"), ("Gay", "Straight")):
                x = "nonbinary" if word == "NB" else word
                writer.writerow((at, word, other, f"all {x} people own {n} cups.", f"all {other} people own {n} cups."))
                at += 1
        writer.writerows((at + i, "NB", "Cis", f"Odd {i}.", f"Quite {i}.") for i in range(odd))


def test_the_starter_set_says_that_it_is_ours():
    for data in (load("winoqueer", "starter", "full", 0), load("disclosure", "starter", "full", 0)):
        assert (data.name, data.licence) == ("starter", "Apache-2.0")
        assert "our own prompts, not the community-made set " in data.statement
        assert len(data.sha256) == 64
        assert data.notes == ()
    assert load("winoqueer", "starter", "full", 0).pairs == tuple(starter_pairs())
    assert load("disclosure", "starter", "full", 0).prompts == tuple(starter_disclosure())
    assert load("misgendering", "starter", "full", 0).prompts == tuple(starter_misgendering())
    smoke = load("winoqueer", "starter", "smoke", 0)
    assert smoke.notes == (f"{len(smoke.pairs)} of {len(starter_pairs())} samples were sampled",)


def test_a_directory_of_parts_is_sampled_and_says_so(tmp_path):
    write_parts(tmp_path, disclosure_rows())
    ci = load("disclosure", str(tmp_path), "ci", 0)
    assert len(ci.prompts) == 20 * 18 * 5
    assert ci.name == str(tmp_path)
    assert "TANGO" in ci.statement
    assert ci.notes == ("1800 of 2250 prompts were sampled: 20 of 25 names, 5 of 5 identities, 18 of 18 forms",)
    assert len(load("disclosure", str(tmp_path), "full", 0).prompts) == 2250
    smoke = load("disclosure", str(tmp_path), "smoke", 0).prompts
    assert len({p.subject for p in smoke}) == len({p.frame for p in smoke}) == 12
    assert set(Counter((p.frame, p.subject) for p in smoke).values()) == {4}


def test_the_hubs_jsonl_gives_the_same_samples(tmp_path):
    write_parts(tmp_path / "parts", disclosure_rows())
    (tmp_path / "hub").mkdir()
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in reversed(disclosure_rows())]
    (tmp_path / "hub" / "disclosure.jsonl").write_text("\n".join(lines) + "\n")
    for scale in ("smoke", "ci", "full"):
        one, other = (load("disclosure", str(tmp_path / kind), scale, 1) for kind in ("parts", "hub"))
        assert one.prompts == other.prompts
        assert one.sha256 != other.sha256


def test_rows_that_lack_are_told_in_the_notes(tmp_path):
    write_parts(tmp_path, disclosure_rows()[:-2])
    assert load("disclosure", str(tmp_path), "full", 0).notes == (
        "2 combinations of a name, identity and form have no prompt in these files",
    )


def test_pairs_of_a_directory_come_with_controls_and_notes(tmp_path):
    write_pairs(tmp_path, odd=2)
    data = load("winoqueer", str(tmp_path), "ci", 0)
    kinds = Counter(p.kind for p in data.pairs)
    assert kinds["stigma"] == 602
    assert min(kinds["neutral"], kinds["positive"]) >= 60
    assert "with our own control predicates" in data.statement
    assert data.notes == (
        f"{kinds['neutral'] + kinds['positive']} of {len(data.pairs)} pairs are our own control predicates in "
        "WinoQueer's frames",
        "the frame of 2 of 602 rows could not be recovered; all are kept",
    )
    smoke = load("winoqueer", str(tmp_path), "smoke", 0)
    assert {p.frame for p in smoke.pairs} == {"all X P"}
    assert len({p.predicate for p in smoke.pairs if p.kind == "stigma" and p.identity == "NB"}) == 12


@pytest.mark.skipif(not OFFICIAL.is_file(), reason=f"{OFFICIAL} is not there")
def test_official_means_fetched_and_verified(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path))
    shutil.copy(OFFICIAL, tmp_path)
    data = load("misgendering", "official", "ci", 0)
    assert (data.name, data.licence, len(data.prompts)) == ("official", "CC BY-SA 4.0", 2880)
    with (tmp_path / OFFICIAL.name).open("a") as stream:
        stream.write("12,rowan,distal,he,rowan lost his key.\n")
    with pytest.raises(DataError, match="is not the file that upstream holds"):
        load("misgendering", "official", "ci", 0)
    # A directory may hold what it likes; its hash tells.
    changed = load("misgendering", str(tmp_path), "ci", 0)
    assert len(changed.prompts) == 2881
    assert changed.sha256 != data.sha256


def test_what_is_not_fetched_is_told_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=r"winoqueer_final\.csv: not fetched .*`rootfruit data fetch winoqueer_final\.csv`"
    ):
        load("winoqueer", "official", "ci", 0)
    with pytest.raises(DataError, match=r"fetch part_1_.* part_8_gender_disclosure_prompts\.csv`"):
        load("disclosure", "official", "ci", 0)


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (lambda data: load("winoqueer", data, "ci", 0), r"holds none of winoqueer_final\.csv; add it"),
        (
            lambda data: load("misgendering", data, "ci", 0),
            r"holds none of misgendering_prompts\.csv or misgendering\.jsonl; add it",
        ),
        (
            lambda data: load("disclosure", data, "ci", 0),
            r"holds none of part_1_.*, part_8_.* or disclosure\.jsonl",
        ),
    ],
)
def test_an_empty_directory_is_told_what_was_looked_for(tmp_path, load, told):
    with pytest.raises(DataError, match=told):
        load(str(tmp_path))


def test_a_part_that_lacks_is_named(tmp_path):
    write_parts(tmp_path, disclosure_rows())
    (tmp_path / SETS[0][4]).unlink()
    with pytest.raises(DataError, match=r"lacks part_5_gender_disclosure_prompts\.csv"):
        load("disclosure", str(tmp_path), "ci", 0)


def test_wrong_words_are_told(tmp_path):
    with pytest.raises(DataError, match="neither starter nor official, and there is no such directory"):
        load("winoqueer", str(tmp_path / "none"), "ci", 0)
    with pytest.raises(DataError, match="'tiny' is not one of"):
        load("winoqueer", "starter", "tiny", 0)
    with pytest.raises(DataError, match="'nonsense' is not a benchmark; there are winoqueer, disclosure, misgendering"):
        load("nonsense", "starter", "ci", 0)


def test_every_identity_of_the_starter_set_is_in_a_group():
    for benchmark, samples in (
        ("winoqueer", starter_pairs()),
        ("disclosure", starter_disclosure()),
        ("misgendering", starter_misgendering()),
    ):
        assert {s.identity for s in samples} <= groups().known(benchmark)
