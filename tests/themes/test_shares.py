"""Shares of themes by group and model, against pandas and closed forms; quotes; people's codes over tags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.judges.themes.tagged import keep_codes, overridden, read_codes, tag_frame
from rootfruit_checks.judges.themes.tagger import LexiconTagger
from rootfruit_checks.metrics.theme_shares import QUOTES, quotes, shares
from rootfruit_checks.stats.clustered_mean import clustered_mean
from rootfruit_checks.store.store import Store

NAMES = [f"N{at}" for at in range(12)]
FORMS = [f"f{at}" for at in range(12)]


def planted(policy=0.7, reference=0.2, seed=1):
    rng = np.random.default_rng(seed)
    rows, tags = [], []
    for role, rate in (("policy", policy), ("reference", reference)):
        for name in NAMES:
            for form in FORMS:
                for draw in range(2):
                    rows.append((f"{name}-{form}", role, draw, "bigender", name, form, f"text {draw} {name}"))
                    tags.append(rng.random() < rate)
    frame = pd.DataFrame(rows, columns=["sample", "role", "draw", "identity", "subject", "frame", "text"])
    themes = np.zeros((len(rows), len(theme_ids())), dtype=bool)
    themes[:, 2] = tags
    return frame, themes


def line(found, theme="violence"):
    return next(one for one in found["themes"] if one["theme"] == theme)


def test_continuations_are_averaged_to_the_prompt_and_prompts_to_the_share():
    rows, themes = planted()
    found = shares(rows, themes, ["bigender"], alpha=0.05)
    assert found["prompts"] == 144
    by_role = rows.assign(tag=themes[:, 2]).groupby("role")["tag"].mean()
    told = line(found)
    assert told["policy"]["estimate"] == pytest.approx(by_role["policy"])
    assert told["change"]["estimate"] == pytest.approx(by_role["policy"] - by_role["reference"])
    assert told["change"]["low"] < 0.5 < told["change"]["high"]
    assert told["change"]["low"] > 0.3
    means = rows.assign(tag=themes[:, 2].astype(float)).query("role == 'policy'").groupby(
        ["sample", "subject", "frame"], as_index=False)["tag"].mean()  # fmt: skip
    twin = clustered_mean(means["tag"], [means["subject"], means["frame"]], value_range=(0.0, 1.0), resample=False)
    assert (told["policy"]["low"], told["policy"]["high"]) == pytest.approx((twin.low, twin.high))
    assert line(found, "neutral")["policy"]["estimate"] == 0.0


def test_the_change_changes_its_sign_with_the_models():
    rows, themes = planted()
    turned = rows.assign(role=rows["role"].map({"policy": "reference", "reference": "policy"}))
    a, b = (line(shares(one, themes, ["bigender"], alpha=0.05))["change"] for one in (rows, turned))
    assert a["estimate"] == pytest.approx(-b["estimate"])
    assert (a["low"], a["high"]) == pytest.approx((-b["high"], -b["low"]))


def test_without_a_reference_there_is_no_change_and_without_a_prompt_nothing():
    rows, themes = planted()
    mine = (rows["role"] == "policy").to_numpy()
    told = line(shares(rows[mine].reset_index(drop=True), themes[mine], ["bigender"], alpha=0.05))
    assert told["reference"] is None
    assert told["change"] is None
    assert shares(rows, themes, ["nobody"], alpha=0.05)["prompts"] == 0


def test_too_few_clusters_have_an_estimate_and_no_bounds():
    rows, themes = planted()
    few = rows["subject"].isin(NAMES[:5]).to_numpy()
    told = line(shares(rows[few].reset_index(drop=True), themes[few], ["bigender"], alpha=0.05))
    assert 0 < told["policy"]["estimate"] < 1
    assert told["policy"]["low"] is None


def test_quotes_are_of_the_policy_distinct_and_the_same_each_time():
    rows, themes = planted()
    found = quotes(rows, themes, ["bigender"])
    assert found == quotes(rows, themes, ["bigender"])
    assert len(found) == QUOTES
    assert len({one["text"] for one in found}) == QUOTES
    for one in found:
        held = rows[(rows["sample"] == one["sample"]) & (rows["text"] == one["text"]) & (rows["role"] == "policy")]
        assert themes[held.index, 2].any()


def test_what_most_coders_say_stands_in_place_of_the_tag_and_a_tie_leaves_it():
    tags = np.zeros((3, len(theme_ids())), dtype=bool)
    tags[:, 0] = True
    codes = {
        "a": {"one": ["violence"], "two": ["violence", "neutral"], "three": []},
        "b": {"one": [], "two": ["rejection"]},
    }
    found = overridden(["a", "b", "c"], tags, codes)
    assert [[theme for theme, there in zip(theme_ids(), row, strict=True) if there] for row in found] == [
        ["violence"], ["rejection"], ["rejection"],
    ]  # fmt: skip


def test_tags_are_kept_and_codes_replace_a_coders_earlier_ones(tmp_path):
    frame = pd.DataFrame(
        {
            "quantity": "regard", "sample": ["p1", "p2"], "role": "policy", "draw": 0, "identity": "bigender",
            "subject": "Ada", "frame": "f", "label": "neutral",
            "text": ["Ada was beaten in the street.", "Ada plays the guitar."],
        }
    )  # fmt: skip
    calls = []

    class Counting(LexiconTagger):
        def tag(self, texts, subjects):
            calls.append(list(texts))
            return super().tag(texts, subjects)

    with Store(tmp_path / "store") as store:
        first = tag_frame(Counting(), store, frame)
        again = tag_frame(Counting(), store, frame)
        assert len(calls) == 1
        assert (first.tags == again.tags).all()
        assert first.tags[:, theme_ids().index("violence")].tolist() == [True, False]
        item = first.rows["item"][0]
        keep_codes(store, {"kim": ({item: ["neutral"]}, [])})
        keep_codes(store, {"kim": ({item: ["rejection"]}, [])})
        assert read_codes(store, {item}) == {item: {"kim": ["rejection"]}}
        coded = tag_frame(LexiconTagger(), store, frame)
    assert [theme for theme, there in zip(theme_ids(), coded.themes[0], strict=True) if there] == ["rejection"]
    assert (coded.themes[1] == coded.tags[1]).all()
