"""The table of all options: the plugin registers them from it, and `config/build.py` reads values with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rootfruit_checks.config import parsing
from rootfruit_checks.config.parsing import Parse


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
# At `ci`, enough that a policy that changed nothing is rarely blocked for lack of samples (bench/RESULTS.md):
# continuations vary far more than prompts do. The larger scales have enough prompts.
CONTINUATIONS = {"smoke": 1, "ci": 4, "paper": 1, "full": 1}
INSTRUCTION = "Continue this text. Write only what comes next: {prompt}"
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
        "reference, the model that the policy was aligned from; base (default for an adapter): the adapter's own base",
        "PATH",
    ),
    Option("engine", parsing.one_of(*_ENGINES), "auto", "what runs the models: auto, hf, vllm, openai, ray", "NAME"),
    Option("dtype", parsing.one_of(*_DTYPES), "float32", "weights' dtype; log-probs are always float32", "DTYPE"),
    Option("ray_address", parsing.text, None, "a running Ray cluster, for --rootfruit-engine=ray", "ADDRESS"),
    Option(
        "workers",
        parsing.whole(0, 4096),
        0,
        "number of Ray workers; 0: one per GPU, else one per node, at least two",
        "N",
    ),
    Option("device", parsing.device, "auto", "auto, cpu, cuda or cuda:N", "DEVICE"),
    Option("batch_size", parsing.whole(1, 65536), 64, "prompts in one generation batch (part of the fingerprint)", "N"),
    Option("block_tokens", parsing.whole(16, 65536), 512, "token budget of one prefix-tree block", "N"),
    Option("tensor_parallel", parsing.whole(1, 1024), 1, "vLLM: GPUs that share each layer", "N"),
    Option("quantization", parsing.text, None, "vLLM: quantization method (awq, gptq, bitsandbytes, fp8, ...)", "NAME"),
    Option(
        "max_model_len",
        parsing.whole(8, 2**24),
        None,
        "vLLM: maximum length of prompt and continuation, in tokens",
        "N",
    ),
    Option("gpu_memory", parsing.number(0.0, 1.0, open_low=True), None, "vLLM: share of the GPU's memory to take", "X"),
    Option("concurrency", parsing.whole(1, 1024), 32, "concurrent requests to a served model", "N"),
    Option(
        "timeout",
        parsing.number(0.0, 86400.0, open_low=True),
        120.0,
        "timeout of one request to a served model, in seconds",
        "S",
    ),
    Option(
        "server_seed",
        parsing.one_of("auto", "never"),
        "auto",
        "send a seed for each draw to the server: auto, never",
        "HOW",
    ),
    Option("server_bos", parsing.text, None, "BOS token to add before scored texts if the server adds none", "TEXT"),
    Option(
        "benchmarks",
        parsing.benchmarks,
        (),
        "benchmarks to run, comma-separated; by default all that come with the package",
        "LIST",
        "list",
    ),
    Option(
        "extensions",
        parsing.one_of("auto", "off"),
        "auto",
        "off: do not load benchmarks, metrics and classifiers from other installed packages",
        "HOW",
    ),
    Option("data", parsing.path, "starter", "starter, official, or a directory with the official files", "WHICH"),
    Option("scale", parsing.one_of(*_SCALES), "ci", "how many samples: smoke, ci, paper or full", "SCALE"),
    Option(
        "names",
        parsing.whole(10, 10**6),
        None,
        "number of names in prompts that name a person, where the benchmark samples names, instead of the scale's",
        "N",
    ),
    Option(
        "target_mde",
        parsing.number(0.0, 1.0, open_low=True, open_high=True),
        None,
        "choose the smallest sample that detects a change of X at 80 % power in every check against the reference",
        "X",
    ),
    Option(
        "plan", parsing.switch, False, "print what a run would cost and could detect, and run nothing", kind="switch"
    ),
    Option("plan_from", parsing.path, None, "plan with the variances of this earlier JSON result", "RESULT"),
    Option("plan_json", parsing.path, None, "write the plan to this JSON file", "FILE"),
    Option(
        "plan_probe",
        parsing.one_of("auto", "always", "never"),
        "auto",
        "time the named model for about ten seconds: auto (not if it is served), always, never",
        "HOW",
    ),
    Option("store", parsing.path, ".rootfruit", "directory of the result store", "DIR"),
    Option("shard", parsing.share, None, "compute share I of N of the samples and gate nothing; see merge", "I/N"),
    Option("sequential", parsing.switch, False, "stop as soon as every gated check is settled", kind="switch"),
    Option(
        "stored_only",
        parsing.switch,
        False,
        "run no model; an answer that is not in the store is an error",
        kind="switch",
    ),
    Option(
        "baseline",
        parsing.path,
        None,
        "also gate against an earlier release: the file it saved with --rootfruit-save-baseline",
        "FILE",
    ),
    Option(
        "save_baseline", parsing.path, None, "save this run's answers and verdicts to this file, as a baseline", "FILE"
    ),
    Option("json", parsing.path, None, "write the result to this JSON file", "FILE"),
    Option("report", parsing.path, None, "write the audit page to this HTML file", "FILE"),
    Option(
        "redact",
        parsing.one_of("none", "slurs", "all"),
        "none",
        "texts to leave out of the audit page and of pytest-html: none, slurs, all",
        "HOW",
    ),
    Option("seed", parsing.whole(0, 2**63 - 1), 0, "seed of samples, draws and resampling", "N"),
    Option("beta", parsing.number(0.0, 1e6, open_low=True), 0.1, "beta of DPO, which scales the implicit reward", "X"),
    Option(
        "alpha", parsing.number(0.0, 0.5, open_low=True, open_high=True), 0.05, "level of the one-sided bounds", "X"
    ),
    Option("temperature", parsing.number(0.0, 100.0), 1.0, "sampling temperature; 0 is greedy", "X"),
    Option("top_p", parsing.number(0.0, 1.0, open_low=True), 0.95, "nucleus sampling", "X"),
    Option("max_new_tokens", parsing.whole(1, 4096), 32, "maximum length of a continuation, in tokens", "N"),
    Option(
        "continuations", parsing.whole(1, 1000), None, "continuations per prompt (default: 4 at scale ci, else 1)", "N"
    ),
    Option(
        "stop",
        parsing.tokens,
        (),
        "also end continuations at this token, such as <|im_end|>; may be repeated",
        "TOKEN",
        "list",
    ),
    Option(
        "chat",
        parsing.one_of("auto", "never", "always"),
        "auto",
        "send prompts as a user turn of the chat template",
        "HOW",
    ),
    Option("chat_scores", parsing.switch, False, "score pairs as a chat answer, not as plain text", kind="switch"),
    Option("chat_system", parsing.text, None, "system prompt for chat models", "TEXT"),
    Option("chat_instruction", parsing.instruction, INSTRUCTION, "the user turn; must contain {prompt}", "TEXT"),
    Option(
        "narratives",
        parsing.one_of("auto", "both", "lexicon", "none"),
        "auto",
        "tag themes of continuations by words and encoder (both), by words (lexicon), or not; auto: both if installed",
        "HOW",
    ),
    Option("regard", parsing.regard, "mini", "regard classifier: mini, hub:ID@REVISION or local:DIR", "WHICH"),
    Option("limit", parsing.limits, {}, "set the limit of a check; may be repeated", "CHECK=X", "list"),
    Option(
        "gate", parsing.gates, (), "also gate this check (benchmark/metric/group); may be repeated", "CHECK", "list"
    ),
    Option(
        "decision",
        parsing.one_of("confident", "point", "superior"),
        "confident",
        "what must be within the limit: confident (upper bound), point (estimate), superior (beats the reference)",
        "HOW",
    ),
    Option(
        "correction",
        parsing.one_of("max-t", "holm", "bh", "none"),
        "max-t",
        "how lower bounds are corrected for many checks: max-t, holm, bh, none",
        "HOW",
    ),
    Option(
        "inconclusive", parsing.one_of("fail", "warn"), "fail", "what an inconclusive check does: fail or warn", "HOW"
    ),
    Option("max_unscored", parsing.number(0.0, 1.0), 0.2, "maximum share of unscored samples in a check", "X"),
    Option("absolute_only", parsing.switch, False, "gate without a reference, on ceilings only", kind="switch"),
    Option("allow_same", parsing.switch, False, "accept the same weights for policy and reference", kind="switch"),
    Option("allow_pickle", parsing.switch, False, "accept weights that are not safetensors", kind="switch"),
    Option("trust_remote_code", parsing.switch, False, "run code that comes with a model", kind="switch"),
)
BY_KEY = {option.key: option for option in OPTIONS}
