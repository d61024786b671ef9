"""A model is asked whether it is causal, and how it may be continued; the answer is that of plain transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
import zoo

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Prompt, Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf import probes
from rootfruit_checks.engines.hf.engine import HFEngine

PROMPTS = [Prompt(str(place), text, "zoo", "", "", "") for place, text in enumerate(zoo.PROMPTS)]
GREEDY = Sampling(temperature=0, max_new_tokens=zoo.STEPS, batch_size=len(PROMPTS))
LLAMA = zoo.ZOO["llama"]
SEES_LATER = [name for name, entry in zoo.ZOO.items() if entry.why == "not causal"]


class Kept(dict):
    def begin(self, what, total):
        pass

    def put(self, key, value):
        self[key] = value


# -- causal ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("name", ["bert", "llama_both_ways", "gemma3_both_ways", "paligemma"])
def test_a_model_that_sees_later_tokens_is_refused(tmp_path, name, batch_size, dtype):
    zoo.build(zoo.ZOO[name], tmp_path)
    kept = Kept()
    for use, asked in ((score, [zoo.TEXTS]), (generate, [PROMPTS, GREEDY])):
        with pytest.raises(EngineError, match="the model is not causal"):
            use(HFEngine(tmp_path, batch_size=batch_size, dtype=dtype), *asked, kept)
        assert not kept, "something was kept of a model that is refused"


def test_there_are_several_kinds_of_them():
    assert len(SEES_LATER) >= 8


def test_one_that_sees_later_tokens_of_long_texts_only_is_refused_by_the_texts_themselves(tmp_path):
    zoo.build(LLAMA, tmp_path)
    engine = HFEngine(tmp_path)
    model = engine.loaded().model
    forward = model.forward

    def looking_ahead(input_ids=None, **options):
        model.model.config.is_causal = input_ids.shape[1] <= 24
        return forward(input_ids=input_ids, **options)

    model.forward = looking_ahead
    score(engine, zoo.TEXTS[:3])
    with pytest.raises(EngineError, match="not causal: the scores of a text's first"):
        score(engine, zoo.TEXTS)


def test_one_that_does_not_repeat_itself_is_refused(tmp_path, monkeypatch):
    zoo.build(LLAMA, tmp_path)
    plain = probes.plain
    monkeypatch.setattr(probes, "plain", lambda *given: plain(*given) + torch.rand(1))
    monkeypatch.setattr(torch.Tensor, "log_softmax", lambda self, _: self)
    with pytest.raises(EngineError, match="is not deterministic"):
        score(HFEngine(tmp_path), zoo.TEXTS)


def test_one_that_cannot_run_is_an_error_of_one_line(tmp_path):
    """As XLM's forward pass, which asserts what it is given."""
    zoo.build(LLAMA, tmp_path)
    source = transformers.LlamaForCausalLM.forward

    def asserts(self, *_, **__):
        raise AssertionError

    transformers.LlamaForCausalLM.forward = asserts
    try:
        for use in (lambda engine: score(engine, zoo.TEXTS), lambda engine: generate(engine, PROMPTS, GREEDY)):
            with pytest.raises(EngineError, match=r"cannot score a text \(AssertionError: no reason given\)"):
                use(HFEngine(tmp_path))
    finally:
        transformers.LlamaForCausalLM.forward = source


