"""Two thin stages over TRL: supervised fine-tuning and DPO, on one device, seeded, nothing reported anywhere."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import ConfigError

_QUIET: dict[str, Any] = {
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
    "dataloader_num_workers": 0,
}


def _open(source: str | Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _save(model: Any, source: str | Path, out: Path) -> Path:
    """Save the weights; the tokenizer's files are copied as they are, so that policy and reference share them."""
    model.save_pretrained(out)
    for file in Path(source).iterdir():
        if (file.is_file() and "token" in file.name) or file.name in {"merges.txt", "vocab.json", "chat_template.jinja"}:
            shutil.copy(file, out / file.name)
    return out


def train_sft(
    source: str | Path,
    texts: Sequence[str],
    out: str | Path,
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    warmup: float = 0.05,
    seed: int = 0,
) -> Path:
    """Fine-tune the model in `source` on whole texts (EOS appended) and save it to `out`.

    Raises:
        ConfigError: no texts.

    """
    if not texts:
        raise ConfigError("train_sft: no texts to train on")
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = _open(source)
    encoded = tokenizer(list(texts))["input_ids"]
    # Encoded here in one call: the trainer would do it row by row.
    rows = Dataset.from_dict({"input_ids": [[*ids, tokenizer.eos_token_id] for ids in encoded]})
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            max_steps=steps,
            per_device_train_batch_size=batch_size,
            learning_rate=learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=int(steps * warmup),
            max_length=None,
            packing=False,
            seed=seed,
            use_cpu=_on_cpu(),
            **_QUIET,
        )
        trainer = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
        trainer.train()
        return _save(trainer.model, source, Path(out))


def train_dpo(
    reference: str | Path,
    rows: Sequence[Mapping[str, str]],
    out: str | Path,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    beta: float = 0.1,
    seed: int = 0,
) -> Path:
    """Align the model in `reference` by DPO (Rafailov et al. 2023) on rows of prompt, chosen, rejected; save to `out`.

    Raises:
        ConfigError: no rows, or a row without one of the three fields.

    """
    fields = ("prompt", "chosen", "rejected")
    for number, row in enumerate(rows):
        missing = [name for name in fields if name not in row]
        if missing:
            raise ConfigError(f"train_dpo: row {number} lacks {', '.join(missing)}")
    if not rows:
        raise ConfigError("train_dpo: no preference rows to train on")
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = _open(reference)
    data = Dataset.from_dict({name: [row[name] for row in rows] for name in fields})
    with tempfile.TemporaryDirectory() as scratch:
        config = DPOConfig(
            output_dir=scratch,
            max_steps=steps,
            per_device_train_batch_size=batch_size,
            learning_rate=learning_rate,
            lr_scheduler_type="cosine",
            beta=beta,
            max_length=None,
            seed=seed,
            use_cpu=_on_cpu(),
            **_QUIET,
        )
        # A deep copy: a model made from a configuration has no name from which TRL could load the reference again.
        trainer = DPOTrainer(
            model=model,
            ref_model=copy.deepcopy(model),
            args=config,
            train_dataset=data,
            processing_class=tokenizer,
        )
        trainer.train()
        return _save(trainer.model, reference, Path(out))


def _on_cpu() -> bool:
    import torch

    return not torch.cuda.is_available()
