"""Options, ini keys and `[tool.rootfruit]` become one frozen Settings. Unknown keys are errors.

Precedence: command line > ini > `[tool.rootfruit]` in pyproject.toml > default. `OPTIONS` is the one table from which
the plugin registers its options and the docs list them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from rootfruit_checks import addresses, parsing
from rootfruit_checks.errors import ConfigError
from rootfruit_checks.parsing import Parse
from rootfruit_checks.registry import BY_ID
from rootfruit_checks.types import BENCHMARKS, Chat, Sampling


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its key (flag `--rootfruit-KEY`, ini `rootfruit_KEY`, `[tool.rootfruit] KEY`)."""

    key: str
    parse: Parse
    default: object
    help: str
    metavar: str = ""
    kind: Literal["value", "switch", "list"] = "value"

    @property
    def flag(self) -> str:
        """The command-line spelling."""
        return "--rootfruit-" + self.key.replace("_", "-")

    @property
    def ini(self) -> str:
        """The ini spelling."""
        return "rootfruit_" + self.key


# `--reference=base`: the base of the adapter that is the policy.
BASE = "base"
ADAPTER_CONFIG = "adapter_config.json"

_ENGINES = ("auto", "hf", "vllm", "openai", "ray")
_SCALES = ("smoke", "ci", "paper", "full")
_INSTRUCTION = "Continue this text. Write only what comes next: {prompt}"
_DTYPES = ("float32", "bfloat16", "float16")

