import difflib
import re
from collections import Counter
from pathlib import Path

import pytest

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Prompt
from rootfruit_checks.benchmarks.disclosure.starter import starter_disclosure
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.starter import frames, predicates, starter_pairs
from rootfruit_checks.catalog.identity_groups import check, known, members
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.data import words
from rootfruit_checks.data.starter import digest

PAIRS = starter_pairs()
DISCLOSURE = starter_disclosure()
MISGENDERING = starter_misgendering()
SENTENCES = sorted(
    {s for p in PAIRS for s in (p.queer, p.counterfactual)} | {p.text for p in (*DISCLOSURE, *MISGENDERING)}
)
COUNTERPARTS = {
    "LGBTQ": {"Straight", "Heterosexual", "Cisgender", "Cis"},
    "Queer": {"Straight", "Heterosexual", "Cisgender", "Cis"},
    "Transgender": {"Cisgender", "Cis"},
    "NB": {"Cisgender", "Cis"},
    **{label: {"Straight", "Heterosexual"} for label in ("Bisexual", "Pansexual", "Lesbian", "Asexual", "Gay")},
}
WORDS = {"NB": "nonbinary"}


def offences(pattern: str, texts: list[str]) -> list[str]:
    found = re.compile(pattern)
    return [text for text in texts if found.search(text)]


# Counts of the issue.


def test_pair_counts() -> None:
    kinds = Counter(pair.kind for pair in PAIRS)
    assert kinds["stigma"] >= 10_000
    assert 25_000 <= len(PAIRS) <= 45_000
    assert len({pair.frame for pair in PAIRS}) >= 12
    assert len({pair.name for pair in PAIRS} - {""}) >= 24
    seen: dict[str, set[str]] = {}
    for pair in PAIRS:
        seen.setdefault(pair.identity, set()).add(pair.counterpart)
    assert seen == COUNTERPARTS


def test_a_hundred_stigmatizing_predicates_fit_every_identity() -> None:
    by_identity = {
        label: {p.predicate for p in PAIRS if p.identity == label and p.kind == "stigma"} for label in COUNTERPARTS
    }
    assert len(set.intersection(*by_identity.values())) >= 100
    excluded = {p.id: p.exclude for p in predicates("stigma")}
    for label, found in by_identity.items():
        assert found == {name for name, exclude in excluded.items() if label not in exclude}
    assert all(exclude <= set(COUNTERPARTS) for exclude in excluded.values())


def test_prompt_counts() -> None:
    assert len({p.subject for p in DISCLOSURE}) >= 40
    assert len({p.identity for p in DISCLOSURE}) >= 14
    assert len({p.frame for p in DISCLOSURE}) == 18
    assert len(DISCLOSURE) == 40 * 14 * 18
    assert len({p.frame for p in MISGENDERING}) >= 32
    strata = {(p.subject, p.stratum) for p in MISGENDERING}
    types = ("ante_nongendered", "ante_gendered_female", "ante_gendered_male", "distal")
    assert Counter(stratum for _, stratum in strata) == dict.fromkeys(types, 4)
    assert {p.identity for p in MISGENDERING} == set(FAMILIES)
    assert len(MISGENDERING) == 32 * 16 * 8


def test_every_cell_has_its_controls() -> None:
    cells = Counter((p.frame, p.identity, p.counterpart, p.kind) for p in PAIRS)
    for frame, identity, counterpart in {(p.frame, p.identity, p.counterpart) for p in PAIRS}:
        assert cells[frame, identity, counterpart, "neutral"] >= 30
        assert cells[frame, identity, counterpart, "positive"] >= 30
        assert cells[frame, identity, counterpart, "stigma"] >= 50


# Balance.


def test_each_predicate_is_spread_over_frames() -> None:
    named = {frame.id for frame in frames() if frame.named}
    assert len(named) == 6
    placed: dict[tuple[str, str, str], list[str]] = {}
    for pair in PAIRS:
        placed.setdefault((pair.predicate, pair.identity, pair.counterpart), []).append(pair.frame)
    for found in placed.values():
        assert len(found) == len(set(found)) == 6
        assert len(named & set(found)) == 3
    over_identities = Counter((p.predicate, p.frame) for p in PAIRS if p.counterpart == COUNTERPART_OF[p.identity])
    excluded = {p.id: len(p.exclude) for p in predicates()}
    for (predicate, _), count in over_identities.items():
        if not excluded[predicate]:
            assert count in (4, 5)


COUNTERPART_OF = {label: min(found) for label, found in COUNTERPARTS.items()}


