"""The tree gives the flat answer for every family that takes its mask, and is not used where it would not."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.hf import flat_batches, prefix_tree
from rootfruit_checks.engines.hf.engine import HFEngine

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
SMALL = {**SIZES, "num_key_value_heads": 2, "max_position_embeddings": 64}
FAMILIES = {
    "llama": ("LlamaConfig", SMALL),
    "mistral": ("MistralConfig", {**SMALL, "sliding_window": 48}),
    "gpt_neox": ("GPTNeoXConfig", {**SIZES, "max_position_embeddings": 64}),
    "gpt2": ("GPT2Config", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}),
    "qwen2": ("Qwen2Config", SMALL),
    "qwen3": ("Qwen3Config", {**SMALL, "head_dim": 8}),
    "gemma": ("GemmaConfig", {**SMALL, "head_dim": 8}),
    "gemma2": ("Gemma2Config", {**SMALL, "head_dim": 8, "sliding_window": 48}),
    "gemma3": ("Gemma3TextConfig", {**SMALL, "head_dim": 8, "sliding_window": 48}),
}
FALLS_BACK = {
    "bloom": ("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4}, "ALiBi"),
    "mamba": ("MambaConfig", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, "recurrent"),
    "short_window": ("MistralConfig", {**SMALL, "sliding_window": 6}, "window of 6 is shorter"),
}
PAIRS = starter_pairs()[:: len(starter_pairs()) // 150]
TEXTS = [text for pair in PAIRS for text in (pair.queer, pair.counterfactual)]


@functools.cache
def tokenizer():
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")


def build(folder, config_name, options, seed=0, **special):
    torch.manual_seed(seed)
    words = tokenizer()
    config = getattr(transformers, config_name)(vocab_size=len(words), bos_token_id=0, eos_token_id=1, **options)
    model = transformers.AutoModelForCausalLM.from_config(config)
    # Random weights of the usual scale give nearly uniform answers, which would hide a wrong mask.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tree_equals_the_flat_answer(tmp_path, family):
    engine = HFEngine(build(tmp_path, *FAMILIES[family]), block_tokens=96)
    tree = score(engine, TEXTS)
    assert engine.record["scoring"] == "prefix tree"
    assert engine.stats["computed"] < engine.stats["deduplicated"] <= engine.stats["flat"]
    units = flat_batches.plan([one.ids.tolist() for one in tree], engine.bos[0], 32)
    want = flat_batches.read(units, {unit.key: engine.run_task(unit.task) for unit in units})
    worst = max(float(np.abs(one.logprobs - want[tuple(one.ids.tolist())]).max()) for one in tree)
    assert worst < 1e-3
    # The answers differ among sentences, so that agreement means something.
    assert np.std([one.total for one in tree]) > 1


@pytest.mark.parametrize("family", FALLS_BACK)
def test_a_family_that_cannot_take_the_mask_falls_back(tmp_path, family):
    name, options, why = FALLS_BACK[family]
    engine = HFEngine(build(tmp_path, name, options), batch_size=16)
    scores = score(engine, TEXTS[:40])
    assert engine.record["scoring"].startswith("flat (")
    assert why in engine.record["scoring"]
    for text, one in list(zip(TEXTS, scores, strict=False))[:5]:
        ids = [0, *tokenizer()(text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            logits = engine.loaded().model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()
        want = logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]]
        np.testing.assert_allclose(one.logprobs, want.numpy(), atol=1e-3)


def test_an_unknown_disagreement_is_found_by_the_probe(tmp_path, monkeypatch):
    from rootfruit_checks.engines.hf import tree_forward

    engine = HFEngine(build(tmp_path, *FAMILIES["llama"]))
    right = tree_forward.run_block
    monkeypatch.setattr(tree_forward, "run_block", lambda model, block: right(model, block) + 0.01)
    score(engine, TEXTS[:20])
    assert engine.record["scoring"].startswith("flat (on a probe the tree differed by 0.01")


def test_answers_come_in_request_order_and_empty_text_has_no_tokens(tmp_path):
    engine = HFEngine(build(tmp_path, *FAMILIES["llama"]))
    texts = ["", TEXTS[3], TEXTS[0], TEXTS[3], "\u00fc\u4e2d\U0001f33f"]
    scores = score(engine, texts)
    assert len(scores[0].ids) == 0
    assert scores[0].total == 0.0
    np.testing.assert_array_equal(scores[1].logprobs, scores[3].logprobs)
    assert scores[1].total != scores[2].total
    assert score(engine, []) == []


def test_an_over_long_text_is_refused_not_cut(tmp_path):
    engine = HFEngine(build(tmp_path, *FAMILIES["llama"]))
    with pytest.raises(EngineError, match="the model takes 63"):
        score(engine, ["word " * 200])


class Kept:
    def __init__(self, held=None):
        self.held = dict(held or {})
        self.put_now = []

    def begin(self, what, total):
        pass

    def get(self, key):
        return self.held.get(key)

    def put(self, key, value):
        self.held[key] = value
        self.put_now.append(key)


def test_stored_blocks_are_not_computed_again(tmp_path):
    folder = build(tmp_path, *FAMILIES["llama"])
    first = Kept()
    want = score(HFEngine(folder, block_tokens=96), TEXTS, first)
    lost = sorted(first.held)[::3]
    second = Kept({key: value for key, value in first.held.items() if key not in lost})
    again = score(HFEngine(folder, block_tokens=96), TEXTS, second)
    assert sorted(second.put_now) == lost
    for a, b in zip(want, again, strict=True):
        np.testing.assert_array_equal(a.logprobs, b.logprobs)
    third = HFEngine(folder, block_tokens=96)
    score(third, TEXTS, Kept(first.held))
    assert third._model is None, "weights were loaded although every unit was stored"


sequences = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=25)


@given(sequences, st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_every_node_is_scored_once_by_its_own_ancestors(rows, budget):
    tree = prefix_tree.build(rows, 0)
    blocks = prefix_tree.pack(tree, budget)
    scored = np.concatenate([block.nodes for block in blocks])
    assert sorted(scored.tolist()) == list(range(1, len(tree.tokens)))
    for block in blocks:
        seen = block.visible()
        for source, target, node in zip(block.sources, block.targets, block.nodes, strict=True):
            # What the source row sees, in order of depth, is the prefix before the node; brute force by walking up.
            want, up = [], int(tree.parents[node])
            while up >= 0:
                want.append(int(tree.tokens[up]))
                up = int(tree.parents[up])
            rows_seen = np.flatnonzero(seen[source])
            order = rows_seen[np.argsort(block.depths[rows_seen])]
            assert block.tokens[order].tolist() == want[::-1]
            assert block.depths[order].tolist() == list(range(len(want)))
            assert target == tree.tokens[node]
    for row, path in zip(rows, tree.paths, strict=True):
        assert tree.tokens[path].tolist() == row


@given(sequences, st.integers(8, 12), st.randoms())
@settings(max_examples=50, deadline=None)
def test_order_and_repetition_of_requests_change_no_block(rows, budget, random):
    keys = [block.key for block in prefix_tree.pack(prefix_tree.build(rows, 0), budget)]
    shuffled = [*rows, *rows[:3]]
    random.shuffle(shuffled)
    assert [block.key for block in prefix_tree.pack(prefix_tree.build(shuffled, 0), budget)] == keys