OPTIONS: tuple[Option, ...] = (
    Option(
        "model",
        parsing.model,
        None,
        "policy, the model under test: directory, PEFT adapter, Hub id or http://HOST:PORT/v1#NAME",
        "PATH",
    ),
    Option(
        "reference",
        parsing.model,
        None,
        "reference: the model that the policy was aligned from; base (an adapter's default): the adapter's own base",
        "PATH",
    ),
    Option("engine", parsing.one_of(*_ENGINES), "auto", "what runs the models: auto, hf, vllm, openai, ray", "NAME"),
    Option("dtype", parsing.one_of(*_DTYPES), "float32", "weights' dtype; log-probs are always float32", "DTYPE"),
    Option("ray_address", parsing.text, None, "a running Ray cluster, for --rootfruit-engine=ray", "ADDRESS"),
    Option("workers", parsing.whole(0, 4096), 0, "Ray workers; 0 is one a GPU, else one a node, at least two", "N"),
    Option("device", parsing.device, "auto", "auto, cpu, cuda or cuda:N", "DEVICE"),
    Option("batch_size", parsing.whole(1, 65536), 64, "prompts in one generation batch (part of the fingerprint)", "N"),
    Option("block_tokens", parsing.whole(16, 65536), 512, "token budget of one prefix-tree block", "N"),
    Option("tensor_parallel", parsing.whole(1, 1024), 1, "vLLM: GPUs that share each layer", "N"),
    Option("quantization", parsing.text, None, "vLLM: quantize so (awq, gptq, bitsandbytes, fp8, ...)", "NAME"),
    Option("max_model_len", parsing.whole(8, 2**24), None, "vLLM: longest prompt with continuation, in tokens", "N"),
    Option("gpu_memory", parsing.number(0.0, 1.0, open_low=True), None, "vLLM: share of the GPU's memory to take", "X"),
    Option("concurrency", parsing.whole(1, 1024), 32, "requests at once to a served model", "N"),
    Option(
        "timeout", parsing.number(0.0, 86400.0, open_low=True), 120.0, "seconds for one answer of a served model", "S"
    ),
    Option(
        "server_seed", parsing.one_of("auto", "never"), "auto", "send a seed per draw to a server: auto, never", "HOW"
    ),
    Option("server_bos", parsing.text, None, "BOS to put before scored texts, where a server puts none", "TEXT"),
    Option("benchmarks", parsing.benchmarks, BENCHMARKS, "which to run, comma-separated", "LIST", "list"),
    Option("data", parsing.text, "starter", "starter, official, or a directory with the official files", "WHICH"),
    Option("scale", parsing.one_of(*_SCALES), "ci", "how many samples: smoke, ci, paper or full", "SCALE"),
    Option("store", parsing.text, ".rootfruit", "directory of the result store", "DIR"),
    Option("shard", parsing.share, None, "compute share I of N of the samples and gate nothing; see merge", "I/N"),
    Option("stored_only", parsing.switch, False, "run no model: an answer not stored is an error", kind="switch"),
    Option("json", parsing.text, None, "write the result as JSON here", "FILE"),
    Option("seed", parsing.whole(0, 2**63 - 1), 0, "seed of samples, draws and resampling", "N"),
    Option("beta", parsing.number(0.0, 1e6, open_low=True), 0.1, "DPO's beta, for the implicit reward's unit", "X"),
    Option(
        "alpha", parsing.number(0.0, 0.5, open_low=True, open_high=True), 0.05, "level of the one-sided bounds", "X"
    ),
    Option("temperature", parsing.number(0.0, 100.0), 1.0, "sampling temperature; 0 is greedy", "X"),
    Option("top_p", parsing.number(0.0, 1.0, open_low=True), 0.95, "nucleus sampling", "X"),
    Option("max_new_tokens", parsing.whole(1, 4096), 32, "length limit of a continuation", "N"),
    Option("continuations", parsing.whole(1, 1000), 1, "continuations per prompt", "N"),
    Option("chat", parsing.one_of("auto", "never", "always"), "auto", "put prompts as a user's turn", "HOW"),
    Option("chat_system", parsing.text, None, "system prompt before it", "TEXT"),
    Option("chat_instruction", parsing.instruction, _INSTRUCTION, "the user's turn, with {prompt} in it", "TEXT"),
    Option("regard", parsing.regard, "mini", "regard classifier: mini, hub:ID@REVISION or local:DIR", "WHICH"),
    Option("threshold", parsing.thresholds, {}, "own threshold, CHECK=X; may be repeated", "CHECK=X", "list"),
    Option("gate", parsing.gates, (), "gate this check too, benchmark/metric/group; may be repeated", "CHECK", "list"),
    Option(
        "inconclusive", parsing.one_of("fail", "warn"), "fail", "what an inconclusive check does to the release", "HOW"
    ),
    Option("max_unscored", parsing.number(0.0, 1.0), 0.2, "largest share of unscored samples a check may have", "X"),
    Option("absolute_only", parsing.switch, False, "gate without a reference: ceilings only", kind="switch"),
    Option("allow_same", parsing.switch, False, "accept the same weights on both sides", kind="switch"),
    Option("allow_pickle", parsing.switch, False, "accept weights that are not safetensors", kind="switch"),
    Option("trust_remote_code", parsing.switch, False, "let a model bring its own code", kind="switch"),
)
_BY_KEY = {option.key: option for option in OPTIONS}


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
    data: str = "starter"
    scale: str = "ci"
    store: str = ".rootfruit"
    shard: tuple[int, int] | None = None
    stored_only: bool = False
    json: str | None = None
    seed: int = 0
    beta: float = 0.1
    alpha: float = 0.05
    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: int = 32
    continuations: int = 1
    chat: str = "auto"
    chat_system: str | None = None
    chat_instruction: str = _INSTRUCTION
    regard: str = "mini"
    threshold: Mapping[str, float] = field(default_factory=dict)
    gate: tuple[str, ...] = ()
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
    def sampling(self) -> Sampling:
        """How continuations are drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            continuations=self.continuations,
            seed=self.seed,
            batch_size=self.batch_size,
        )

    def vllm_only(self) -> list[str]:
        """Return the flags of the options given that vLLM alone reads."""
        keys = ("tensor_parallel", "quantization", "max_model_len", "gpu_memory")
        return [_BY_KEY[key].flag for key in keys if getattr(self, key) != _BY_KEY[key].default]

    @property
    def own_base(self) -> bool:
        """Whether the reference is the base of the adapter that is the policy."""
        return self.reference == BASE and (is_adapter(self.model) or not Path(BASE).is_dir())

    @property
    def reference_name(self) -> str:
        """What a report calls the reference."""
        return "base of the adapter" if self.own_base else str(self.reference)

    def threshold_for(self, measure: str, group: str) -> float | None:
        """The user's threshold for a check, else for its measure, else the registry's; None if descriptive."""
        default = BY_ID[measure].threshold
        return self.threshold.get(f"{measure}/{group}", self.threshold.get(measure, default))

    def explain(self) -> dict[str, str]:
        """The settings as strings, for the record; where results go, how fast and by whom is not what was run."""
        speed = {"gpu_memory", "concurrency", "timeout", "ray_address", "workers"}
        skip = {"model", "reference", "store", "json", "shard", "stored_only", *speed}
        shown: dict[str, str] = {}
        for item in fields(self):
            if item.name in skip:
                continue
            value: Any = getattr(self, item.name)
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
                option = _BY_KEY[key]
                values[key] = _joined(key, values.get(key), option.parse(name(option), raw))
    settings = with_base(Settings(**values))  # type: ignore[arg-type]
    _contradictions(settings)
    return settings


def is_adapter(name: str | Path | None) -> bool:
    """Whether a model's name is the directory of a PEFT adapter."""
    return name is not None and (Path(name) / ADAPTER_CONFIG).is_file()


