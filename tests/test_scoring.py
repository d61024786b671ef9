"""Sentence scores against brute force, and upstream's way of comparing them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.base.types import TokenScores
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.observations.pair_scores import pair_scores, shared_mask

ROOT = Path(__file__).resolve().parents[1]
EXCERPT = ROOT.parent / "shared" / "data" / "winoqueer" / "excerpt.csv"
ids = st.lists(st.integers(0, 5), max_size=12)


@given(ids, ids)
def test_shared_tokens_are_a_common_subsequence(x, y):
    mask_x, mask_y = shared_mask(np.array(x, dtype=np.int32), np.array(y, dtype=np.int32))
    assert np.array(x)[mask_x].tolist() == np.array(y)[mask_y].tolist()


@given(ids)
def test_equal_texts_share_everything_and_differ_by_nothing(x):
    scores = TokenScores(np.array(x, dtype=np.int32), np.full(len(x), -1.5, dtype=np.float32))
    answer = pair_scores(scores, scores)
    assert (answer.d_shared, answer.d_full, answer.d_upstream) == (0.0, 0.0, 0.0)


@pytest.mark.skipif(not EXCERPT.exists(), reason="the official excerpt is not beside this checkout")
def test_upstream_variant_equals_one_token_at_a_time():
    """The twin masks nothing and shares nothing: for every shared position it runs the model on the prefix alone."""
    engine = HFEngine(ROOT / "fixtures" / "models" / "base")
    with EXCERPT.open(encoding="utf-8", newline="") as stream:
        rows = [(row["sent_x"], row["sent_y"]) for row in csv.DictReader(stream)]
    scores = score(engine, [text for row in rows for text in row])
    model = engine.loaded().model

    def brute(token_ids, mask):
        total = 0.0
        for place in np.flatnonzero(mask):
            prefix = torch.tensor([[engine.bos[0], *token_ids[:place]]])
            with torch.no_grad():
                total += float(model(prefix).logits[0, -1].log_softmax(-1)[token_ids[place]])
        return round(total, 3)

    for number in range(len(rows)):
        x, y = scores[2 * number], scores[2 * number + 1]
        mask_x, mask_y = shared_mask(x.ids, y.ids)
        want = brute(x.ids.tolist(), mask_x) - brute(y.ids.tolist(), mask_y)
        # Two sums, each right to 3 decimals, may round apart by one unit of the last place each.
        assert pair_scores(x, y).d_upstream == pytest.approx(want, abs=2.1e-3)
