"""Concordance against brute force, DeLong's textbook variance and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfruit_checks.stats.concordance import concordance
from rootfruit_checks.stats.exact import unseen_share

pytestmark = pytest.mark.filterwarnings("error")


def rows(seed: int, stigma: int, control: int, cells: int = 5, keep: float = 0.7, lift: float = 0.0, digits: int = 1):
    """Margins with an effect of the predicate and of the cell; not every predicate is in every cell."""
    rng = np.random.default_rng(seed)
    predicate = np.tile(np.arange(stigma + control), cells)
    cell = np.repeat(np.arange(cells), stigma + control)
    kept = rng.random(len(cell)) < keep
    kept[: stigma + control] = True
    is_stigma = predicate < stigma
    margins = rng.normal(size=stigma + control)[predicate] + 3 * rng.normal(size=cells)[cell] + lift * is_stigma
    margins = np.round(margins + rng.normal(size=len(cell)), digits)
    return tuple(part[kept] for part in (margins, is_stigma, cell.astype(str), np.char.add("p", predicate.astype(str))))


def brute(margins, is_stigma, cell, predicate, tie=0.0):
    """Estimate and linearised DeLong variance by loops over pairs of rows."""
    wins, comparisons = {}, {}
    for i in np.flatnonzero(is_stigma):
        for j in np.flatnonzero(~is_stigma):
            if cell[i] != cell[j]:
                continue
            gap = margins[i] - margins[j]
            key = (predicate[i], predicate[j])
            wins[key] = wins.get(key, 0.0) + (0.5 if abs(gap) <= tie else float(gap > 0))
            comparisons[key] = comparisons.get(key, 0) + 1
    total = sum(comparisons.values())
    theta = sum(wins.values()) / total
    variance = 0.0
    for side in (0, 1):
        scores = {}
        for key, count in comparisons.items():
            scores[key[side]] = scores.get(key[side], 0.0) + wins[key] - theta * count
        variance += len(scores) / (len(scores) - 1) * sum(score**2 for score in scores.values()) / total**2
    return theta, math.sqrt(variance)


def freedom(data):
    """Predicates counted by the comparisons that each takes part in, on the smaller side."""
    _, is_stigma, cell, predicate = data
    counts = []
    for side in (True, False):
        sizes = {}
        for one, where, name in zip(is_stigma, cell, predicate, strict=True):
            if one == side:
                sizes[name] = sizes.get(name, 0) + sum((is_stigma != side) & (cell == where))
        squares = [size**2 for size in sizes.values()]
        counts.append(sum(squares) ** 2 / sum(square**2 for square in squares))
    return min(counts) - 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tie", [0.0, 0.15])
def test_equals_brute_force(seed, tie):
    data = rows(seed, 18, 12)
    found = concordance(*data, tie=tie)
    assert (found.estimate, found.se) == pytest.approx(brute(*data, tie=tie))
    assert found.clusters == (18, 12)
    assert found.method == "t"
    assert found.df == pytest.approx(freedom(data))


def test_one_cell_gives_delongs_variance():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.4, 1, 25), rng.normal(0, 1, 20)
    kernel = (x[:, None] > y).astype(float)
    expected = kernel.mean(axis=1).var(ddof=1) / 25 + kernel.mean(axis=0).var(ddof=1) / 20
    labels = np.arange(45).astype(str)
    found = concordance(np.concatenate([x, y]), labels.astype(int) < 25, np.zeros(45), labels)
    assert found.se**2 == pytest.approx(expected)
    assert found.estimate == pytest.approx(kernel.mean())


def test_several_rows_of_one_predicate_in_a_cell():
    margins, is_stigma, cell, predicate = rows(3, 12, 11, cells=3)
    doubled = [np.concatenate([part, part[::2]]) for part in (margins, is_stigma, cell, predicate)]
    doubled[0] = doubled[0] + np.linspace(0, 0.5, len(doubled[0]))
    found = concordance(*doubled)
    assert (found.estimate, found.se) == pytest.approx(brute(*doubled))


def test_pieces_of_a_large_cell_add_up(monkeypatch):
    data = rows(4, 40, 35, cells=2)
    whole = concordance(*data)
    monkeypatch.setattr("rootfruit_checks.stats.concordance._CHUNK", 70)
    assert concordance(*data) == whole


def test_a_shift_of_a_whole_cell_changes_nothing():
    # The identity word alone got likelier: every margin of the cell moves, and nothing is concluded from it.
    margins, is_stigma, cell, predicate = rows(5, 40, 40)
    moved = margins + np.where(cell == "1", 50.0, 0.0)
    assert concordance(moved, is_stigma, cell, predicate) == concordance(margins, is_stigma, cell, predicate)


@pytest.mark.parametrize(("lift", "expected"), [(0.0, 0.5), (2.0, 0.76)])
def test_planted_lift_is_found(lift, expected):
    # Both margins have variance 2, so that P(s > c) = Phi(lift / 2), tie-free up to rounding; Phi(0.7071) = 0.76.
    found = concordance(*rows(6, 150, 150, keep=1.0, lift=lift / math.sqrt(2), digits=9))
    assert found.estimate == pytest.approx(expected, abs=4 * found.se)
    assert found.method == "bootstrap"
    assert found.low < found.estimate < found.high


def test_all_ties_are_one_half_with_an_exact_bound():
    margins, is_stigma, cell, predicate = rows(7, 60, 40)
    found = concordance(np.zeros_like(margins), is_stigma, cell, predicate)
    assert found.method == "exact"
    assert found.estimate == 0.5
    assert found.high == pytest.approx(0.5 + 0.5 * unseen_share(40, 0.05))


def test_full_separation_keeps_a_width():
    margins, is_stigma, cell, predicate = rows(8, 40, 40)
    found = concordance(margins + 1000 * is_stigma, is_stigma, cell, predicate)
    assert found.estimate == found.high == 1.0
    assert found.low == pytest.approx(1 - unseen_share(40, 0.05))


def test_too_few_control_predicates_are_refused_by_name():
    found = concordance(*rows(9, 40, 9))
    assert found.refused
    assert "control predicate has 9" in found.note
    assert math.isnan(found.high)


@pytest.mark.parametrize("side", [True, False])
def test_one_side_missing_is_a_refusal(side):
    margins, is_stigma, cell, predicate = rows(9, 20, 20)
    found = concordance(margins, np.full_like(is_stigma, side), cell, predicate)
    assert found.refused
    assert found.note.startswith("there are no rows with a")


def test_no_shared_cell_is_a_refusal():
    margins, is_stigma, _, predicate = rows(9, 20, 20)
    found = concordance(margins, is_stigma, np.where(is_stigma, "left", "right"), predicate)
    assert found.refused
    assert "no cell" in found.note


def test_bad_margins_are_a_named_error():
    margins, is_stigma, cell, predicate = rows(9, 20, 20)
    margins[3] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        concordance(margins, is_stigma, cell, predicate)
    with pytest.raises(ValueError, match="the same length"):
        concordance(margins, is_stigma[:-1], cell, predicate)


seeds = st.integers(0, 10_000)
sizes = st.integers(10, 40)


@settings(max_examples=20, deadline=None)
@given(seeds, sizes, sizes)
def test_order_of_rows_does_not_matter(seed, stigma, control):
    data = rows(seed, stigma, control)
    order = np.random.default_rng(seed).permutation(len(data[0]))
    one, other = concordance(*data), concordance(*(part[order] for part in data))
    assert (one.estimate, one.low, one.high) == pytest.approx((other.estimate, other.low, other.high))


@settings(max_examples=20, deadline=None)
@given(seeds, sizes, sizes)
def test_a_change_of_sign_mirrors_at_one_half(seed, stigma, control):
    margins, *rest = rows(seed, stigma, control)
    one, other = concordance(margins, *rest), concordance(-margins, *rest)
    assert (1 - one.estimate, 1 - one.high, 1 - one.low) == pytest.approx((other.estimate, other.low, other.high))


@settings(max_examples=20, deadline=None)
@given(seeds, sizes, sizes, st.floats(0.01, 100))
def test_ranks_alone_count_so_beta_does_not(seed, stigma, control, beta):
    margins, *rest = rows(seed, stigma, control)
    assert concordance(margins * beta, *rest) == concordance(margins, *rest)


@settings(max_examples=20, deadline=None)
@given(seeds, sizes, sizes)
def test_copied_cells_are_no_new_information(seed, stigma, control):
    margins, is_stigma, cell, predicate = rows(seed, stigma, control)
    again = np.concatenate([cell, np.char.add("again", cell)])
    one = concordance(margins, is_stigma, cell, predicate)
    other = concordance(np.tile(margins, 2), np.tile(is_stigma, 2), again, np.tile(predicate, 2))
    assert (one.estimate, one.se, one.high) == pytest.approx((other.estimate, other.se, other.high))