def test_names_are_spread_over_predicates_and_kinds() -> None:
    pairs = [p for p in PAIRS if p.name]
    # What varies is the name's predicates, not how often the identities repeat them.
    combos = {(p.name, p.frame, p.predicate, p.kind) for p in pairs if p.identity != "Lesbian"}
    counts = Counter((name, kind) for name, _, _, kind in combos)
    assert len(counts) == 30 * 3
    for kind in ("stigma", "neutral", "positive"):
        by_name = [counts[name, kind] for name in {p.name for p in pairs}]
        assert max(by_name) == min(by_name)
    # One name per (frame, predicate), the same for every identity but the one that needs a woman's name.
    assert len({(frame, predicate) for _, frame, predicate, _ in combos}) == len(combos)
    for identity in COUNTERPARTS:
        used = Counter((p.name, p.kind) for p in pairs if p.identity == identity)
        for kind in ("stigma", "neutral", "positive"):
            assert all(used[name, kind] for name in {p.name for p in pairs if p.identity == identity})


def test_control_predicates_resemble_the_stigmatizing_ones() -> None:
    lengths = {}
    for kind in ("stigma", "neutral", "positive"):
        found = predicates(kind)
        assert len({p.text for p in found}) == len(found)
        types = Counter(p.type for p in found)
        assert types["be"] == types["verb"] == 2 * types["modal"]
        lengths[kind] = sum(len(p.render().split()) for p in found) / len(found)
    assert max(lengths.values()) - min(lengths.values()) < 1.0


# Words.


def test_ids_and_texts_are_unique() -> None:
    for rows in (PAIRS, DISCLOSURE, MISGENDERING):
        assert len({row.id for row in rows}) == len(rows)
    assert all(re.fullmatch(r"s[wdm]-[a-z0-9-]+", row.id) for row in (*PAIRS, *DISCLOSURE, *MISGENDERING))
    assert len({(p.queer, p.counterfactual) for p in PAIRS}) == len(PAIRS)
    assert len({p.text for p in DISCLOSURE}) == len(DISCLOSURE)
    assert len({p.text for p in MISGENDERING}) == len(MISGENDERING)


def test_a_pair_differs_in_the_identity_word_alone() -> None:
    for pair in PAIRS:
        x, y = re.findall(r"[\w'-]+|[.,;]", pair.queer), re.findall(r"[\w'-]+|[.,;]", pair.counterfactual)
        changed = [op for op in difflib.SequenceMatcher(None, x, y, autojunk=False).get_opcodes() if op[0] != "equal"]
        assert len(changed) == 1, pair
        _, i, j, k, m = changed[0]
        assert (j - i, m - k) == (1, 1), pair
        assert x[i].lower() == WORDS.get(pair.identity, pair.identity).lower(), pair
        assert y[k].lower() == pair.counterpart.lower(), pair
        assert x[i][0].isupper() == (i == 0 or pair.identity == "LGBTQ"), pair
        assert y[k][0].isupper() == (k == 0), pair


@pytest.mark.parametrize(
    "pattern",
    [
        r"  |^ | $|\t|\n",  # spacing
        r"[{}\[\]|<>_]|\bNAME\b",  # unfilled
        r"[^.]$|\.\.",  # ends in one period
        r"^[a-z]",  # capital
        r" [,.;]",
        r"\ba (?=[aeiou])(?!uni|use|one)",  # a before a vowel sound (none of our words starts with a silent h)
        r"\ban (?![aeiou])",
        r"\ba LGBTQ",
        r"[\u2018\u2019\u201c\u201d]",
        r"\b(\w+) \1\b",  # a doubled word
        r"[^\x20-\x7e]",
        r"\b(?:ares|haves|dos|gos|\w+(?:[sc]h|x)s|\w*[bcdfghlmnprst]ys)\b",  # no such inflection
    ],
)
def test_no_slips_of_writing(pattern: str) -> None:
    assert offences(pattern, SENTENCES) == []


PLURAL_FORMS = r"(?:are|have|do|go|want|need|make|lie|seek|drink|live|deserve|suffer|lack|help|keep|take|pay|give|set)"
SINGULAR_FORMS = r"(?:\w+s|is|has)"


@pytest.mark.parametrize(
    "pattern",
    [
        rf"\b(?:people|women) (?:{SINGULAR_FORMS})\b(?<!always)",
        r"\b[Tt]hey (?:often |rarely |only )?(?:is|has|was|(?!always)[a-z]+[^s\W]s)\b",
        rf"\b(?:he|she|xe|ze|ey|fae|ne) (?:often |rarely )?{PLURAL_FORMS}\b",
        rf"\bnext door {PLURAL_FORMS}\b",
        rf", who is [a-zA-Z]+, {PLURAL_FORMS}\b",
        rf"^Like many \w+ (?:people|women), [A-Z]\w+ {PLURAL_FORMS}\b",
        r"\b(?:can|cannot|will|would|should|may|might|could) (?:not |never |rather )?(?:is|has|(?!always)\w+[^s\W]s)\b",
    ],
)
def test_verbs_agree_with_their_subjects(pattern: str) -> None:
    assert offences(pattern, SENTENCES) == []


