"""An adapter is on for the policy and off for the reference, over one set of weights, on every path of the engine."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from rootfruit_checks.base.errors import ConfigError, EngineError
from rootfruit_checks.base.types import Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.config.build import build, with_base
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data import load as loading
from rootfruit_checks.engines import quantized
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.factory import open_base, open_engine
from rootfruit_checks.engines.hf import adapter as adapters
from rootfruit_checks.engines.hf import engine as hf
from rootfruit_checks.engines.hf import tree_forward
from rootfruit_checks.engines.hf.adapter import AdapterEngine, base_name
from rootfruit_checks.engines.hf.causal_lm import check_finite, head_of
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.runs.measure import measure

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
PAIRS = starter_pairs()[:: len(starter_pairs()) // 12]
TEXTS = ["", *(text for pair in PAIRS for text in (pair.queer, pair.counterfactual))]
PROMPTS = starter_misgendering()[::397][:10]
# On these bases, adapters of each kind. Heads and embeddings are untied for them, since merging into a tied pair
# changes both (PEFT warns of it), and would be no twin of the adapter.
KINDS = {
    "attention": {"target_modules": ["q_proj", "v_proj"]},
    "every linear": {"target_modules": "all-linear"},
    "dora": {"target_modules": ["q_proj", "down_proj"], "use_dora": True},
    "head": {"target_modules": ["v_proj", "lm_head"]},
    "embeddings": {"target_modules": ["embed_tokens", "v_proj"]},
    "whole head": {"target_modules": ["v_proj"], "modules_to_save": ["lm_head"]},
    "whole embeddings": {"target_modules": ["v_proj"], "modules_to_save": ["embed_tokens"]},
    "tokens": {"target_modules": ["v_proj"], "trainable_token_indices": list(range(50, 400, 7))},
}
# PEFT warns where tied weights are adapted; transformers tells of its progress.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def load(path):
    return transformers.AutoModelForCausalLM.from_pretrained(path)


def copy_tokenizer(folder, source=BASE):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)


def untied(folder):
    model = load(BASE)
    head = model.lm_head.weight.detach().clone()
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(head + 0.01 * torch.randn_like(head))
    model.save_pretrained(folder)
    copy_tokenizer(folder)
    return folder


def lay(folder, base, scale=0.05, **options):
    """Save an adapter with random weights; return the PEFT model."""
    torch.manual_seed(1)
    model = peft.get_peft_model(load(base), peft.LoraConfig(r=4, task_type="CAUSAL_LM", **options))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return model


def train(folder):
    """Save an adapter trained for a few steps on the base; return the PEFT model."""
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(BASE)
    config = peft.LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj", "up_proj"])
    model = peft.get_peft_model(load(BASE), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    rows = [torch.tensor([[1, *tokenizer(text, add_special_tokens=False)["input_ids"]]]) for text in TEXTS[1:9]]
    losses = []
    for _ in range(6):
        for row in rows:
            loss = model(input_ids=row, labels=row).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss))
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.05, "the adapter learned nothing"
    model.save_pretrained(folder)
    return model


def merge(model, folder):
    model.merge_and_unload().save_pretrained(folder)
    copy_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    where = tmp_path_factory.mktemp("trained")
    return where / "adapter", merge(train(where / "adapter"), where / "merged"), BASE


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """So much of an adapter that even the likeliest words change."""
    where = tmp_path_factory.mktemp("loud")
    model = lay(where / "adapter", BASE, scale=0.3, target_modules="all-linear")
    return where / "adapter", merge(model, where / "merged"), BASE


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    where = tmp_path_factory.mktemp("kinds")
    base = untied(where / "base")
    made = {}

    def make(kind):
        if kind not in made:
            name = kind.replace(" ", "-")
            made[kind] = where / name, merge(lay(where / name, base, **KINDS[kind]), where / f"{name}-merged"), base
        return made[kind]

    return make


@pytest.fixture
def plain(trained):
    """A copy of the trained adapter that a test may damage."""

    def copied(where):
        return shutil.copytree(trained[0], where / "adapter")

    return copied


def total(engine):
    return np.array([answer.total for answer in score(engine, TEXTS)])


def same(one, other):
    return all(np.array_equal(a.logprobs, b.logprobs) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *((kind, "tree") for kind in ("trained", *KINDS)),
        *((kind, "flat") for kind in ("trained", "head", "embeddings")),
    ],
)
def test_scores_are_the_merged_models_and_the_plain_bases(kind, path, trained, kinds, monkeypatch):
    adapter, merged, base = trained if kind == "trained" else kinds(kind)
    if path == "flat":
        monkeypatch.setattr(tree_forward, "refusal", lambda *_, **__: "asked for")
    policy = AdapterEngine(adapter, base_name(adapter))
    reference = policy.base()
    found = total(policy)
    assert ("flat" in policy.record["scoring"]) == (path == "flat")
    np.testing.assert_allclose(found, total(HFEngine(merged)), atol=1e-4, rtol=0)
    assert same(score(reference, TEXTS), score(HFEngine(base), TEXTS)), "the reference is not the plain base"
    assert np.abs(found - total(reference)).max() > 0.1, "the adapter changes nothing here, so nothing was shown"
    # Switched on again, it is as before.
    np.testing.assert_array_equal(total(policy), found)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_continuations_are_the_merged_models_and_the_plain_bases(loud, temperature):
    adapter, merged, base = loud
    how = Sampling(temperature=temperature, max_new_tokens=12, batch_size=5)
    policy = AdapterEngine(adapter, base)
    reference = policy.base()
    written = [answer.text for answer in generate(policy, PROMPTS, how)]
    assert written == [answer.text for answer in generate(HFEngine(merged), PROMPTS, how)]
    unaligned = [answer.text for answer in generate(reference, PROMPTS, how)]
    assert unaligned == [answer.text for answer in generate(HFEngine(base), PROMPTS, how)]
    assert written != unaligned
    assert written == [answer.text for answer in generate(policy, PROMPTS, how)]


def test_the_reference_shares_the_units_of_the_base_by_itself(trained, tmp_path):
    adapter, merged, base = trained
    policy = AdapterEngine(adapter, base)
    assert policy.base().fingerprint == HFEngine(base).fingerprint
    assert len({policy.fingerprint, HFEngine(base).fingerprint, HFEngine(merged).fingerprint}) == 3
    other = shutil.copytree(adapter, tmp_path / "other")
    assert AdapterEngine(other, base).fingerprint == policy.fingerprint
    weights_with(lambda weights: {name: 2 * tensor for name, tensor in weights.items()})(other)
    assert AdapterEngine(other, base).fingerprint != policy.fingerprint, "the weights are no part of it"
    # Neither where the base lies, nor where the adapter does, is part of what it is; how it is laid in is.
    moved = shutil.copytree(adapter, tmp_path / "moved")
    config = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "elsewhere"}))
    assert AdapterEngine(moved, base).fingerprint == policy.fingerprint
    (moved / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 99}))
    assert AdapterEngine(moved, base).fingerprint != policy.fingerprint


# -- through the real run ----------------------------------------------------------------------------------------------


def settings(model, store, **options):
    return Settings(model=str(model), store=str(store), scale="smoke", benchmarks=("winoqueer",), **options)


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    """A run of a few pairs: what is shown of it does not depend on their number."""

    def few(*arguments):
        data = loading.load(*arguments)
        return replace(data, pairs=data.pairs[::40])

    monkeypatch.setattr("rootfruit_checks.runs.run.load", few)


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, and whether it is still in memory."""
    seen = []
    original = adapters.load_model

    def counted(path, *rest):
        loaded = original(path, *rest)
        seen.append((Path(path), weakref.ref(loaded.model)))
        return loaded

    monkeypatch.setattr(adapters, "load_model", counted)
    monkeypatch.setattr(hf, "load_model", counted)
    return seen


