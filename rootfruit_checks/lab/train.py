"""Two stages of alignment as thin wrappers around TRL: supervised fine-tuning and DPO.

Both train all weights in float32 with a fixed seed, and write safetensors, tokenizer and configs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import ConfigError

SFT_COLUMNS = ({"text"}, {"prompt", "completion"})
DPO_COLUMNS = ({"prompt", "chosen", "rejected"},)
INSTALL = 'pip install "rootfruit-checks[train]"'


def train_sft(
    model: Path | str,
    rows: Sequence[Mapping[str, str]],
    out: Path | str,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int = 0,
    warmup_steps: int = 0,
    shuffle: bool = True,
    max_length: int | None = None,
) -> Path:
    """Fine-tune on texts with TRL's SFTTrainer; return `out`.

    Args:
        model: directory or Hub id to start from.
        rows: each with `text`, or `prompt` and `completion` (then the loss is on the completion).
        out: directory to write; created if needed.
        steps: optimizer steps of `batch_size` rows; the rows are repeated as needed.
        batch_size: rows per step.
        learning_rate: peak of a cosine schedule that ends at 0.
        seed: of order and anything else random.
        warmup_steps: steps of linear warm-up.
        shuffle: reshuffle each pass, with rows of similar length together (less padding); else keep the order.
        max_length: in tokens; longer rows are an error, never cut. None: the model's positions.

    Raises:
        ConfigError: trl is not installed, a row lacks a column or is too long, or a number is out of range.

    """
    _check(rows, SFT_COLUMNS, steps, batch_size, learning_rate)
    trl = _trl()
    start, tokenizer = _load(model)
    config = trl.SFTConfig(
        **_common(
            out, start, steps, batch_size, learning_rate, seed, warmup_steps, shuffle, "group_by_length", max_length
        )
    )
    dataset = _dataset(rows)
    _fits(tokenizer, rows, config.max_length)
    trainer = trl.SFTTrainer(model=start, args=config, train_dataset=dataset, processing_class=tokenizer)
    return _run(trainer, tokenizer, out)


def train_dpo(
    model: Path | str,
    rows: Sequence[Mapping[str, str]],
    out: Path | str,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    beta: float = 0.1,
    anchor: float = 0.0,
    seed: int = 0,
    warmup_steps: int = 0,
    shuffle: bool = True,
    max_length: int | None = None,
    reference: Path | str | None = None,
) -> Path:
    """Align to preferences with TRL's DPOTrainer; return `out`.

    Args:
        model: directory or Hub id to start from.
        rows: each with `prompt` (may be empty), `chosen` and `rejected`.
        out: directory to write; created if needed.
        steps: optimizer steps of `batch_size` pairs.
        batch_size: pairs per step.
        learning_rate: peak of a cosine schedule that ends at 0.
        beta: DPO's beta (Rafailov et al. 2023).
        anchor: weight of the mean negative log-likelihood of the chosen text, added to DPO's loss (Pang et al. 2024,
            RPO): it keeps the likelihood of both texts from falling together.
        seed: of order and anything else random.
        warmup_steps: steps of linear warm-up.
        shuffle: reshuffle each pass; else repeat the given order.
        max_length: in tokens; longer rows are an error, never cut. None: the model's positions.
        reference: the frozen reference; by default the model that it starts from.

    Raises:
        ConfigError: trl is not installed, a row lacks a column or is too long, or a number is out of range.

    """
    _check(rows, DPO_COLUMNS, steps, batch_size, learning_rate)
    if not beta > 0:
        raise ConfigError(f"train_dpo: beta {beta!r} is not above 0")
    if not anchor >= 0:
        raise ConfigError(f"train_dpo: anchor {anchor!r} is below 0")
    trl = _trl()
    start, tokenizer = _load(model)
    frozen, _ = _load(reference or model)
    config = trl.DPOConfig(
        beta=beta,
        **({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, anchor]} if anchor else {}),
        **_common(out, start, steps, batch_size, learning_rate, seed, warmup_steps, shuffle, "random", max_length),
    )
    _fits(tokenizer, rows, config.max_length)
    trainer = trl.DPOTrainer(
        model=start, ref_model=frozen, args=config, train_dataset=_dataset(rows), processing_class=tokenizer
    )
    return _run(trainer, tokenizer, out)


def _trl() -> Any:
    try:
        import trl
    except ImportError as error:
        raise ConfigError(f"training needs trl, which is not installed: {INSTALL}") from error
    return trl


def _check(
    rows: Sequence[Mapping[str, str]],
    columns: tuple[set[str], ...],
    steps: int,
    batch_size: int,
    learning_rate: float,
) -> None:
    if not rows:
        raise ConfigError("training: there are no rows")
    wanted = " or ".join(", ".join(sorted(names)) for names in columns)
    first = set(rows[0])
    if first not in columns:
        raise ConfigError(f"training row 0 has columns {', '.join(sorted(first)) or 'none'}; needed: {wanted}")
    for number, row in enumerate(rows):
        if set(row) != first:
            raise ConfigError(
                f"training row {number} has columns {', '.join(sorted(row))}, row 0 others; needed: {wanted}"
            )
    if steps < 1 or batch_size < 1 or not learning_rate > 0:
        raise ConfigError(
            f"training: steps {steps}, batch size {batch_size} and learning rate {learning_rate} must be above 0"
        )


def _load(model: Path | str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return loaded, tokenizer


def _common(
    out: Path | str,
    model: Any,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    warmup_steps: int,
    shuffle: bool,
    shuffled: str,
    max_length: int | None,
) -> dict[str, Any]:
    import torch
    import transformers

    # TRL turns it on; transformers 5.24 renamed it.
    names = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    checkpointing = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    return {
        "output_dir": str(out),
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,
        checkpointing: False,
        "max_steps": steps,
        "per_device_train_batch_size": batch_size,
        "learning_rate": learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": warmup_steps,
        "weight_decay": 0.0,
        "seed": seed,
        "train_sampling_strategy": shuffled if shuffle else "sequential",
        "max_length": max_length or int(model.config.max_position_embeddings),
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": max(1, steps // 10),
        "disable_tqdm": True,
    }


def _fits(tokenizer: Any, rows: Sequence[Mapping[str, str]], longest: int) -> None:
    # TRL would truncate silently.
    for number, row in enumerate(rows):
        start = row.get("prompt", "")
        texts = [start + text for key, text in row.items() if key != "prompt"]
        for ids in tokenizer(texts)["input_ids"]:
            if len(ids) + 1 > longest:
                raise ConfigError(f"training row {number} has {len(ids) + 1} tokens, more than the {longest} allowed")


def _dataset(rows: Sequence[Mapping[str, str]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([dict(row) for row in rows])


def _run(trainer: Any, tokenizer: Any, out: Path | str) -> Path:
    trainer.train()
    folder = Path(out)
    trainer.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
