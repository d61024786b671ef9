"""Options, ini keys and `[tool.rootfruit]` become one frozen Settings. Unknown keys are errors.

Precedence: command line > ini > `[tool.rootfruit]` in pyproject.toml > default. `options.py` says which there are.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rootfruit_checks import contradictions
from rootfruit_checks.errors import ConfigError
from rootfruit_checks.options import BY_KEY, CONTINUATIONS, INSTRUCTION, OPTIONS, Option
from rootfruit_checks.registry import BY_ID, defaults
from rootfruit_checks.types import BENCHMARKS, Chat, Sampling
from rootfruit_checks.untrusted import is_there

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
    benchmarks: tuple[str, ...] = BENCHMARKS
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
        """How a prompt is put to a chat model, if it is put so."""
        return Chat(self.chat_instruction, self.chat_system or "")

    @property
    def draws(self) -> int:
        """Continuations per prompt: as many as asked for, or what the scale takes."""
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
        """Return the flags of the options given that vLLM alone reads."""
        keys = ("tensor_parallel", "quantization", "max_model_len", "gpu_memory")
        return [BY_KEY[key].flag for key in keys if getattr(self, key) != BY_KEY[key].default]

    @property
    def own_base(self) -> bool:
        """Whether the reference is the base of the adapter that is the policy."""
        return self.reference == BASE and (is_adapter(self.model) or not Path(BASE).is_dir())

    @property
    def reference_name(self) -> str:
        """What a report calls the reference."""
        return "base of the adapter" if self.own_base else str(self.reference)

    def limit_for(self, measure: str, group: str) -> float | None:
        """The user's limit for a check, else for its measure, else the registry's; None if descriptive."""
        default = BY_ID[measure].limit
        return self.limit.get(f"{measure}/{group}", self.limit.get(measure, default))

    def explain(self) -> dict[str, str]:
        """The settings as strings, for the record; where results go, how fast and by whom is not what was run."""
        speed = {"gpu_memory", "concurrency", "timeout", "ray_address", "workers"}
        # `plan_from` stays: with `target_mde` it decides the sample.
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


def build(
    cli: Mapping[str, object], ini: Mapping[str, object] | None = None, table: Mapping[str, object] | None = None
) -> Settings:
    """Merge the three sources into Settings; a value of None means "not given".

    Args:
        cli: option key -> raw value.
        ini: option key -> raw value.
        table: `[tool.rootfruit]`; keys may be written with dashes.

    Raises:
        ConfigError: an unknown key, a value that cannot be read, or options that contradict each other.

    """
    values: dict[str, object] = {}
    sources: Sequence[tuple[Mapping[str, object], Callable[[Option], str]]] = (
        (_table(table or {}), lambda o: f"[tool.rootfruit] {o.key}"),
        # An empty line of an ini file, and a list that pytest fills in, say nothing.
        ({key: raw for key, raw in (ini or {}).items() if raw not in ([], "")}, lambda o: f"ini key {o.ini}"),
        (cli, lambda o: f"option {o.flag}"),
    )
    for source, name in sources:
        for key, raw in source.items():
            if raw is not None:
                option = BY_KEY[key]
                values[key] = _joined(key, values.get(key), option.parse(name(option), raw))
    values.setdefault("benchmarks", defaults())
    if values.get("plan") and not cli.get("plan"):
        raise ConfigError(
            "option --rootfruit-plan: is for the command line; were it configured, no gate would ever run"
        )
    settings = with_base(Settings(**values))  # type: ignore[arg-type]
    contradictions.refuse(settings)
    return settings


def first_given(key: str, *sources: Mapping[str, object]) -> object:
    """Return one option's raw value by precedence (the sources as `build` takes them); None where it is not given."""
    given = (source[name] for source in sources for name in (key, key.replace("_", "-")) if name in source)
    return next((raw for raw in given if raw not in (None, [], "")), None)


def is_adapter(name: str | Path | None) -> bool:
    """Whether a model's name is the directory of a PEFT adapter."""
    return name is not None and is_there(Path(name) / ADAPTER_CONFIG)


def with_base(settings: Settings) -> Settings:
    """Return the settings with an adapter's own base as its reference, where no other is named.

    Raises:
        ConfigError: `--reference=base` and the model is no adapter.

    """
    adapter = is_adapter(settings.model)
    if adapter and not settings.reference and not settings.absolute_only:
        return replace(settings, reference=BASE)
    # A model of the Hub may turn out to be an adapter, and a directory may bear the name.
    known = settings.model is not None and is_there(settings.model)
    if settings.reference == BASE and known and not adapter and not Path(BASE).is_dir():
        raise ConfigError(
            f"option --reference: base means the base of an adapter, and --model {settings.model} is none "
            f"(it holds no {ADAPTER_CONFIG}); give the reference's directory"
        )
    return settings


def _joined(key: str, before: Any, value: Any) -> object:
    """Gates and limits add up over the sources, so that one more on the command line drops none of the project's.

    Two limits of one check follow the rule of precedence; any other value replaces.
    """
    if key == "limit":
        return {**(before or {}), **value}
    if key == "gate":
        return tuple(dict.fromkeys((*(before or ()), *value)))
    return value


def _table(table: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, raw in table.items():
        name = _known(key, BY_KEY, "[tool.rootfruit] ")
        if name in found:
            raise ConfigError(f"[tool.rootfruit] {key}: is given twice")
        found[name] = raw
    return found


def check_ini_keys(keys: Iterable[str]) -> None:
    """Raise ConfigError for an ini key that begins like ours and is none of ours."""
    names = {option.ini: option for option in OPTIONS}
    for key in sorted(keys):
        if key.startswith("rootfruit_"):
            _known(key, names, "ini key ")


def _known(key: str, names: Mapping[str, Option], where: str) -> str:
    name = key.replace("-", "_")
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
        raise ConfigError(f"{where}{key}: unknown key{hint}")
    return name
