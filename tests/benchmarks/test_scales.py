"""Samples keep whole matched cells and enough clusters, and depend on labels and seed alone."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registered import REGISTRY

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.benchmarks.disclosure.sampling import sample_disclosure
from rootfruit_checks.benchmarks.disclosure.starter import starter_disclosure
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.data.sampling import SCALES, diagonal, pick, sample_pairs, sample_prompts

FEWEST = 10  # clusters under which a bound is refused
SEEDS = range(6)
PAIRS, DISCLOSURE, MISGENDERING = cache(starter_pairs), cache(starter_disclosure), cache(starter_misgendering)
GATED = [(m.benchmark, g) for m in REGISTRY if m.gate == "ceiling" for g in m.groups]


def every():
    return (PAIRS(), sample_pairs), (DISCLOSURE(), sample_disclosure), (MISGENDERING(), sample_prompts)


def of(benchmark: str, samples, group: str):
    members = groups().members(benchmark, group)
    return [sample for sample in samples if sample.identity in members]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("group", [g for b, g in GATED if b == "winoqueer"])
def test_smoke_pairs_keep_enough_clusters(seed, group):
    kept = of("winoqueer", sample_pairs(PAIRS(), "smoke", seed), group)
    for kind in ("stigma", "neutral", "positive"):
        assert len({p.predicate for p in kept if p.kind == kind}) >= 12
    assert len({p.name for p in kept if p.kind == "stigma" and p.name}) >= FEWEST
    assert any(not p.name for p in kept)


@pytest.mark.parametrize("seed", SEEDS)
def test_smoke_pairs_keep_stigma_beside_its_controls(seed):
    kept = sample_pairs(PAIRS(), "smoke", seed)
    assert len(kept) < 2000
    kinds = defaultdict(set)
    for p in kept:
        kinds[p.frame, p.identity, p.counterpart].add(p.kind)
    assert all("stigma" in held and len(held) > 1 for held in kinds.values())
    # Every counterfactual of an identity gets the same sentences.
    said = defaultdict(set)
    for p in kept:
        said[p.identity, p.counterpart].add((p.frame, p.predicate, p.name))
    whole = defaultdict(set)
    for p in PAIRS():
        whole[p.identity].add(p.counterpart)
    for identity, others in whole.items():
        assert len({frozenset(said[identity, other]) for other in others}) == 1


def crossed_pairs() -> list[Pair]:
    """A frame crossed with 30 names, as in the official file, one without names and one that takes no controls."""
    out = []
    for identity, other in (("NB", "Cis"), ("Gay", "Straight")):
        for kind, predicate in [*(("stigma", f"s{i}") for i in range(40)), *(("neutral", f"n{i}") for i in range(30))]:
            for name in ["", *(f"N{i}" for i in range(30))] if kind == "stigma" else ["", "N0"]:
                at = f"{identity}-{predicate}-{name}"
                out.append(Pair(at, "x", "y", identity, other, kind, "named" if name else "plain", predicate, name))
        out += [
            Pair(f"{identity}-bare-{i}", "x", "y", identity, other, "stigma", "bare", "bare", f"N{i}")
            for i in range(30)
        ]
    return out


def test_smoke_thins_names_where_predicates_are_crossed_with_them():
    kept = sample_pairs(crossed_pairs(), "smoke", 0)
    assert {p.frame for p in kept} == {"named", "plain"}
    for identity in ("NB", "Gay"):
        named = [p for p in kept if p.identity == identity and p.frame == "named" and p.kind == "stigma"]
        assert len(named) == 24
        assert len({p.name for p in named}) >= FEWEST
        assert set(Counter(p.predicate for p in named).values()) == {2}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scale", SCALES)
def test_disclosure_samples_are_whole_cells_with_their_controls(scale, seed):
    kept = sample_disclosure(DISCLOSURE(), scale, seed)
    cells = defaultdict(set)
    for p in kept:
        cells[p.frame, p.subject].add(p.identity)
    every = {p.identity for p in kept}
    assert all(held == every for held in cells.values())
    assert of("disclosure", DISCLOSURE(), "binary")
    assert {p.identity for p in of("disclosure", DISCLOSURE(), "binary")} <= every
    for group in ("tgnb", "transgender", "nonbinary"):
        members = of("disclosure", kept, group)
        assert min(len({p.subject for p in members}), len({p.frame for p in members})) >= FEWEST


def test_disclosure_scales_have_the_stated_sizes():
    sizes = {scale: len(sample_disclosure(DISCLOSURE(), scale, 0)) for scale in SCALES}
    whole = len(DISCLOSURE())
    assert sizes == {"smoke": 12 * 6, "ci": 20 * 14 * 18, "paper": whole, "full": whole}
    ci = sample_disclosure(DISCLOSURE(), "ci", 0)
    assert [len({getattr(p, a) for p in ci}) for a in ("subject", "identity", "frame")] == [20, 14, 18]


def test_the_paper_design_is_90000_prompts_and_all_pairs():
    controls = groups().members("disclosure", "binary")[:2]
    others = groups().members("disclosure", "tgnb")[:54]
    wide = [
        Prompt(f"{f}-{n}-{i}", "x", "disclosure", i, f"f{f}", f"n{n}")
        for f in range(18)
        for n in range(110)
        for i in (*controls, *others)
    ]
    kept = sample_disclosure(wide, "paper", 0)
    assert len(kept) == 90_000
    assert [len({getattr(p, a) for p in kept}) for a in ("subject", "identity", "frame")] == [100, 50, 18]
    assert set(controls) < {p.identity for p in kept}
    assert sample_pairs(PAIRS(), "paper", 0) == sample_pairs(PAIRS(), "ci", 0) == PAIRS()


@pytest.mark.parametrize("seed", SEEDS)
def test_misgendering_smoke_is_sparse_and_whole(seed):
    kept = sample_prompts(MISGENDERING(), "smoke", seed)
    cells = defaultdict(set)
    for p in kept:
        cells[p.frame, p.subject].add(p.identity)
    assert len(cells) == 24
    assert {frozenset(held) for held in cells.values()} == {frozenset(p.identity for p in MISGENDERING())}
    assert len({f for f, _ in cells}) == len({s for _, s in cells}) == 12
    assert sample_prompts(MISGENDERING(), "ci", seed) == MISGENDERING()


@settings(max_examples=12, deadline=None)
@given(shuffle=st.integers(0, 10**6), seed=st.integers(0, 9))
def test_order_does_not_matter(shuffle, seed):
    for samples, sample in (
        (PAIRS(), sample_pairs),
        (DISCLOSURE(), sample_disclosure),
        (MISGENDERING(), sample_prompts),
    ):
        mixed = samples[:]
        random.Random(shuffle).shuffle(mixed)
        kept = sample(samples, "smoke", seed)
        assert {s.id for s in kept} == {s.id for s in sample(mixed, "smoke", seed)}
        # The given order is kept.
        chosen = {s.id for s in kept}
        assert kept == [s for s in samples if s.id in chosen]


def test_seeds_choose_differently():
    for samples, sample in (
        (PAIRS(), sample_pairs),
        (DISCLOSURE(), sample_disclosure),
        (MISGENDERING(), sample_prompts),
    ):
        assert len({frozenset(s.id for s in sample(samples, "smoke", seed)) for seed in SEEDS}) == len(SEEDS)


@given(st.sets(st.text(min_size=1)), st.integers(0, 12), st.integers(0, 3))
def test_pick_is_nested_and_exact(labels, count, seed):
    assert len(pick(labels, count, seed)) == min(count, len(labels))
    assert pick(labels, count, seed) == pick(sorted(labels) * 2, count + 1, seed)[:count]
    assert pick(labels, None, seed) == sorted(labels)


@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 3))
def test_a_diagonal_uses_every_label(rows, columns, width):
    cells = diagonal(list(map(str, range(rows))), list(map(str, range(columns))), width)
    assert len({a for a, _ in cells}) == rows
    assert len({b for _, b in cells}) == columns


def test_an_unknown_scale_and_missing_controls_are_refused():
    for sample in (sample_pairs, sample_prompts, sample_disclosure):
        with pytest.raises(DataError, match="'tiny' is not one of smoke, ci, paper, full"):
            sample([], "tiny", 0)
    with pytest.raises(DataError, match="no binary control"):
        sample_disclosure(of("disclosure", DISCLOSURE(), "tgnb"), "ci", 0)
