"""Pairs scored as the answer of a chat, against a twin that asks transformers for one whole sequence at a time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import Kept
from test_chat import TEMPLATE, Shown, with_template

from rootfruit_checks.base.errors import ConfigError, EngineError
from rootfruit_checks.config.build import build
from rootfruit_checks.data.load import load
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.chat.template import REQUEST, settle_scores
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.ray.engine import RayEngine
from rootfruit_checks.engines.served.engine import ServedEngine
from rootfruit_checks.engines.split_engine import PairEngine
from rootfruit_checks.engines.work_units import FORGET
from rootfruit_checks.observations.from_answers import observe_pairs
from rootfruit_checks.observations.pair_scores import score_pairs, shared_mask
from rootfruit_checks.runs.measure import compute_share, measure

MODELS = Path(__file__).resolve().parents[2] / "fixtures" / "models"
PAIRS = load("winoqueer", "starter", "smoke", 0).pairs[:12]
TURN = f"system: Be kind.\nuser: {REQUEST}\nassistant:"


def by_hand(engine, text, before):
    """Log-probs of the text's own tokens, from the logits of the whole sequence without any cache or tree."""
    first = engine.tokenizer(before, add_special_tokens=False)["input_ids"]
    own = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = engine.loaded().model(input_ids=torch.tensor([first + own]), use_cache=False).logits[0].double()
    chances = torch.log_softmax(logits, dim=-1)
    return np.array(own), np.array([float(chances[len(first) + i - 1, token]) for i, token in enumerate(own)])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return HFEngine(with_template(tmp_path_factory.mktemp("chat"), "dpo", TEMPLATE), block_tokens=64)


def test_the_sums_are_those_of_the_sentences_own_tokens_after_the_turn(engine):
    before, told = settle_scores("Be kind.", {"policy": engine})
    assert before == TURN
    assert REQUEST in told
    assert "Be kind." in told
    found, plain = (
        {
            (m.sample, name): getattr(m, name)
            for m in observe_pairs("policy", score_pairs(engine, PAIRS, FORGET, turn), "winoqueer")
            for name in ("d_full", "d_shared", "d_upstream")
        }
        for turn in (before, "")
    )
    for pair in PAIRS:
        (x, px), (y, py) = (by_hand(engine, text, TURN) for text in (pair.queer, pair.counterfactual))
        assert found[pair.id, "d_full"] == pytest.approx(px.sum() - py.sum(), abs=2e-3)
        in_x, in_y = shared_mask(x.astype(np.int32), y.astype(np.int32))
        assert found[pair.id, "d_shared"] == pytest.approx(px[in_x].sum() - py[in_y].sum(), abs=2e-3)
    gaps = [abs(found[key] - plain[key]) for key in plain]
    assert max(gaps) > 0.05, "the turn changed nothing, so that the twin shows nothing"


def test_tokens_are_those_of_plain_text_and_an_empty_text_has_none(engine):
    texts = [PAIRS[0].queer, "", "é 🙂", PAIRS[0].queer]
    turned, plain = score(engine, texts, before=TURN), score(engine, texts)
    assert [a.ids.tolist() for a in turned] == [b.ids.tolist() for b in plain]
    assert [len(a.logprobs) for a in turned] == [len(b.ids) for b in plain]
    assert turned[1].total == 0.0
    assert turned[0].logprobs.tolist() == turned[3].logprobs.tolist()