@pytest.mark.parametrize("reference", [None, "base"])
def test_a_run_loads_the_base_once_and_frees_it_at_the_end(trained, tmp_path, loads, reference):
    adapter, _, base = trained
    run = measure(settings(adapter, tmp_path, reference=reference))
    assert [path for path, _ in loads] == [base]
    gc.collect()
    assert loads[0][1]() is None, "the weights are still in memory"
    assert run.info.reference["path"] == "base of the adapter"
    assert run.info.policy["adapter"].startswith("LORA")
    assert set(run.frame("winoqueer")["role"]) == {"policy", "reference"}
    # The base named as a directory is the same reference: nothing is computed, nothing loaded.
    again = measure(settings(adapter, tmp_path, reference=str(base)))
    assert (again.computed, len(loads)) == (0, 1)
    np.testing.assert_array_equal(again.frame("winoqueer")["d_full"], run.frame("winoqueer")["d_full"])


def test_the_last_to_close_frees_the_weights(trained, loads):
    policy = AdapterEngine(trained[0], trained[2])
    reference = policy.base()
    before = total(policy)[:3]
    policy.close()
    gc.collect()
    assert loads[0][1]() is not None, "the reference would have to load again"
    score(reference, TEXTS[:3])
    assert len(loads) == 1
    reference.close()
    gc.collect()
    assert loads[0][1]() is None, "the weights are still in memory"
    # Opened again, all of it is there again, switched to the right side.
    score(reference, TEXTS[:3])
    np.testing.assert_array_equal(total(policy)[:3], before)
    assert len(loads) == 2


