"""A model that does not use all of its weight file is refused, before and after its weights are read."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import pytest
import torch
import transformers
import zoo
from safetensors.torch import load_file, save_file

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.config.build import build as settings
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.hf import engine as hf
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.runs.measure import measure

LLAMA = ("LlamaConfig", zoo.DENSE)
GPT2 = ("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128})
MIXTRAL = zoo.ZOO["mixtral"]
WRAPPER = zoo.ZOO["gemma3"]
LATENT = zoo.ZOO["deepseek_v3"]


def config(folder, *path, **keys):
    """Change config.json; `path` leads to a part of it."""
    file = folder / "config.json"
    whole = json.loads(file.read_text())
    part = whole
    for key in path:
        part = part[key]
    part.update(keys)
    file.write_text(json.dumps(whole))


def tensors(folder, change):
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def more(**extra):
    return lambda folder: tensors(folder, lambda held: {**held, **extra})


def old_gpt2(folder):
    """As the first checkpoints are: no prefix, and the causal mask among the weights."""
    mask = {"h.0.attn.bias": torch.ones(128, 128).tril()[None, None], "h.0.attn.masked_bias": torch.tensor(-1e4)}
    tensors(folder, lambda held: {**{key.removeprefix("transformer."): one for key, one in held.items()}, **mask})


def copied_head(folder):
    tensors(folder, lambda held: {**held, "lm_head.weight": held["model.embed_tokens.weight"].clone()})


def drafting_layer(folder):
    """DeepSeek's checkpoints have a layer more that only drafts a second token."""
    names = ("eh_proj.weight", "enorm.weight", "self_attn.o_proj.weight")
    more(**{f"model.layers.2.{name}": torch.ones(2, 2) for name in names})(folder)


BIAS = "model.layers.0.self_attn.q_proj.bias"
# name: (configuration, options, what is done to the directory, the tensor that the error names)
REFUSED = {
    "mlp biases": (
        *("LlamaConfig", {**zoo.DENSE, "mlp_bias": True}),
        lambda f: config(f, mlp_bias=False),
        "down_proj.bias",
    ),
    "attention biases": (
        *("LlamaConfig", {**zoo.DENSE, "attention_bias": True}),
        lambda f: config(f, attention_bias=False),
        "self_attn.k_proj.bias",
    ),
    "a layer more": (*LLAMA, lambda f: config(f, num_hidden_layers=1), "model.layers.1."),
    "a layer less": (*LLAMA, lambda f: config(f, num_hidden_layers=3), "model.layers.2."),
    "a layer more of gpt2": (*GPT2, lambda f: config(f, n_layer=1), "h.1."),
    "a bias of the head": (*LLAMA, more(**{"lm_head.bias": torch.ones(320)}), "lm_head.bias"),
    "a norm of queries": (*LLAMA, more(**{"model.layers.0.self_attn.q_norm.weight": torch.ones(8)}), "q_norm"),
    "a bias in a layer that is said to draft": (
        *LLAMA,
        more(**{"model.layers.0.eh_proj.weight": torch.ones(2, 2), BIAS: torch.ones(32)}),
        "model.layers.0.",
    ),
    "a value head": (*LLAMA, more(**{"v_head.summary.weight": torch.ones(1, 32)}), "v_head"),
    "another size": (*LLAMA, lambda f: config(f, intermediate_size=40), "down_proj.weight has shape [32, 48]"),
    "other heads": (*LLAMA, lambda f: config(f, num_key_value_heads=4), "k_proj.weight has shape"),
    "fewer experts": (MIXTRAL.config, MIXTRAL.options, lambda f: config(f, num_local_experts=2), "experts"),
    "more experts": (MIXTRAL.config, MIXTRAL.options, lambda f: config(f, num_local_experts=6), "experts"),
    "a head that is tied": (*LLAMA, lambda f: config(f, tie_word_embeddings=True), "lm_head.weight"),
    "a head that is not tied": (
        *("LlamaConfig", {**zoo.DENSE, "tie_word_embeddings": True}),
        lambda f: config(f, tie_word_embeddings=False),
        "lm_head.weight",
    ),
    "norms of another family": (
        *("Gemma2Config", {**zoo.DENSE, "head_dim": 8}),
        lambda f: config(f, model_type="gemma", architectures=["GemmaForCausalLM"]),
        "feedforward_layernorm",
    ),
    "a layer more of a wrapper's text": (
        WRAPPER.config,
        WRAPPER.options,
        lambda f: config(f, "text_config", num_hidden_layers=1, layer_types=["sliding_attention"]),
        "layers.1.",
    ),
    "a layer more of latent attention": (
        LATENT.config,
        LATENT.options,
        lambda f: config(f, num_hidden_layers=1),
        "model.layers.1.",
    ),
}
HARMLESS = {
    "rotary tables": (*LLAMA, more(**{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})),
    "a bias of nothing": (*LLAMA, more(**{BIAS: torch.zeros(32)})),
    "a copy of a tied head": ("LlamaConfig", {**zoo.DENSE, "tie_word_embeddings": True}, copied_head),
    "the first checkpoints": (*GPT2, old_gpt2),
    "a tower of a wrapper": (*LLAMA, more(**{"vision_tower.patch.weight": torch.ones(2, 2)})),
    "a layer that drafts": (LATENT.config, LATENT.options, drafting_layer),
}