def test_the_flat_scorer_agrees(engine, monkeypatch):
    texts = [pair.queer for pair in PAIRS]
    tree = score(engine, texts, before=TURN)
    monkeypatch.setattr("rootfruit_checks.engines.hf.tree_forward.refusal", lambda *_, **__: "asked for by a test")
    flat = score(engine, texts, before=TURN)
    assert engine.record["scoring"].startswith("flat")
    for one, other in zip(tree, flat, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


def test_a_turn_that_begins_with_bos_gets_no_second_one(tmp_path):
    bos = HFEngine(MODELS / "base").tokenizer.bos_token
    engine = HFEngine(with_template(tmp_path, "base", bos + TEMPLATE))
    before, _ = settle_scores("", {"policy": engine})
    assert before == f"{bos}user: {REQUEST}\nassistant:"
    context = engine.context(before)
    assert context[0] == engine.tokenizer.bos_token_id
    assert context.count(engine.tokenizer.bos_token_id) == 1
    _, want = by_hand(engine, PAIRS[0].queer, before)
    assert score(engine, [PAIRS[0].queer], before=before)[0].logprobs == pytest.approx(want, abs=1e-3)


def test_units_never_meet_those_of_plain_text(engine):
    texts = [pair.queer for pair in PAIRS]
    keys = [{unit.key for unit in engine.plan_scores(texts, FORGET, before).units} for before in ("", TURN, TURN + " ")]
    assert all(keys)
    assert len(set().union(*keys)) == sum(map(len, keys))


def test_engines_over_the_same_plan_pass_the_turn_on(engine):
    texts = [pair.queer for pair in PAIRS]
    probed = Kept()  # so that none must ask the model
    want = [unit.key for unit in engine.plan_scores(texts, probed, TURN).units]
    ray = RayEngine(partial(HFEngine, engine.path, block_tokens=64))
    pair = PairEngine(scorer=engine, generator=HFEngine(MODELS / "base"))
    assert [unit.key for unit in ray.plan_scores(texts, probed, TURN).units] == want
    assert [unit.key for unit in pair.plan_scores(texts, probed, TURN).units] == want
    ray.close()


def test_an_over_long_sentence_is_refused_with_the_room_that_the_turn_leaves(engine):
    room = engine._longest - len(engine.context(TURN))
    word = engine.tokenizer.decode([engine.encode(["the"])[0][0]])
    fits = next(word * n for n in range(room, 0, -1) if len(engine.encode([word * n])[0]) == room)
    assert len(score(engine, [fits], before=TURN)[0].ids) == room
    with pytest.raises(EngineError, match=f"the model takes {room};"):
        score(engine, [fits + word], before=TURN)


def test_what_cannot_be_rendered_alike_is_refused():
    with pytest.raises(EngineError, match=r"the reference has no chat template.*drop it"):
        settle_scores("", {"policy": Shown("A"), "reference": Shown(None)})
    with pytest.raises(EngineError, match="different chat templates"):
        settle_scores("", {"policy": Shown("A"), "reference": Shown("B")})
    with pytest.raises(ConfigError, match=r"--rootfruit-chat-scores: servers do not expose"):
        build({"model": "http://127.0.0.1:9/v1#m", "chat_scores": True})
    with pytest.raises(EngineError, match="plain text only"):
        ServedEngine("http://127.0.0.1:9/v1", "m").plan_scores(["a"], FORGET, TURN)
    with pytest.raises(ConfigError, match="is for sentence pairs, but no selected benchmark has them"):
        build({"chat_scores": True, "benchmarks": "disclosure"})


def test_a_run_says_so_keeps_apart_from_plain_and_is_what_its_shard_computes(tmp_path):
    options = {
        "model": str(with_template(tmp_path, "dpo", TEMPLATE)),
        "reference": str(with_template(tmp_path, "base", TEMPLATE)),
        "benchmarks": "winoqueer",
        "scale": "smoke",
        "store": str(tmp_path / "store"),
    }
    plain = measure(build(options))
    assert "scores" not in plain.info.data
    chat = measure(build({**options, "chat_scores": True}))
    assert "as the answer to" in chat.info.data["scores"]
    assert chat.info.settings["chat_scores"] == "True"
    assert chat.computed, "chat scores were taken from the plain ones"
    values = [run.frame("winoqueer")["d_full"].to_numpy() for run in (plain, chat)]
    assert not np.allclose(*values)
    assert measure(build({**options, "chat_scores": True})).computed == 0
    shard = {**options, "chat_scores": True, "store": str(tmp_path / "shard")}
    compute_share(build({**shard, "shard": "1/1"}))
    joined = measure(build({**shard, "stored_only": True}))
    assert joined.computed == 0
    assert joined.frame("winoqueer")["d_full"].tolist() == values[1].tolist()


def test_a_run_of_a_model_without_template_says_what_to_do(tmp_path):
    options = {"model": str(MODELS / "dpo"), "reference": str(MODELS / "base"), "benchmarks": "winoqueer"}
    with pytest.raises(EngineError, match=r"--rootfruit-chat-scores: the policy has no chat template"):
        measure(build({**options, "scale": "smoke", "store": str(tmp_path), "chat_scores": True}))
