"""Everything a run depends on, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rootfruit_checks.base.types import Chat, Sampling
from rootfruit_checks.base.untrusted import is_there
from rootfruit_checks.catalog.registry import MEASURES, defaults
from rootfruit_checks.config.options import BY_KEY, CONTINUATIONS, INSTRUCTION

# `--reference=base`: the base of the adapter that is the policy.
BASE = "base"
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on. Field meanings are those of `OPTIONS`."""

    model: str | None = None
    reference: str | None = None
    engine: str = "auto"
    dtype: str = "float32"
    ray_address: str | None = None
    workers: int = 0
    device: str = "auto"
    batch_size: int = 64
    block_tokens: int = 512
    tensor_parallel: int = 1
    quantization: str | None = None
    max_model_len: int | None = None
    gpu_memory: float | None = None
    concurrency: int = 32
    timeout: float = 120.0
    server_seed: str = "auto"
    server_bos: str | None = None
    benchmarks: tuple[str, ...] = field(default_factory=defaults)
    extensions: str = "auto"
    data: str = "starter"
    scale: str = "ci"
    names: int | None = None
    target_mde: float | None = None
    plan: bool = False
    plan_from: str | None = None
    plan_json: str | None = None
    plan_probe: str = "auto"
    store: str = ".rootfruit"
    shard: tuple[int, int] | None = None
    sequential: bool = False
    stored_only: bool = False
    baseline: str | None = None
    save_baseline: str | None = None
    json: str | None = None
    report: str | None = None
    redact: str = "none"
    seed: int = 0
    beta: float = 0.1
    alpha: float = 0.05
    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: int = 32
    continuations: int | None = None
    stop: tuple[str, ...] = ()
    chat: str = "auto"
    chat_scores: bool = False
    chat_system: str | None = None
    chat_instruction: str = INSTRUCTION
    narratives: str = "auto"
    regard: str = "mini"
    limit: Mapping[str, float] = field(default_factory=dict)
    gate: tuple[str, ...] = ()
    decision: str = "confident"
    correction: str = "max-t"
    inconclusive: str = "fail"
    max_unscored: float = 0.2
    absolute_only: bool = False
    allow_same: bool = False
    allow_pickle: bool = False
    trust_remote_code: bool = False

    @property
    def chat_format(self) -> Chat:
        """The format of a prompt for a chat model, if one is used."""
        return Chat(self.chat_instruction, self.chat_system or "")

    @property
    def draws(self) -> int:
        """Continuations per prompt: as given, or the default of the scale."""
        return self.continuations or CONTINUATIONS[self.scale]

    @property
    def sampling(self) -> Sampling:
        """How continuations are drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            continuations=self.draws,
            seed=self.seed,
            batch_size=self.batch_size,
            stop=self.stop,
        )

    def vllm_only(self) -> list[str]:
        """Return the flags of the given options that only vLLM reads."""
        keys = ("tensor_parallel", "quantization", "max_model_len", "gpu_memory")
        return [BY_KEY[key].flag for key in keys if getattr(self, key) != BY_KEY[key].default]

    @property
    def own_base(self) -> bool:
        """Whether the reference is the base of the adapter that is the policy."""
        return self.reference == BASE and (is_adapter(self.model) or not Path(BASE).is_dir())

    @property
    def reference_name(self) -> str:
        """The name of the reference in reports."""
        return "base of the adapter" if self.own_base else str(self.reference)

    def limit_for(self, measure: str, group: str) -> float | None:
        """The user's limit for a check, else for its measure, else the registry's; None if descriptive."""
        default = MEASURES[measure].limit
        return self.limit.get(f"{measure}/{group}", self.limit.get(measure, default))

    def explain(self) -> dict[str, str]:
        """The settings as strings, for the record, without those on output, speed and hardware."""
        speed = {"gpu_memory", "concurrency", "timeout", "ray_address", "workers"}
        # `plan_from` is kept: with `target_mde` it determines the sample.
        skip = {
            "model",
            "reference",
            "store",
            "json",
            "report",
            "redact",
            "baseline",
            "save_baseline",
            "shard",
            "stored_only",
            "plan",
            "plan_json",
            "plan_probe",
            *speed,
        }
        shown: dict[str, str] = {}
        for item in fields(self):
            if item.name in skip:
                continue
            value: Any = self.draws if item.name == "continuations" else getattr(self, item.name)
            if isinstance(value, Mapping):
                value = ", ".join(f"{key}={value[key]:g}" for key in sorted(value)) or "defaults"
            elif isinstance(value, tuple):
                value = ", ".join(value) or "none"
            shown[item.name] = str(value)
        return shown


def is_adapter(name: str | Path | None) -> bool:
    """Whether a model's name is the directory of a PEFT adapter."""
    return name is not None and is_there(Path(name) / ADAPTER_CONFIG)
