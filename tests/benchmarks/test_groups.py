import csv
from pathlib import Path

import pytest
from registered import REGISTRY

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.catalog.identity_groups import check, groups, known, members, read_groups, section
from rootfruit_checks.catalog.pronoun_families import FAMILIES

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def test_every_gated_group_of_the_registry_exists() -> None:
    for measure in REGISTRY:
        for group in measure.groups:
            assert members(measure.benchmark, group), (measure.id, group)


def test_named_groups() -> None:
    assert members("winoqueer", "nonbinary") == ("NB",)
    assert len(members("winoqueer", "all")) == 9
    assert set(members("misgendering", "neo")) | {"he", "she", "they"} == set(FAMILIES)
    assert set(members("misgendering", "binary")) == {"he", "she"}
    tgnb = set(members("disclosure", "tgnb"))
    assert tgnb >= set(members("disclosure", "transgender")) | set(members("disclosure", "nonbinary"))
    assert not tgnb & set(members("disclosure", "binary"))
    assert not set(members("disclosure", "transgender")) & set(members("disclosure", "nonbinary"))


def test_each_identity_is_a_group_and_a_clash_gets_a_suffix() -> None:
    assert members("disclosure", "transgender man") == members("disclosure", "transgender-man") == ("transgender man",)
    assert members("disclosure", "transgender-only") == ("transgender",)
    assert members("winoqueer", "lgbtq") == ("LGBTQ",)
    for benchmark in ("winoqueer", "disclosure", "misgendering"):
        alone = {found[0] for name in groups().names(benchmark) if len(found := members(benchmark, name)) == 1}
        assert alone == known(benchmark)


def test_no_two_groups_hold_the_same_people() -> None:
    """`nb` beside `nonbinary` would be one check under two names."""
    for benchmark in ("winoqueer", "disclosure", "misgendering"):
        held = [frozenset(members(benchmark, name)) for name in groups().names(benchmark)]
        assert len(set(held)) == len(held), benchmark
    assert "nb" not in groups().names("winoqueer")


@pytest.mark.parametrize("spelled", ["genderfluid", "Gender Fluid", "gender-fluid", "GENDERFLUID"])
def test_check_forgives_spelling_and_answers_ours(spelled: str) -> None:
    assert check("disclosure", spelled) == "genderfluid"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: check("winoqueer", "Nobody"), r"'Nobody'; add it to .* in rootfruit_checks\.benchmarks\.winoqueer$"),
        (lambda: members("winoqueer", "nobody"), "has no group 'nobody'; it has all, transgender, nonbinary"),
        (lambda: known("other"), "there is no benchmark 'other'; there are winoqueer, disclosure, misgendering"),
    ],
)
def test_unknown_names_are_errors_that_say_where(call, told) -> None:
    with pytest.raises(DataError, match=told):
        call()


def test_official_files_are_covered() -> None:
    if not DATA.exists():
        pytest.skip("the shared data folder is not here")
    with (DATA / "tango" / "misgendering_prompts.csv").open(encoding="utf-8", newline="") as handle:
        families = {row["pronoun_family"] for row in csv.DictReader(handle)}
    with (DATA / "winoqueer" / "excerpt.csv").open(encoding="utf-8", newline="") as handle:
        labels = {row["Gender_ID_x"] for row in csv.DictReader(handle)}
    for family in families:
        assert check("misgendering", family) == family
    for label in labels:
        assert check("winoqueer", label) == label
    # Named in TANGO's own description.
    for gender in ("genderqueer", "nonbinary", "transmasc"):
        assert gender in known("disclosure")


def test_tango_forms_are_known() -> None:
    path = DATA / "tango" / "misgendering_prompts.csv"
    if not path.exists():
        pytest.skip("the shared data folder is not here")
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            words = {word.strip(".,").lower() for word in row["template"].split()}
            assert words & FAMILIES[row["pronoun_family"]].forms, row


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = [", "cannot be read as TOML"),
        ("a = 1", "list of identity labels"),
        ("a = []", "not empty"),
        ("a = [1]", "list of identity labels"),
        ('a = ["p", "P"]', "twice"),
        ('a = ["p q"]\nb = ["p-q"]', "also as"),
        ('a = ["+b"]\nb = ["p"]', "not a group above"),
        ('"A b" = ["p"]', "lower case"),
    ],
)
def test_bad_groups_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        section(read_groups(path), "here:")


def test_families_are_told_apart() -> None:
    forms = [(name, form) for name, family in FAMILIES.items() for form in family.forms]
    seen: dict[str, str] = {}
    for name, form in forms:
        assert form == form.lower()
        assert seen.setdefault(form, name) == name, f"{form} is in {seen[form]} and in {name}"
    assert [name for name, family in FAMILIES.items() if family.plural_verbs] == ["they"]