def test_another_reference_is_an_engine_of_its_own(trained, tmp_path, loads):
    adapter, _, base = trained
    measure(settings(adapter, tmp_path, reference=str(base.parent / "sft")))
    assert [path for path, _ in loads] == [base, base.parent / "sft"]


def test_an_adapter_without_effect_is_caught(trained, tmp_path):
    dead = tmp_path / "dead"
    shutil.copytree(trained[0], dead)
    weights = load_file(dead / "adapter_model.safetensors")
    assert any("lora_B" in name for name in weights)
    weights = {name: torch.zeros_like(t) if "lora_B" in name else t for name, t in weights.items()}
    save_file(weights, dead / "adapter_model.safetensors")
    with pytest.raises(EngineError, match="adapter without effect"):
        measure(settings(dead, tmp_path / "store"))
    measure(settings(dead, tmp_path / "store", allow_same=True))


def test_absolute_ceilings_need_no_base_beside(trained, tmp_path):
    run = measure(settings(trained[0], tmp_path, absolute_only=True))
    assert run.info.reference is None
    assert set(run.frame("winoqueer")["role"]) == {"policy"}


# -- which is the reference, which is the base -------------------------------------------------------------------------


def test_an_adapter_brings_its_reference_early(trained, tmp_path, monkeypatch):
    adapter = str(trained[0])
    assert build({"model": adapter}).reference == "base"
    assert build({"model": adapter, "reference": "x"}).reference == "x"
    assert build({"model": adapter, "absolute_only": True}).reference is None
    assert build({"model": str(BASE)}).reference is None
    with pytest.raises(ConfigError, match=r"base means the base of an adapter, but --model .* is not an adapter"):
        build({"model": str(BASE), "reference": "base"})
    # A directory of that name is what is meant where the model has no base of its own.
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    assert with_base(Settings(model=str(BASE), reference="base")).reference_name == "base"
    assert with_base(Settings(model=adapter, reference="base")).reference_name == "base of the adapter"


def test_a_hub_model_that_is_no_adapter_has_no_base(monkeypatch):
    told = Settings(model="some/model", reference="base")
    monkeypatch.setattr("rootfruit_checks.engines.factory.resolve", lambda *_, **__: BASE)
    with pytest.raises(EngineError, match="is not an adapter"):
        open_base(HFEngine(BASE), told)


def test_the_base_lies_beside_the_adapter_or_as_it_is_named_or_on_the_hub(plain, tmp_path, monkeypatch):
    adapter = plain(tmp_path)

    def named(name, **more):
        config = json.loads((adapter / "adapter_config.json").read_text())
        config.update(base_model_name_or_path=name, **more)
        (adapter / "adapter_config.json").write_text(json.dumps(config))
        return base_name(adapter)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert named("models") == "models"
    (adapter / "models").mkdir()
    assert Path(named("models")) == adapter / "models"
    assert Path(named("../models")).resolve() == tmp_path / "models"
    assert named(str(BASE)) == str(BASE)
    assert named("owner/name") == "owner/name"
    assert named("owner/name", revision="abc") == "owner/name@abc"
    with pytest.raises(EngineError, match="base_model_name_or_path is missing or empty"):
        named(None)
    with pytest.raises(EngineError, match="is an adapter itself"):
        named(str(adapter))
    named("no-such-directory", revision=None)
    with pytest.raises(EngineError, match="whose base is no-such-directory: no such directory"):
        open_engine(str(adapter), Settings(model=str(adapter)))


# -- what cannot be run ------------------------------------------------------------------------------------------------


def config_with(**changes):
    def change(folder):
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))

    return change


def weights_with(change):
    def changed(folder):
        save_file(change(load_file(folder / "adapter_model.safetensors")), folder / "adapter_model.safetensors")

    return changed


def pickled(folder):
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()


def whole(folder):
    shutil.copy(BASE / "model.safetensors", folder)


