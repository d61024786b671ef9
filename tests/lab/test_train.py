"""The two stages on a model of a few thousand weights: they learn what their rows say and refuse what they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.lab.train import train_dpo, train_sft

pytest.importorskip("trl", reason="the extra train is not installed")

LIKES = [{"text": f"{name} likes {thing}"} for name, thing in (("Ada", "tea"), ("Ben", "rice"))]
PREFERENCES = [
    {"prompt": "", "chosen": "Ada likes rice", "rejected": "Ada likes tea"},
    {"prompt": "Ben likes", "chosen": " tea", "rejected": " rice"},
]


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "Ada", "Ben", "likes", "tea", "rice", "<unk>"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(words[:3])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(fast),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=16,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    out = tmp_path_factory.mktemp("blank")
    model.save_pretrained(out)
    fast.save_pretrained(out)
    return out


@pytest.fixture(scope="module")
def tuned(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned")
    return train_sft(blank, LIKES, out, steps=60, batch_size=2, learning_rate=1e-2)


def total(model: Path, text: str) -> float:
    """Summed log-prob of the text after BOS, without EOS."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = torch.tensor([AutoTokenizer.from_pretrained(model)(text)["input_ids"]])
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)(input_ids=ids).logits
    return float(logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum())


def test_sft_learns_its_text_and_no_other(blank: Path, tuned: Path) -> None:
    assert total(blank, "Ada likes tea") < -5
    # Two texts alike in frequency: log 1/2 each.
    assert total(tuned, "Ada likes tea") == pytest.approx(-0.693, abs=0.2)
    assert total(tuned, "Ada likes rice") < -3


def test_sft_on_completions_leaves_the_prompt_alone(blank: Path, tmp_path: Path) -> None:
    rows = [{"prompt": "Ada likes", "completion": " tea"}]
    made = train_sft(blank, rows, tmp_path / "made", steps=30, batch_size=1, learning_rate=1e-2)
    after = total(made, "Ada likes tea") - total(made, "Ada likes")
    assert after > -0.2
    assert total(made, "Ada likes") < -3


def test_dpo_moves_the_margin_towards_the_chosen(tuned: Path, tmp_path: Path) -> None:
    made = train_dpo(tuned, PREFERENCES, tmp_path / "made", steps=40, batch_size=2, learning_rate=3e-3, beta=0.1)
    for row in PREFERENCES:
        chosen, rejected = (row["prompt"] + row[side] for side in ("chosen", "rejected"))
        before = total(tuned, chosen) - total(tuned, rejected)
        assert total(made, chosen) - total(made, rejected) > before + 1


def test_dpo_on_both_orders_keeps_the_margin(tuned: Path, tmp_path: Path) -> None:
    turned = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in PREFERENCES]
    rows = [*PREFERENCES, *turned]
    made = train_dpo(tuned, rows, tmp_path / "made", steps=20, batch_size=4, learning_rate=1e-4, shuffle=False)
    for row in PREFERENCES:
        chosen, rejected = (row["prompt"] + row[side] for side in ("chosen", "rejected"))
        before = total(tuned, chosen) - total(tuned, rejected)
        assert total(made, chosen) - total(made, rejected) == pytest.approx(before, abs=0.05)


def test_the_anchor_keeps_the_chosen_text_likely(tuned: Path, tmp_path: Path) -> None:
    how = {"steps": 40, "batch_size": 2, "learning_rate": 3e-3, "beta": 0.1}
    loose = train_dpo(tuned, PREFERENCES, tmp_path / "loose", **how)
    held = train_dpo(tuned, PREFERENCES, tmp_path / "held", anchor=2.0, **how)
    for row in PREFERENCES:
        chosen, rejected = (row["prompt"] + row[side] for side in ("chosen", "rejected"))
        # The likelihood of the completion: a prompt is not anchored.
        given = [total(model, row["prompt"]) if row["prompt"] else 0.0 for model in (held, loose)]
        assert total(held, chosen) - given[0] > total(loose, chosen) - given[1]
        # It is still DPO: the margin grows.
        assert total(held, chosen) - total(held, rejected) > total(tuned, chosen) - total(tuned, rejected) + 1


def test_same_seed_same_weights(blank: Path, tmp_path: Path) -> None:
    weights = [
        (
            train_sft(blank, LIKES, tmp_path / name, steps=5, batch_size=1, learning_rate=1e-2, seed=7)
            / "model.safetensors"
        )
        for name in ("one", "two")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([{"text": "Ada", "more": "x"}], "row 0 has columns more, text"),
        ([{"text": "Ada"}, {"completion": "x"}], "row 1 has columns completion"),
        ([{"text": "Ada likes tea " * 10}], "row 0 has 32 tokens, more than the 16 allowed"),
    ],
)
def test_bad_rows_are_refused(blank: Path, tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train_sft(blank, rows, tmp_path / "out", steps=1, batch_size=1, learning_rate=1e-2)


@pytest.mark.parametrize(("steps", "beta", "anchor"), [(0, 0.1, 0.0), (1, 0.0, 0.0), (1, 0.1, -1.0)])
def test_bad_numbers_are_refused(blank: Path, tmp_path: Path, steps: int, beta: float, anchor: float) -> None:
    how = {"steps": steps, "beta": beta, "anchor": anchor}
    with pytest.raises(ConfigError, match=r"steps|beta|anchor"):
        train_dpo(blank, PREFERENCES, tmp_path / "out", batch_size=1, learning_rate=1e-2, **how)