def made(folder, name, options):
    model = "AutoModelForCausalLM" if "vision_config" not in options else WRAPPER.model
    return zoo.build(zoo.Entry(name, options, model=model), folder)


@pytest.mark.parametrize("case", REFUSED)
def test_a_tensor_without_its_place_is_named(tmp_path, case):
    name, options, change, told = REFUSED[case]
    made(tmp_path, name, options)
    change(tmp_path)
    for use in (lambda engine: engine.check(), lambda engine: score(engine, zoo.TEXTS)):
        with pytest.raises(EngineError) as refusal:
            use(HFEngine(tmp_path))
        assert told in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("case", HARMLESS)
def test_a_tensor_that_changes_no_answer_may_stay(tmp_path, case):
    name, options, change = HARMLESS[case]
    made(tmp_path, name, options)
    want = score(HFEngine(tmp_path), zoo.TEXTS)
    change(tmp_path)
    engine = HFEngine(tmp_path)
    engine.check()
    for one, other in zip(score(engine, zoo.TEXTS), want, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)


def test_the_check_passes_what_loads_and_reads_no_weights(tmp_path):
    for place, name in enumerate(("llama", "mixtral", "gpt2", "gemma3", "mamba", "bloom")):
        zoo.build(zoo.ZOO[name], tmp_path / str(place))
        with mock.patch.object(hf, "load_model", side_effect=AssertionError("weights were loaded")):
            HFEngine(tmp_path / str(place)).check()


def test_a_reference_that_is_not_whole_is_known_before_the_policy_is_scored(tmp_path):
    made(tmp_path / "policy", *LLAMA)
    made(tmp_path / "reference", *LLAMA)
    config(tmp_path / "reference", num_hidden_layers=1)
    options = {
        "model": str(tmp_path / "policy"),
        "reference": str(tmp_path / "reference"),
        "store": str(tmp_path / "store"),
        "benchmarks": ("winoqueer",),
        "scale": "smoke",
    }
    with (
        mock.patch.object(hf, "load_model", side_effect=AssertionError("weights were loaded")),
        pytest.raises(EngineError, match=r"reference: 9 tensors, such as model\.layers\.1"),
    ):
        measure(settings(options))


def test_an_adapter_on_a_base_that_is_not_whole_is_refused(tmp_path):
    peft = pytest.importorskip("peft", reason="the extra adapter is not installed")
    from rootfruit_checks.engines.hf.adapter import AdapterEngine

    made(tmp_path / "base", *LLAMA)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    more(**{BIAS: torch.ones(32)})(tmp_path / "base")
    for engine in (policy := AdapterEngine(tmp_path / "adapter", tmp_path / "base"), policy.base()):
        with pytest.raises(EngineError, match=r"q_proj\.bias is in the weights and not used"):
            engine.check()
        with pytest.raises(EngineError, match=r"q_proj\.bias is in the weights and not used"):
            score(engine, zoo.TEXTS)