def cut(folder):
    content = (folder / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(content[:-100])


def first(weights):
    return min(weights)


def without_first(weights):
    weights.pop(first(weights))
    return weights


BROKEN = {
    "pickle": (pickled, "pickled .adapter_model.bin.*--rootfruit-allow-pickle"),
    "no weights": (lambda f: (f / "adapter_model.safetensors").unlink(), "contains no adapter weights"),
    "not JSON": (lambda f: (f / "adapter_config.json").write_text("{"), "adapter_config.json: line 1: is not JSON"),
    "no kind": (config_with(peft_type=None), "names no peft_type"),
    "prompts": (config_with(peft_type="PREFIX_TUNING"), "type PREFIX_TUNING are not supported; merge it"),
    "task": (config_with(task_type="SEQ_CLS"), "task is SEQ_CLS"),
    "activated": (config_with(alora_invocation_tokens=[1, 2]), "activated LoRA"),
    "two models": (whole, "an adapter and a whole model"),
    "cut off": (cut, "bytes of tensors, but its header lists"),
    "another rank": (config_with(r=8), "cannot be added to its base"),
    "another base": (
        weights_with(lambda w: {n.replace("layers.1.", "layers.7."): t for n, t in w.items()}),
        "tensors differ between adapter_model.safetensors and what the configuration adds to the base",
    ),
    "a tensor short": (weights_with(without_first), "1 tensors differ between"),
    "a tensor more": (weights_with(lambda w: {**w, "base_model.model.x.lora_A.weight": torch.ones(1)}), "1 tensors"),
    "not finite": (weights_with(lambda w: {**w, first(w): w[first(w)] * torch.nan}), "values that are not finite"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_adapter_is_refused_in_one_line(plain, tmp_path, what):
    damage, told = BROKEN[what]
    folder = plain(tmp_path)
    damage(folder)
    with pytest.raises(EngineError, match=told) as caught:
        score(open_engine(str(folder), Settings(model=str(folder))), TEXTS[:3])
    assert "\n" not in str(caught.value)


def test_a_pickled_adapter_is_read_where_it_is_allowed(plain, tmp_path):
    folder = plain(tmp_path)
    safe = total(AdapterEngine(folder, BASE))
    pickled(folder)
    np.testing.assert_array_equal(total(AdapterEngine(folder, BASE, allow_pickle=True)), safe)


def test_without_peft_the_extra_is_named(trained, monkeypatch):
    monkeypatch.setattr(adapters.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r'pip install "rootfruit-checks\[adapter\]"'):
        AdapterEngine(trained[0], BASE)


def test_what_cannot_be_switched_off_is_no_reference(tmp_path):
    """Layers that the adapter stacks upon the base's own stay when it is off."""
    folder = tmp_path / "adapter"
    lay(folder, BASE, target_modules=["q_proj"], layer_replication=[[0, 2], [1, 2]])
    engine = AdapterEngine(folder, BASE)
    with pytest.raises(EngineError, match=r"with the adapter off the model is not its base.*--reference=PATH"):
        score(engine.base(), TEXTS[:3])
    assert np.abs(total(engine) - total(HFEngine(BASE))).max() > 0.1
    run = measure(settings(folder, tmp_path / "store", reference=str(BASE)))
    assert set(run.frame("winoqueer")["role"]) == {"policy", "reference"}


# -- quantized models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "library"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"load_in_8bit": True}, "bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4}, "gptqmodel"),
        ({"quant_method": "awq", "bits": 4}, "gptqmodel"),
    ],
)
def test_a_missing_quantization_library_is_named(tmp_path, monkeypatch, config, library):
    model = shutil.copytree(BASE, tmp_path / "model")
    whole = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**whole, "quantization_config": config}))
    found = quantized.importlib.util.find_spec
    monkeypatch.setattr(quantized.importlib.util, "find_spec", lambda name: None if name == library else found("numpy"))
    with pytest.raises(EngineError, match=f"quantized with .*, which needs {library}: pip install {library}$"):
        HFEngine(model)
    monkeypatch.setattr(quantized.importlib.util, "find_spec", lambda name: found("numpy"))
    assert HFEngine(model).record["quantization"] == config.get("quant_method", "bitsandbytes")


class Packed(torch.nn.Linear):
    """A head of eight bits, as the libraries keep it: the weight is integers, the forward pass scales them."""

    def __init__(self, plain):
        torch.nn.Module.__init__(self)
        self.scale = plain.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        packed = (plain.weight.detach() / self.scale).round().to(torch.int8)
        self.weight = torch.nn.Parameter(packed, requires_grad=False)
        self.bias = torch.nn.Parameter(torch.linspace(-1, 1, len(packed)), requires_grad=False)

    def forward(self, hidden):
        return torch.nn.functional.linear(hidden, self.weight * self.scale, self.bias)


def test_a_packed_head_is_read_off_from_its_answers():
    model = load(BASE)
    model.lm_head = head = Packed(model.lm_head)
    weight, bias = head_of(model, BASE)
    torch.testing.assert_close(weight, head.weight * head.scale, atol=1e-6, rtol=0)
    torch.testing.assert_close(bias, head.bias.detach())


def test_whole_numbers_are_finite_and_fractions_are_looked_at():
    check_finite(BASE, [("a", torch.ones(3, dtype=torch.int8)), ("b", torch.ones(2, dtype=torch.float8_e4m3fn))])
    with pytest.raises(EngineError, match="tensor b contains values that are not finite"):
        check_finite(BASE, [("a", torch.ones(3)), ("b", torch.tensor([1.0, torch.inf], dtype=torch.bfloat16))])
