"""Architectures of transformers, as tiny random models, and the path on which each is scored.

`path` is "tree", "flat" (with a part of the reason), or "refused" (with a part of the message). A new architecture is a
new line: `python tests/engines/zoo.py NAME ...` prints what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
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
# Of different lengths, so that a batch mixes them; one is longer than the windows below.
PROMPTS = (
    "Kai",
    "They are my friend",
    "The people who live here are kind, and they are my friends",
    "She is a doctor, and",
)
STEPS = 6

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
DENSE = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}


@dataclass(frozen=True)
class Entry:
    """One architecture: a configuration class of transformers, its options, and what we do with it."""

    config: str
    options: dict[str, Any] = field(default_factory=dict)
    path: str = "tree"
    why: str = ""
    way: str = "padded"
    model: str = "AutoModelForCausalLM"


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
    spread(model)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return model.eval()


def spread(model: Any) -> None:
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


ZOO = {
    # dense
    "llama": Entry("LlamaConfig", DENSE),
    "llama_biased": Entry("LlamaConfig", {**DENSE, "attention_bias": True, "mlp_bias": True}),
    "llama_tied": Entry("LlamaConfig", {**DENSE, "tie_word_embeddings": True}),
    "mistral": Entry("MistralConfig", {**DENSE, "sliding_window": 512}),
    "qwen2": Entry("Qwen2Config", DENSE),
    "qwen3": Entry("Qwen3Config", {**DENSE, "head_dim": 8}),
    "gemma": Entry("GemmaConfig", {**DENSE, "head_dim": 8}),
    "phi": Entry("PhiConfig", DENSE),
    "phi3": Entry("Phi3Config", {**DENSE, "pad_token_id": 0}),
    "stablelm": Entry("StableLmConfig", DENSE),
    "starcoder2": Entry("Starcoder2Config", DENSE),
    "olmo": Entry("OlmoConfig", DENSE),
    "olmo2": Entry("Olmo2Config", DENSE),
    "glm": Entry("GlmConfig", {**DENSE, "head_dim": 8}),
    "glm4": Entry("Glm4Config", {**DENSE, "head_dim": 8}),
    "smollm3": Entry("SmolLM3Config", DENSE),
    "helium": Entry("HeliumConfig", {**DENSE, "head_dim": 8}),
    "nemotron": Entry("NemotronConfig", DENSE),
    "persimmon": Entry("PersimmonConfig", {**SIZES, "intermediate_size": 48}),
    "seed_oss": Entry("SeedOssConfig", {**DENSE, "head_dim": 8}),
    "arcee": Entry("ArceeConfig", DENSE),
    "apertus": Entry("ApertusConfig", DENSE),
    "hunyuan": Entry("HunYuanDenseV1Config", {**DENSE, "head_dim": 8}),
    "ernie4_5": Entry("Ernie4_5Config", {**DENSE, "head_dim": 8}),
    "nanochat": Entry("NanoChatConfig", {**DENSE}),
    "diffllama": Entry("DiffLlamaConfig", DENSE),
    "bitnet": Entry("BitNetConfig", DENSE),
    "vaultgemma": Entry("VaultGemmaConfig", {**DENSE, "head_dim": 8, "sliding_window": 512}),
    "gpt_neox": Entry("GPTNeoXConfig", {**SIZES, "intermediate_size": 48}),
    "gptj": Entry("GPTJConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "rotary_dim": 4}),
    "codegen": Entry("CodeGenConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "rotary_dim": 4}),
    "jais2": Entry("Jais2Config", DENSE),
    # learned positions
    "gpt2": Entry("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}),
    "gpt_bigcode": Entry("GPTBigCodeConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}),
    "opt": Entry("OPTConfig", {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "opt_projected": Entry("OPTConfig", {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 16}),
    "biogpt": Entry("BioGptConfig", {**SIZES, "intermediate_size": 48}),
    "xglm": Entry(
        "XGLMConfig",
        {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48, "max_position_embeddings": 128},
    ),
    "openai_gpt": Entry(
        "OpenAIGPTConfig",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
        path="flat",
        why="ancestor mask",
        way="recomputed",
    ),
    "ctrl": Entry("CTRLConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "dff": 48}),
    # windows, chunks
    "mistral_window": Entry("MistralConfig", {**DENSE, "sliding_window": 8}, path="flat", why="window"),
    "qwen2_window": Entry(
        "Qwen2Config",
        {**DENSE, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
        path="flat",
        why="window",
    ),
    "qwen3_window": Entry(
        "Qwen3Config",
        {**DENSE, "head_dim": 8, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
        path="flat",
        why="window",
    ),
    "gemma3_text": Entry(
        "Gemma3TextConfig",
        {**DENSE, "head_dim": 8, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        path="flat",
        why="window",
    ),
    "gpt_neo": Entry(
        "GPTNeoConfig",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 8,
            "max_position_embeddings": 128,
        },
        path="flat",
        why="window",
    ),
    "olmo3": Entry(
        "Olmo3Config",
        {**DENSE, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        path="flat",
        why="window",
    ),
    "gpt_oss": Entry(
        "GptOssConfig", {**DENSE, **EXPERTS, "head_dim": 8, "sliding_window": 8}, path="flat", why="window"
    ),
    "ministral": Entry(
        "MinistralConfig",
        {**DENSE, "head_dim": 8, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        path="flat",
        why="window",
    ),
    "modernbert_decoder": Entry(
        "ModernBertDecoderConfig",
        {**SIZES, "intermediate_size": 48, "local_attention": 8, "cls_token_id": 1, "sep_token_id": 2},
        path="flat",
        why="window",
    ),
    "llama4_text": Entry(
        "Llama4TextConfig",
        {
            **DENSE,
            **EXPERTS,
            "head_dim": 8,
            "intermediate_size_mlp": 48,
            "attention_chunk_size": 8,
            "layer_types": ["chunked_attention", "full_attention"],
        },
        path="flat",
        why="window",
    ),
    "afmoe": Entry(
        "AfmoeConfig",
        {**DENSE, **EXPERTS, "head_dim": 8, "sliding_window": 8, "moe_intermediate_size": 24, "num_dense_layers": 1},
        path="flat",
        why="window",
    ),
    "exaone4_window": Entry(
        "Exaone4Config",
        {**DENSE, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        path="flat",
        why="window",
    ),
    # caps and scales
    "gemma2": Entry("Gemma2Config", {**DENSE, "head_dim": 8, "sliding_window": 512, "final_logit_softcapping": 3.0}),
    "gemma2_window": Entry("Gemma2Config", {**DENSE, "head_dim": 8, "sliding_window": 8}, path="flat", why="window"),
    "granite": Entry(
        "GraniteConfig",
        {
            **DENSE,
            "logits_scaling": 4.0,
            "embedding_multiplier": 6.0,
            "residual_multiplier": 0.3,
            "attention_multiplier": 0.2,
        },
    ),
    "granitemoe": Entry(
        "GraniteMoeConfig",
        {**DENSE, **EXPERTS, "logits_scaling": 4.0, "embedding_multiplier": 2.0},
    ),
    "cohere": Entry("CohereConfig", {**DENSE, "logit_scale": 0.25}, why="tree differed"),
    "cohere2": Entry(
        "Cohere2Config",
        {**DENSE, "logit_scale": 0.25, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        path="flat",
        why="window",
    ),
    "minicpm3": Entry(
        "MiniCPM3Config",
        {
            **DENSE,
            "num_key_value_heads": 4,
            "kv_lora_rank": 16,
            "q_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "head_dim": 16,
        },
    ),
    # ALiBi
    "bloom": Entry("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4}, path="flat", why="ALiBi"),
    "mpt": Entry(
        "MptConfig", {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128}, path="flat", why="ALiBi"
    ),
    "falcon_alibi": Entry("FalconConfig", {**SIZES, "alibi": True}, path="flat", why="ALiBi"),
    "falcon": Entry("FalconConfig", {**SIZES}),
    "falcon_new": Entry("FalconConfig", {**SIZES, "new_decoder_architecture": True, "num_kv_heads": 2}),
    # experts
    "mixtral": Entry("MixtralConfig", {**DENSE, **EXPERTS}),
    "qwen2_moe": Entry(
        "Qwen2MoeConfig", {**DENSE, **EXPERTS, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24}
    ),
    "qwen3_moe": Entry("Qwen3MoeConfig", {**DENSE, **EXPERTS, "head_dim": 8, "moe_intermediate_size": 24}),
    "olmoe": Entry("OlmoeConfig", {**DENSE, **EXPERTS}),
    "phimoe": Entry("PhimoeConfig", {**DENSE, **EXPERTS}),
    "dbrx": Entry(
        "DbrxConfig",
        {
            "d_model": 32,
            "n_layers": 2,
            "n_heads": 4,
            "max_seq_len": 128,
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 1e4},
            "ffn_config": {"ffn_hidden_size": 32, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
        },
    ),
    "jetmoe": Entry("JetMoeConfig", {**DENSE, "num_local_experts": 4, "num_experts_per_tok": 2, "kv_channels": 8}),
    "ernie4_5_moe": Entry(
        "Ernie4_5_MoeConfig",
        {**DENSE, "moe_num_experts": 4, "moe_k": 2, "moe_intermediate_size": 24, "moe_layer_start_index": 1},
    ),
    "dots1": Entry(
        "Dots1Config",
        {
            **DENSE,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_shared_experts": 1,
            "moe_intermediate_size": 24,
            "n_group": 1,
            "topk_group": 1,
        },
    ),
    "glm4_moe": Entry(
        "Glm4MoeConfig",
        {
            **DENSE,
            **EXPERTS,
            "head_dim": 8,
            "moe_intermediate_size": 24,
            "n_group": 1,
            "topk_group": 1,
            "first_k_dense_replace": 1,
        },
    ),
    "flex_olmo": Entry("FlexOlmoConfig", {**DENSE, **EXPERTS}),
    "hunyuan_moe": Entry("HunYuanMoEV1Config", {**DENSE, "num_experts": 4, "moe_topk": 2, "head_dim": 8}),
    # latent attention
    "deepseek_v2": Entry(
        "DeepseekV2Config",
        {
            **DENSE,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "kv_lora_rank": 16,
            "q_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "first_k_dense_replace": 1,
            "n_group": 1,
            "topk_group": 1,
            "topk_method": "greedy",
            "head_dim": 8,
        },
    ),
    "deepseek_v3": Entry(
        "DeepseekV3Config",
        {
            **DENSE,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "kv_lora_rank": 16,
            "q_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "first_k_dense_replace": 1,
            "n_group": 2,
            "topk_group": 1,
        },
    ),
    "longcat_flash": Entry(
        "LongcatFlashConfig",
        {
            "hidden_size": 32,
            "num_layers": 1,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "ffn_hidden_size": 48,
            "expert_ffn_hidden_size": 24,
            "n_routed_experts": 4,
            "zero_expert_num": 2,
            "moe_topk": 2,
            "kv_lora_rank": 16,
            "q_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "head_dim": 8,
            "max_position_embeddings": 128,
        },
    ),
    "youtu": Entry(
        "YoutuConfig",
        {
            **DENSE,
            "num_key_value_heads": 4,
            "kv_lora_rank": 16,
            "q_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
        },
    ),
    # hybrids
    "jamba": Entry(
        "JambaConfig",
        {
            **DENSE,
            "num_experts": 2,
            "num_experts_per_tok": 1,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 4,
            "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
        },
        path="flat",
        why="recurrent",
    ),
    "bamba": Entry(
        "BambaConfig",
        {
            **DENSE,
            "attn_layer_indices": [1],
            "mamba_n_heads": 8,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
            "mamba_n_groups": 1,
            "mamba_chunk_size": 8,
        },
        path="flat",
        why="recurrent",
    ),
    "zamba": Entry(
        "ZambaConfig",
        {
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 48,
            "mamba_d_state": 4,
            "mamba_dt_rank": 4,
            "n_mamba_heads": 2,
            "use_mamba_kernels": False,
            "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
            "max_position_embeddings": 128,
        },
        path="flat",
        why="recurrent",
    ),
    "zamba2": Entry(
        "Zamba2Config",
        {
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 48,
            "mamba_d_state": 8,
            "mamba_ngroups": 1,
            "n_mamba_heads": 8,
            "mamba_headdim": 8,
            "chunk_size": 8,
            "layers_block_type": ["mamba", "hybrid", "mamba"],
            "num_mem_blocks": 1,
            "use_mem_rope": True,
            "max_position_embeddings": 128,
        },
        path="flat",
        why="recurrent",
    ),
    "falcon_h1": Entry(
        "FalconH1Config",
        {
            **DENSE,
            "mamba_d_ssm": 32,
            "mamba_n_heads": 4,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
            "mamba_n_groups": 1,
            "mamba_chunk_size": 8,
            "head_dim": 8,
            "lm_head_multiplier": 0.5,
            "embedding_multiplier": 2.0,
        },
        path="flat",
        why="recurrent",
    ),
    "lfm2": Entry(
        "Lfm2Config",
        {**DENSE, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
        path="flat",
        why="tree differed",
    ),
    "lfm2_moe": Entry(
        "Lfm2MoeConfig",
        {
            **DENSE,
            "layer_types": ["conv", "full_attention"],
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "num_dense_layers": 1,
        },
        path="flat",
        why="tree differed",
    ),
    "qwen3_next": Entry(
        "Qwen3NextConfig",
        {
            **DENSE,
            **EXPERTS,
            "head_dim": 8,
            "moe_intermediate_size": 24,
            "shared_expert_intermediate_size": 24,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"],
        },
        path="flat",
        why="recurrent",
    ),
    "qwen3_5": Entry(
        "Qwen3_5TextConfig",
        {
            **DENSE,
            "head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"],
        },
        path="flat",
        why="recurrent",
    ),
    "nemotron_h": Entry(
        "NemotronHConfig",
        {
            **DENSE,
            "hybrid_override_pattern": "M*-",
            "num_hidden_layers": 3,
            "head_dim": 8,
            "mamba_num_heads": 4,
            "mamba_head_dim": 8,
            "ssm_state_size": 8,
            "n_groups": 1,
            "chunk_size": 8,
        },
        path="flat",
        why="recurrent",
    ),
    "granite_hybrid": Entry(
        "GraniteMoeHybridConfig",
        {
            **DENSE,
            **EXPERTS,
            "layer_types": ["mamba", "attention"],
            "mamba_n_heads": 8,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
            "mamba_n_groups": 1,
            "mamba_chunk_size": 8,
            "shared_intermediate_size": 24,
            "position_embedding_type": "rope",
        },
        path="flat",
        why="recurrent",
    ),
    "minimax": Entry(
        "MiniMaxConfig",
        {**DENSE, **EXPERTS, "head_dim": 8, "layer_types": ["linear_attention", "full_attention"], "block_size": 8},
        path="flat",
        why="tree differed",
        way="cached",
    ),
    "olmo_hybrid": Entry(
        "OlmoHybridConfig",
        {
            **DENSE,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
        path="flat",
        why="recurrent",
    ),
    "kimi_linear": Entry(
        "KimiLinearConfig",
        {
            **DENSE,
            "num_key_value_heads": 4,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "linear_head_dim": 8,
            "linear_num_heads": 4,
            "layer_types": ["linear_attention", "full_attention"],
        },
        path="flat",
        why="recurrent",
    ),
    # state space, recurrent
    "mamba": Entry(
        "MambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    "mamba2": Entry(
        "Mamba2Config",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 8,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 1,
            "chunk_size": 8,
        },
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    "falcon_mamba": Entry(
        "FalconMambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    "rwkv": Entry(
        "RwkvConfig",
        {"hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2, "context_length": 128},
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    "recurrent_gemma": Entry(
        "RecurrentGemmaConfig",
        {**DENSE, "num_hidden_layers": 3, "lru_width": 32, "attention_window_size": 8, "head_dim": 8},
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    "xlstm": Entry(
        "xLSTMConfig",
        {
            "hidden_size": 32,
            "embedding_dim": 32,
            "num_hidden_layers": 2,
            "num_blocks": 2,
            "num_heads": 2,
            "chunk_size": 16,
        },
        path="flat",
        why="recurrent",
        way="recomputed",
    ),
    # wrappers
    "gemma3": Entry(
        "Gemma3Config",
        {
            "text_config": {
                **DENSE,
                "head_dim": 8,
                "sliding_window": 8,
                "layer_types": ["sliding_attention", "full_attention"],
            },
            "vision_config": VISION,
            "mm_tokens_per_image": 4,
            "image_token_index": 319,
        },
        model="Gemma3ForConditionalGeneration",
        path="flat",
        why="window",
    ),
    "gemma3n": Entry(
        "Gemma3nTextConfig",
        {
            **DENSE,
            "head_dim": 8,
            "sliding_window": 8,
            "num_hidden_layers": 2,
            "num_kv_shared_layers": 0,
            "intermediate_size": 48,
            "layer_types": ["sliding_attention", "full_attention"],
            "vocab_size_per_layer_input": 320,
            "hidden_size_per_layer_input": 8,
            "laurel_rank": 4,
            "activation_sparsity_pattern": [0.0, 0.0],
        },
        path="flat",
        why="window",
    ),
    "gemma4": Entry(
        "Gemma4TextConfig",
        {
            **DENSE,
            "head_dim": 8,
            "global_head_dim": 8,
            "sliding_window": 8,
            "num_kv_shared_layers": 0,
            "layer_types": ["sliding_attention", "full_attention"],
            "vocab_size_per_layer_input": 320,
            "hidden_size_per_layer_input": 8,
        },
        path="flat",
        why="window",
    ),
    "llava": Entry(
        "LlavaConfig",
        {
            "text_config": {"model_type": "llama", **DENSE},
            "vision_config": {"model_type": "clip_vision_model", **VISION},
            "image_token_index": 319,
        },
        model="LlavaForConditionalGeneration",
    ),
    "llava_next": Entry(
        "LlavaNextConfig",
        {
            "text_config": {"model_type": "mistral", **DENSE},
            "vision_config": {"model_type": "clip_vision_model", **VISION},
            "image_token_index": 319,
        },
        model="LlavaNextForConditionalGeneration",
    ),
    "llava_onevision": Entry(
        "LlavaOnevisionConfig",
        {
            "text_config": {"model_type": "qwen2", **DENSE},
            "vision_config": {"model_type": "siglip_vision_model", **VISION},
            "image_token_index": 319,
            "video_token_index": 318,
        },
        model="LlavaOnevisionForConditionalGeneration",
    ),
    "mistral3": Entry(
        "Mistral3Config",
        {
            "text_config": {"model_type": "mistral", **DENSE},
            "vision_config": {"model_type": "pixtral", **VISION, "head_dim": 8},
            "image_token_index": 319,
        },
        model="Mistral3ForConditionalGeneration",
    ),
    "idefics3": Entry(
        "Idefics3Config",
        {
            "text_config": {"model_type": "llama", **DENSE},
            "vision_config": VISION,
            "image_token_id": 319,
            "scale_factor": 2,
        },
        model="Idefics3ForConditionalGeneration",
    ),
    "smolvlm": Entry(
        "SmolVLMConfig",
        {
            "text_config": {"model_type": "llama", **DENSE},
            "vision_config": VISION,
            "image_token_id": 319,
            "scale_factor": 2,
        },
        model="SmolVLMForConditionalGeneration",
    ),
    "qwen2_vl": Entry(
        "Qwen2VLConfig",
        {
            "text_config": {
                **DENSE,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
            },
            "vision_config": {"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "patch_size": 8},
            "image_token_id": 319,
            "video_token_id": 318,
        },
        model="Qwen2VLForConditionalGeneration",
    ),
    "qwen2_5_vl": Entry(
        "Qwen2_5_VLConfig",
        {
            "text_config": {
                **DENSE,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
            },
            "vision_config": {
                "depth": 1,
                "hidden_size": 16,
                "out_hidden_size": 32,
                "num_heads": 2,
                "patch_size": 8,
                "intermediate_size": 24,
            },
            "image_token_id": 319,
            "video_token_id": 318,
        },
        model="Qwen2_5_VLForConditionalGeneration",
    ),
    "qwen3_vl": Entry(
        "Qwen3VLConfig",
        {
            "text_config": {
                **DENSE,
                "head_dim": 8,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
            },
            "vision_config": {
                "depth": 1,
                "hidden_size": 16,
                "out_hidden_size": 32,
                "num_heads": 2,
                "patch_size": 8,
                "intermediate_size": 24,
                "deepstack_visual_indexes": [0],
            },
            "image_token_id": 319,
            "video_token_id": 318,
        },
        model="Qwen3VLForConditionalGeneration",
    ),
    "qwen3_5_wrapper": Entry(
        "Qwen3_5Config",
        {
            "text_config": {
                **DENSE,
                "head_dim": 8,
                "linear_num_key_heads": 2,
                "linear_num_value_heads": 4,
                "linear_key_head_dim": 8,
                "linear_value_head_dim": 8,
                "layer_types": ["linear_attention", "full_attention"],
            },
            "vision_config": {
                "depth": 1,
                "hidden_size": 16,
                "out_hidden_size": 32,
                "num_heads": 2,
                "patch_size": 8,
                "intermediate_size": 24,
            },
            "image_token_id": 319,
            "video_token_id": 318,
        },
        model="Qwen3_5ForConditionalGeneration",
        path="flat",
        why="recurrent",
    ),
    "paligemma": Entry(
        "PaliGemmaConfig",
        {
            "text_config": {"model_type": "gemma", **DENSE, "head_dim": 8},
            "vision_config": {"model_type": "siglip_vision_model", **VISION},
            "image_token_index": 319,
            "projection_dim": 32,
        },
        model="PaliGemmaForConditionalGeneration",
        path="refused",
        why="not causal",
    ),
    "internvl": Entry(
        "InternVLConfig",
        {
            "text_config": {"model_type": "qwen2", **DENSE},
            "vision_config": {**VISION, "image_size": [16, 16], "patch_size": [8, 8]},
            "image_token_id": 319,
        },
        model="InternVLForConditionalGeneration",
    ),
    "aya_vision": Entry(
        "AyaVisionConfig",
        {
            "text_config": {
                "model_type": "cohere2",
                **DENSE,
                "logit_scale": 0.25,
                "sliding_window": 8,
                "layer_types": ["sliding_attention", "full_attention"],
            },
            "vision_config": {"model_type": "siglip_vision_model", **VISION},
            "image_token_index": 319,
        },
        model="AyaVisionForConditionalGeneration",
        path="flat",
        why="window",
    ),
    "llama4": Entry(
        "Llama4Config",
        {
            "text_config": {
                **DENSE,
                **EXPERTS,
                "head_dim": 8,
                "intermediate_size_mlp": 48,
                "attention_chunk_size": 8,
                "layer_types": ["chunked_attention", "full_attention"],
            },
            "vision_config": {**VISION, "vision_output_dim": 16, "projector_input_dim": 16, "projector_output_dim": 16},
        },
        model="Llama4ForConditionalGeneration",
        path="flat",
        why="window",
    ),
    "mllama": Entry(
        "MllamaConfig",
        {
            "text_config": {**DENSE, "cross_attention_layers": [1]},
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 24,
                "num_hidden_layers": 1,
                "num_global_layers": 1,
                "attention_heads": 2,
                "image_size": 16,
                "patch_size": 8,
                "intermediate_layers_indices": [0],
                "vision_output_dim": 32,
            },
            "image_token_index": 319,
        },
        model="MllamaForConditionalGeneration",
    ),
    # what is no causal model
    "bert": Entry("BertConfig", {**SIZES, "intermediate_size": 48}, path="refused", why="not causal"),
    "bert_decoder": Entry(
        "BertConfig", {**SIZES, "intermediate_size": 48, "is_decoder": True}, path="flat", why="tree differed"
    ),
    "roberta": Entry("RobertaConfig", {**SIZES, "intermediate_size": 48}, path="refused", why="not causal"),
    "roberta_decoder": Entry(
        "RobertaConfig",
        {**SIZES, "intermediate_size": 48, "is_decoder": True},
        path="flat",
        why="tree differed",
        way="recomputed",
    ),
    "electra": Entry(
        "ElectraConfig", {**SIZES, "intermediate_size": 48, "embedding_size": 16}, path="refused", why="not causal"
    ),
    "xlnet": Entry(
        "XLNetConfig", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}, path="refused", why="not causal"
    ),
    "xlm": Entry(
        "XLMConfig",
        {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 128},
        path="refused",
        why="not causal",
    ),
    "llama_both_ways": Entry("LlamaConfig", {**DENSE, "is_causal": False}, path="refused", why="not causal"),
    "gemma3_both_ways": Entry(
        "Gemma3TextConfig",
        {**DENSE, "head_dim": 8, "sliding_window": 8, "use_bidirectional_attention": True},
        path="refused",
        why="not causal",
    ),
    "bart_decoder": Entry(
        "BartConfig",
        {
            "d_model": 32,
            "decoder_layers": 2,
            "decoder_attention_heads": 4,
            "decoder_ffn_dim": 48,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "max_position_embeddings": 128,
        },
        path="flat",
        why="tree differed",
        way="recomputed",
    ),
    "t5": Entry(
        "T5Config",
        {"d_model": 32, "num_layers": 1, "num_heads": 2, "d_ff": 48, "d_kv": 8},
        model="T5ForConditionalGeneration",
        path="refused",
        why="no causal language model",
    ),
    "reformer": Entry(
        "ReformerConfig",
        {
            "hidden_size": 32,
            "num_attention_heads": 2,
            "is_decoder": True,
            "axial_pos_embds_dim": [16, 16],
            "axial_pos_shape": [8, 16],
            "max_position_embeddings": 128,
        },
        path="refused",
        why="no causal language model",
    ),
}
