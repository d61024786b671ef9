"""Options, ini keys and `[tool.rootfruit]` become one frozen Settings. Unknown keys are errors.

Precedence: command line > ini > `[tool.rootfruit]` in pyproject.toml > default. `OPTIONS` is the one table from which
the plugin registers its options and the docs list them.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from rootfruit_checks.errors import ConfigError
from rootfruit_checks.registry import BY_ID
from rootfruit_checks.types import BENCHMARKS, Sampling

Parse = Callable[[str, object], object]


def _text(where: str, raw: object) -> str:
    value = str(raw).strip()
    if not value:
        raise ConfigError(f"{where}: is empty; give a value or leave the option out")
    return value


def _switch(where: str, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ConfigError(f"{where}: {raw!r} is neither true nor false")


def _number(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Parse:
    def parse(where: str, raw: object) -> float:
        try:
            value = float(str(raw))
        except ValueError:
            raise ConfigError(f"{where}: {raw!r} is not a number") from None
        inside = math.isfinite(value) and low <= value <= high
        if not inside or (open_low and value == low) or (open_high and value == high):
            left, right = "(["[not open_low], ")]"[not open_high]
            raise ConfigError(f"{where}: {raw!r} is outside {left}{low:g}, {high:g}{right}")
        return value

    return parse


def _whole(low: int, high: int) -> Parse:
    def parse(where: str, raw: object) -> int:
        try:
            value = int(str(raw))
        except ValueError:
            raise ConfigError(f"{where}: {raw!r} is not a whole number") from None
        if not low <= value <= high:
            raise ConfigError(f"{where}: {value} is outside {low} to {high}")
        return value

    return parse


def _one_of(*words: str) -> Parse:
    def parse(where: str, raw: object) -> str:
        if str(raw) not in words:
            raise ConfigError(f"{where}: {raw!r} is not one of {', '.join(words)}")
        return str(raw)

    return parse


def _several(raw: object) -> list[str]:
    parts = raw if isinstance(raw, (list, tuple)) else str(raw).replace("\n", ",").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def _benchmarks(where: str, raw: object) -> tuple[str, ...]:
    names = _several(raw)
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigError(f"{where}: {name!r} is not a benchmark; known: {', '.join(BENCHMARKS)}")
    if not names:
        raise ConfigError(f"{where}: names no benchmark; known: {', '.join(BENCHMARKS)}")
    return tuple(name for name in BENCHMARKS if name in names)


def _check_id(where: str, text: str, *, group: bool) -> str:
    measure, _, tail = text, "", ""
    if measure not in BY_ID:
        measure, _, tail = text.rpartition("/")
    if measure not in BY_ID or (group and not tail):
        close = difflib.get_close_matches(text, BY_ID, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        what = "a check (benchmark/metric/group)" if group else "a check or measure"
        raise ConfigError(f"{where}: {text!r} is not {what}{hint}")
    return text.lower()


def _thresholds(where: str, raw: object) -> Mapping[str, float]:
    items = raw.items() if isinstance(raw, Mapping) else (part.partition("=")[::2] for part in _several(raw))
    found: dict[str, float] = {}
    for name, value in items:
        check = _check_id(where, str(name).strip(), group=False)
        # A disparity or a rate lies in [-1, 1]; a threshold outside can only be a typing error (5 for 5 %).
        found[check] = _NUMBER_THRESHOLD(f"{where}: {check}", str(value).strip())  # type: ignore[assignment]
    return found


_NUMBER_THRESHOLD = _number(-1.0, 1.0)


def _gates(where: str, raw: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_check_id(where, part, group=True) for part in _several(raw)))


def _regard(where: str, raw: object) -> str:
    value = _text(where, raw)
    if value == "mini" or (value.startswith("local:") and len(value) > 6):
        return value
    if value.startswith("hub:") and "@" in value[4:] and not value.endswith("@"):
        return value
    raise ConfigError(f"{where}: {value!r} is not mini, hub:ID@REVISION (pin the revision) or local:DIR")


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


_ENGINES = ("auto", "hf", "vllm", "openai", "ray")
_SCALES = ("smoke", "ci", "paper", "full")
_DTYPES = ("float32", "bfloat16", "float16")

OPTIONS: tuple[Option, ...] = (
    Option("model", _text, None, "policy: the model under test (directory or Hub id)", "PATH"),
    Option("reference", _text, None, "reference: the model that the policy was aligned from", "PATH"),
    Option("engine", _one_of(*_ENGINES), "auto", "what runs the models: auto or hf", "NAME"),
    Option("dtype", _one_of(*_DTYPES), "float32", "weights' dtype; log-probs are always float32", "DTYPE"),
    Option("device", _text, "auto", "auto, cpu, cuda or cuda:N", "DEVICE"),
    Option("batch_size", _whole(1, 65536), 64, "prompts in one generation batch (part of the fingerprint)", "N"),
    Option("block_tokens", _whole(16, 65536), 512, "token budget of one prefix-tree block", "N"),
    Option("benchmarks", _benchmarks, BENCHMARKS, "which to run, comma-separated", "LIST", "list"),
    Option("data", _text, "starter", "starter, official, or a directory with the official files", "WHICH"),
    Option("scale", _one_of(*_SCALES), "ci", "how many samples: smoke, ci, paper or full", "SCALE"),
    Option("store", _text, ".rootfruit", "directory of the result store", "DIR"),
    Option("json", _text, None, "write the result as JSON here", "FILE"),
    Option("seed", _whole(0, 2**63 - 1), 0, "seed of samples, draws and resampling", "N"),
    Option("beta", _number(0.0, 1e6, open_low=True), 0.1, "DPO's beta, for the implicit reward's unit", "X"),
    Option("alpha", _number(0.0, 0.5, open_low=True, open_high=True), 0.05, "level of the one-sided bounds", "X"),
    Option("temperature", _number(0.0, 100.0), 1.0, "sampling temperature; 0 is greedy", "X"),
    Option("top_p", _number(0.0, 1.0, open_low=True), 0.95, "nucleus sampling", "X"),
    Option("max_new_tokens", _whole(1, 4096), 32, "length limit of a continuation", "N"),
    Option("continuations", _whole(1, 1000), 1, "continuations per prompt", "N"),
    Option("regard", _regard, "mini", "regard classifier: mini, hub:ID@REVISION or local:DIR", "WHICH"),
    Option("threshold", _thresholds, {}, "own threshold, CHECK=X; may be given several times", "CHECK=X", "list"),
    Option("gate", _gates, (), "gate this check too, benchmark/metric/group; may be repeated", "CHECK", "list"),
    Option("inconclusive", _one_of("fail", "warn"), "fail", "what an inconclusive check does to the release", "HOW"),
    Option("max_unscored", _number(0.0, 1.0), 0.2, "largest share of unscored samples a check may have", "X"),
    Option("absolute_only", _switch, False, "gate without a reference: ceilings only", kind="switch"),
    Option("allow_same", _switch, False, "accept the same weights on both sides", kind="switch"),
    Option("allow_pickle", _switch, False, "accept weights that are not safetensors", kind="switch"),
    Option("trust_remote_code", _switch, False, "let a model bring its own code", kind="switch"),
)
_BY_KEY = {option.key: option for option in OPTIONS}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on. Field meanings are those of `OPTIONS`."""

    model: str | None = None
    reference: str | None = None
    engine: str = "auto"
    dtype: str = "float32"
    device: str = "auto"
    batch_size: int = 64
    block_tokens: int = 512
    benchmarks: tuple[str, ...] = BENCHMARKS
    data: str = "starter"
    scale: str = "ci"
    store: str = ".rootfruit"
    json: str | None = None
    seed: int = 0
    beta: float = 0.1
    alpha: float = 0.05
    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: int = 32
    continuations: int = 1
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

    def threshold_for(self, measure: str, group: str) -> float | None:
        """The user's threshold for a check, else for its measure, else the registry's; None if descriptive."""
        default = BY_ID[measure].threshold
        return self.threshold.get(f"{measure}/{group}", self.threshold.get(measure, default))

    def explain(self) -> dict[str, str]:
        """The settings as strings, for the record; where results go is not part of what was run."""
        skip = {"model", "reference", "store", "json"}
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
        ({_known(key): value for key, value in (table or {}).items()}, lambda o: f"[tool.rootfruit] {o.key}"),
        (ini or {}, lambda o: f"ini key {o.ini}"),
        (cli, lambda o: f"option {o.flag}"),
    )
    for source, name in sources:
        for key, raw in source.items():
            option = _BY_KEY[key]
            if raw is None or (option.kind != "value" and raw in ([], (), "")):
                continue
            values[key] = option.parse(name(option), raw)
    settings = Settings(**values)  # type: ignore[arg-type]
    _contradictions(settings)
    return settings


def _known(key: str) -> str:
    name = key.replace("-", "_")
    if name not in _BY_KEY:
        close = difflib.get_close_matches(name, _BY_KEY, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(_BY_KEY)}"
        raise ConfigError(f"[tool.rootfruit] {key}: unknown key{hint}")
    return name


def _contradictions(settings: Settings) -> None:
    if settings.engine not in {"auto", "hf"}:
        raise ConfigError(
            f"option --rootfruit-engine: {settings.engine!r} is not built in this version; use auto or hf"
        )
    if settings.absolute_only and settings.reference:
        raise ConfigError("options --rootfruit-absolute-only and --reference contradict each other; drop one")
    if settings.reference and not settings.model:
        raise ConfigError("option --reference is given without --model; add --model=PATH, the policy to gate")
    for check in settings.gate:
        measure = check.rpartition("/")[0]
        if settings.threshold_for(measure, check.rpartition("/")[2]) is None:
            raise ConfigError(
                f"option --rootfruit-gate: {check!r} has no threshold; add --rootfruit-threshold {check}=X"
            )
        if BY_ID[measure].benchmark not in settings.benchmarks:
            raise ConfigError(f"option --rootfruit-gate: {check!r} is of a benchmark that is not run")
