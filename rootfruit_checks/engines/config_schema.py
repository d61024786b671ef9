"""Types of the keys that we read from a model directory's files. Other keys may have any type.

transformers reads the same files by its own rules and may still reject a key that has the right type here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Size = Annotated[int, Meta(ge=1, le=1 << 40)]
# -1 stands for "none" in some files.
Token = Annotated[int, Meta(ge=-1, le=1 << 31)]
Tokens = Token | list[Token] | None


class Quantization(Struct, frozen=True):
    """How the weights are quantized."""

    quant_method: str | None = None
    load_in_4bit: bool | None = None
    load_in_8bit: bool | None = None


class Text(Struct, frozen=True):
    """The keys of a language model, at the top level or in `text_config`."""

    model_type: str | UnsetType = UNSET
    vocab_size: Size | UnsetType = UNSET
    hidden_size: Size | None = None
    max_position_embeddings: Size | None = None
    n_positions: Size | None = None
    n_ctx: Size | None = None
    max_seq_len: Size | None = None
    sliding_window: Count | None = None
    use_sliding_window: bool | None = None
    alibi: bool | None = None
    is_causal: bool | None = None
    is_decoder: bool | None = None
    is_encoder_decoder: bool | None = None
    final_logit_softcapping: float | None = None
    bos_token_id: Tokens = None
    eos_token_id: Tokens = None
    pad_token_id: Tokens = None
    tie_word_embeddings: bool | None = None
    quantization_config: Quantization | None = None
    torch_dtype: str | None = None
    dtype: str | None = None


class ModelConfig(Text, frozen=True):
    """config.json."""

    architectures: list[str] | None = None
    text_config: Text | UnsetType = UNSET
    auto_map: dict[str, Any] | None = None


class GenerationConfig(Struct, frozen=True):
    """generation_config.json."""

    bos_token_id: Tokens = None
    eos_token_id: Tokens = None
    pad_token_id: Tokens = None


class NamedTemplate(Struct, frozen=True):
    """One of several chat templates."""

    name: str
    template: str


class TokenizerConfig(Struct, frozen=True):
    """tokenizer_config.json."""

    tokenizer_class: str | None = None
    chat_template: str | list[NamedTemplate] | dict[str, str] | None = None
    bos_token: str | dict[str, Any] | None = None
    eos_token: str | dict[str, Any] | None = None
    pad_token: str | dict[str, Any] | None = None
    unk_token: str | dict[str, Any] | None = None
    cls_token: str | dict[str, Any] | None = None
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None
    model_max_length: float | None = None
    auto_map: dict[str, Any] | None = None


class AdapterConfig(Struct, frozen=True):
    """adapter_config.json."""

    peft_type: str | None = None
    task_type: str | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None
    r: Size | None = None
    rank_pattern: dict[str, Size] | None = None
    alpha_pattern: dict[str, float] | None = None
    lora_alpha: float | None = None
    lora_dropout: float | None = None
    bias: str | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None
    fan_in_fan_out: bool | None = None
    target_modules: str | list[str] | None = None
    modules_to_save: list[str] | None = None
    trainable_token_indices: list[int] | dict[str, list[int]] | None = None
    alora_invocation_tokens: list[int] | None = None


class ClassifierConfig(Struct, frozen=True):
    """config.json of a sequence classifier."""

    id2label: dict[str, str] | None = None
    architectures: list[str] | None = None
    model_type: str | UnsetType = UNSET


class WeightIndex(Struct, frozen=True):
    """model.safetensors.index.json."""

    weight_map: dict[str, str]
    metadata: dict[str, Any] | None = None


class Tensor(Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor in the header of a safetensors file."""

    dtype: Literal[
        "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "I16", "U16", "F16", "BF16",
        "I32", "U32", "F32", "F64", "I64", "U64", "C64",
    ]  # fmt: skip
    shape: list[Count]
    data_offsets: tuple[Count, Count]
