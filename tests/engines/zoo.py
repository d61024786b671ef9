"""Architectures of transformers as tiny random models: reads the table zoo.toml and builds what stands in it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = (
    "Kai is here.",
    "They are my friend.",
    "They are my friend and they sing.",
    "They are my neighbour.",
    "He is a doctor.",
    "The people who live here are kind, and they are my friends; they sing, they dance and they read all day long.",
    "The people who live here are kind, and she is my neighbour; he reads.",
    "Kai",
)
# Of different lengths, so that a batch mixes them; some are longer than the windows in the table.
PROMPTS = (
    "Kai",
    "They are my friend",
    "The people who live here are kind, and they are my friends",
    "She is a doctor, and",
)
STEPS = 6


@dataclass(frozen=True)
class Entry:
    """One architecture: a configuration class of transformers, its options, and what we do with it."""

    config: str
    options: dict[str, Any] = field(default_factory=dict)
    path: str = "tree"
    why: str = ""
    way: str = "padded"
    model: str = "AutoModelForCausalLM"


def _options(value: Any, groups: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    own = {key: _options(part, groups) for key, part in value.items() if key != "base"}
    return {key: part for name in value.get("base", []) for key, part in groups[name].items()} | own


def _read() -> tuple[dict[str, Any], dict[str, Entry]]:
    table = tomllib.loads(Path(__file__).with_name("zoo.toml").read_text(encoding="utf-8"))
    groups = table["groups"]
    entries = {
        name: Entry(**{**row, "options": _options(row.get("options", {}), groups)})
        for section in table["zoo"].values()
        for name, row in section.items()
    }
    return groups, entries


GROUPS, ZOO = _read()
DENSE = GROUPS["dense"]


@cache
def tokenizer() -> Any:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def build(entry: Entry, folder: Any) -> Any:
    """Save the entry's model, and the tokenizer, in a folder; return the model."""
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "vocab_size": len(tokenizer())}
    options = dict(entry.options)
    if "text_config" in options:
        options["text_config"] = {**special, **options["text_config"]}
    else:
        options = {**special, **options}
    config = getattr(transformers, entry.config)(**options)
    torch.manual_seed(0)
    auto = getattr(transformers, entry.model)
    model = (auto.from_config if entry.model.startswith("Auto") else auto)(config)
    _spread(model)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return model.eval()


def _spread(model: Any) -> None:
    """Give weights a scale at which answers differ clearly: fresh ones give nearly uniform answers."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=draw)
            if weight.dim() > 1:
                scale = 4 if "embed" in name or "head" in name or "wte" in name else 1.2
                weight.copy_(noise * weight.shape[-1] ** -0.5 * scale)
            elif name.endswith("bias"):
                weight.copy_(noise * 0.3)