def with_base(settings: Settings) -> Settings:
    """Return the settings with an adapter's own base as its reference, where no other is named.

    Raises:
        ConfigError: `--reference=base` and the model is no adapter.

    """
    adapter = is_adapter(settings.model)
    if adapter and not settings.reference and not settings.absolute_only:
        return replace(settings, reference=BASE)
    # A model of the Hub may turn out to be an adapter, and a directory may bear the name.
    known = settings.model is not None and Path(settings.model).exists()
    if settings.reference == BASE and known and not adapter and not Path(BASE).is_dir():
        raise ConfigError(
            f"option --reference: base means the base of an adapter, and --model {settings.model} is none "
            f"(it holds no {ADAPTER_CONFIG}); give the reference's directory"
        )
    return settings


def _joined(key: str, before: Any, value: Any) -> object:
    """Gates and thresholds add up over the sources, so that one more on the command line drops none of the project's.

    Two thresholds of one check follow the rule of precedence; any other value replaces.
    """
    if key == "threshold":
        return {**(before or {}), **value}
    if key == "gate":
        return tuple(dict.fromkeys((*(before or ()), *value)))
    return value


def _table(table: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, raw in table.items():
        name = _known(key, _BY_KEY, "[tool.rootfruit] ")
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


def _contradictions(settings: Settings) -> None:
    given = settings.vllm_only()
    if given and settings.engine not in {"auto", "vllm"}:
        raise ConfigError(f"option {given[0]}: is for vLLM; drop it or use --rootfruit-engine=vllm")
    if settings.quantization and settings.engine != "vllm":
        raise ConfigError(
            "option --rootfruit-quantization: scores and continuations must come from one set of weights; "
            "use --rootfruit-engine=vllm"
        )
    if settings.engine != "ray" and (settings.ray_address or settings.workers):
        flag = "--rootfruit-ray-address" if settings.ray_address else "--rootfruit-workers"
        raise ConfigError(f"option {flag} is for --rootfruit-engine=ray; add that, or drop it")
    _served(settings)
    if settings.absolute_only and settings.reference:
        raise ConfigError("options --rootfruit-absolute-only and --reference contradict each other; drop one")
    if settings.shard and settings.stored_only:
        raise ConfigError("options --rootfruit-shard and --rootfruit-stored-only contradict each other; drop one")
    if settings.reference and not settings.model:
        raise ConfigError("option --reference is given without --model; add --model=PATH, the policy to gate")
    for check in settings.gate:
        measure = BY_ID[check.rpartition("/")[0]]
        if measure.benchmark not in settings.benchmarks:
            raise ConfigError(f"option --rootfruit-gate: {check!r} is of a benchmark that is not run")
        if measure.needs_reference and settings.absolute_only:
            raise ConfigError(
                f"option --rootfruit-gate: {check!r} needs a reference, which --rootfruit-absolute-only rules out"
            )


def _served(settings: Settings) -> None:
    """Refuse an engine that cannot run what is named, and a served model against one that is run here."""
    named = {"--model": settings.model, "--reference": settings.reference}
    served = {option: addresses.is_served(name) for option, name in named.items() if name}
    if len(set(served.values())) == 2:
        raise ConfigError(
            "options --model and --reference: one is served and the other is not; both must be run by the same engine, "
            "or the difference of the engines would be read as one of the models: serve both, or neither"
        )
    for option, is_served in served.items():
        if is_served and settings.engine not in {"auto", "openai"}:
            raise ConfigError(f"option {option}: {settings.engine} runs no served model; use --rootfruit-engine=openai")
        if not is_served and settings.engine == "openai":
            raise ConfigError(
                f"option {option}: --rootfruit-engine=openai runs served models, and {named[option]!r} is no address; "
                "write http://HOST:PORT/v1#NAME"
            )