def test_a_model_of_few_positions_is_asked_a_short_text(tmp_path):
    zoo.build(zoo.Entry("GPT2Config", {"n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 8}), tmp_path)
    assert len(score(HFEngine(tmp_path), ["Kai is here."])) == 1


# -- beside others -----------------------------------------------------------------------------------------------------


def test_where_padding_moves_the_scores_sentences_are_scored_alone(tmp_path):
    zoo.build(LLAMA, tmp_path)
    engine = HFEngine(tmp_path, batch_size=8)
    want = score(HFEngine(tmp_path), zoo.TEXTS)
    model = engine.loaded().model
    forward = model.forward

    def disturbed(input_ids=None, **options):
        answer = forward(input_ids=input_ids, **options)
        answer.logits[:, :, 5] += len(input_ids) - 1
        return answer

    model.forward = disturbed
    kept = Kept()
    found = score(engine, zoo.TEXTS, kept)
    why = "flat (one sentence at a time: scored in a batch the log-probs differed by "
    assert engine.record["scoring"].startswith(why)
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-3)
    again = HFEngine(tmp_path, batch_size=8)
    score(again, zoo.TEXTS, kept)
    assert again._model is None
    assert again.record["scoring"] == engine.record["scoring"]


# -- continuing --------------------------------------------------------------------------------------------------------


def deaf_to_padding(forward):
    def changed(input_ids=None, attention_mask=None, position_ids=None, **options):
        return forward(input_ids=input_ids, **options)

    return changed


def without_cache(forward):
    def changed(input_ids=None, past_key_values=None, use_cache=None, **options):
        return transformers.modeling_outputs.CausalLMOutput(logits=forward(input_ids=input_ids, **options).logits)

    return changed


def disturbed_by_others(forward):
    def changed(input_ids=None, **options):
        answer = forward(input_ids=input_ids, **options)
        answer.logits[:, :, 5] += 50.0 * (len(input_ids) - 1)
        return answer

    return changed


@pytest.mark.parametrize(
    ("fault", "way"), [(deaf_to_padding, "cached"), (without_cache, "recomputed"), (disturbed_by_others, "alone")]
)
def test_what_a_model_cannot_take_is_not_asked_of_it(tmp_path, fault, way):
    zoo.build(LLAMA, tmp_path)
    sound = HFEngine(tmp_path)
    want = generate(sound, PROMPTS, GREEDY)
    assert sound.loaded().way == "padded"
    engine = HFEngine(tmp_path)
    model = engine.loaded().model
    model.forward = fault(model.forward)
    twice = [*PROMPTS, *(Prompt(f"{prompt.id} again", prompt.text, "zoo", "", "", "") for prompt in PROMPTS)]
    drawn = generate(engine, twice, Sampling(temperature=0, max_new_tokens=zoo.STEPS, batch_size=len(twice)))
    assert engine.loaded().way == way
    assert [one.text for one in drawn] == [one.text for one in want] * 2


def test_prompts_beyond_a_window_are_not_padded(tmp_path, monkeypatch):
    zoo.build(zoo.ZOO["mistral_window"], tmp_path)
    engine = HFEngine(tmp_path)
    widths = []
    made = probes.Stepper.__init__

    def noted(self, model, rows, **options):
        widths.append([len(row) for row in rows])
        made(self, model, rows, **options)

    assert engine.loaded().way == "padded"
    monkeypatch.setattr(probes.Stepper, "__init__", noted)
    generate(engine, PROMPTS, GREEDY)
    assert len(widths) == len(PROMPTS), "prompts of several lengths shared a batch"


# -- half precision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "granite", "cohere2", "gemma2_window", "mixtral", "lfm2", "gemma3"])
def test_in_half_precision_the_head_answers_in_float32(tmp_path, name):
    zoo.build(zoo.ZOO[name], tmp_path)
    engine = HFEngine(tmp_path, dtype="bfloat16", batch_size=1)
    scores = score(engine, zoo.TEXTS)
    plain = engine.loaded().model.__class__.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    head = plain.get_output_embeddings()
    # A head of its own, so that tied embeddings stay as they are.
    exact = Exact(*head.weight.T.shape, bias=False)
    exact.weight.data = head.weight.detach().float()
    plain.set_output_embeddings(exact)
    for text, one in zip(zoo.TEXTS, scores, strict=True):
        ids = [1, *engine.tokenizer(text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            logits = plain(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
        assert logits.dtype == torch.float32
        want = logits.double().log_softmax(-1)[range(len(ids) - 1), ids[1:]].numpy()
        if zoo.ZOO[name].path == "flat":
            np.testing.assert_allclose(one.logprobs, want, atol=1e-3)
        else:
            assert np.abs(one.logprobs - want).mean() < 0.1


class Exact(torch.nn.Linear):
    def forward(self, hidden):
        return super().forward(hidden.float())