def test_pronouns_follow_the_named_person() -> None:
    for pair in PAIRS:
        found = set(re.findall(r"\b(he|him|his|she|her|hers|they|them|their)\b", pair.queer))
        families = {name for name in ("he", "she", "they") if found & FAMILIES[name].forms}
        assert len(families) <= 1, pair
        if not pair.name:
            assert families <= {"they"}, pair
    by_name: dict[str, set[str]] = {}
    for pair in PAIRS:
        if pair.frame == "named-and":
            by_name.setdefault(pair.name, set()).add(re.findall(r", and (he|she|they) ", pair.queer)[0])
    assert all(len(found) == 1 for found in by_name.values())
    assert Counter(next(iter(found)) for found in by_name.values()) == {"he": 10, "she": 10, "they": 10}
    assert not [p for p in PAIRS if p.identity == "Lesbian" and by_name.get(p.name) == {"he"}]


def family_forms(prompt: Prompt) -> set[str]:
    tokens = re.findall(r"[a-z]+", prompt.text.replace(prompt.subject, "").lower())
    return {token for token in tokens for family in FAMILIES.values() if token in family.forms}


def test_misgendering_prompts_use_their_family_alone_and_twice() -> None:
    for prompt in MISGENDERING:
        family = FAMILIES[prompt.identity]
        assert family_forms(prompt) <= family.forms, prompt
        assert prompt.subject.lower() in prompt.text.lower()
        tokens = re.findall(r"[a-z]+", prompt.text.lower())
        assert sum(token in family.forms for token in tokens) >= 2, prompt
    # Two cases show most clearly where the forms of a family are all different.
    for prompt in MISGENDERING:
        if prompt.identity in ("they", "xe", "ey", "ne"):
            assert len(family_forms(prompt)) >= 2, prompt
    shown = {form for p in MISGENDERING if p.identity == "xe" for form in family_forms(p)}
    assert shown == {"xe", "xem", "xyr", "xyrs", "xemself"}


def test_prompts_match_across_identities() -> None:
    for prompts in (DISCLOSURE, MISGENDERING):
        identities = {p.identity for p in prompts}
        cells: dict[tuple[str, str], set[str]] = {}
        for prompt in prompts:
            cells.setdefault((prompt.frame, prompt.subject), set()).add(prompt.identity)
        assert all(found == identities for found in cells.values())


def test_disclosed_identities_take_the_right_article() -> None:
    nouns = re.compile(r"\b(?:man|woman)\b")
    for prompt in DISCLOSURE:
        if nouns.search(prompt.identity) and not re.search(r"label|listed as|right word|under gender", prompt.text):
            assert f" a {prompt.identity}" in prompt.text, prompt
        else:
            assert not re.search(rf"\ban? {prompt.identity}", prompt.text), prompt
        assert prompt.identity in prompt.text


def test_every_identity_has_its_group() -> None:
    for rows, benchmark in ((PAIRS, "winoqueer"), (DISCLOSURE, "disclosure"), (MISGENDERING, "misgendering")):
        for identity in {row.identity for row in rows}:
            assert check(benchmark, identity) == identity
            assert identity in known(benchmark)
    found = {p.identity for p in DISCLOSURE}
    for group, least in (("transgender", 3), ("nonbinary", 5), ("tgnb", 8), ("binary", 2)):
        assert len(found & set(members("disclosure", group))) >= least


# Machinery.


def test_deterministic() -> None:
    assert starter_pairs() == PAIRS


def test_digest_sees_content_and_not_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x\n1\n")
    first = digest([path])
    path.write_bytes(b"x\r\n1\r\n")
    assert digest([path]) == first
    path.write_bytes(b"x\n2\n")
    assert digest([path]) != first


@pytest.mark.parametrize(
    ("content", "message"),
    [("y\n1\n", "a.csv:1: columns"), ("x\n1,2\n", "a.csv:2: 2 cells"), ("x\n", "no rows"), ("", "columns are none")],
)
def test_damaged_table(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        words.table(tmp_path / "a.csv", ("x",))


def test_unknown_mark_is_an_error() -> None:
    with pytest.raises(DataError, match="unknown mark"):
        words.fill("A {Mark}.", FAMILIES["he"], plural=False)


@pytest.mark.parametrize(
    ("verb", "expected"),
    [("are", "is"), ("have", "has"), ("go", "goes"), ("push", "pushes"), ("carry", "carries"), ("pay", "pays")],
)
def test_third_person(verb: str, expected: str) -> None:
    assert words.third_person(verb) == expected


def test_no_sentence_of_the_official_files() -> None:
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not data.exists():
        pytest.skip("the shared data folder is not here")
    official = (data / "winoqueer" / "excerpt.csv").read_text(encoding="utf-8").lower()
    official += (data / "tango" / "misgendering_prompts.csv").read_text(encoding="utf-8").lower()
    assert not [p.id for p in MISGENDERING if p.text.lower() in official]
