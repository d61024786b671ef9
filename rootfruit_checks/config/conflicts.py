"""Rejects options that contradict each other, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.catalog.registry import MEASURES, kind_of
from rootfruit_checks.config import endpoints

if TYPE_CHECKING:
    from rootfruit_checks.config.settings import Settings


def refuse(settings: Settings) -> None:
    """Raise ConfigError, naming both options and which to drop."""
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
    if settings.chat_scores and "pairs" not in map(kind_of, settings.benchmarks):
        raise ConfigError(
            "option --rootfruit-chat-scores: is for sentence pairs, but no selected benchmark has them; drop it"
        )
    if settings.stop and "prompts" not in map(kind_of, settings.benchmarks):
        raise ConfigError("option --rootfruit-stop: ends continuations, but no selected benchmark has any; drop it")
    if settings.absolute_only and settings.reference:
        raise ConfigError("options --rootfruit-absolute-only and --reference contradict each other; drop one")
    if settings.absolute_only and settings.decision == "superior":
        raise ConfigError(
            "options --rootfruit-decision=superior and --rootfruit-absolute-only contradict each other: "
            "without a reference there is nothing to be better than; drop one"
        )
    if settings.shard and settings.save_baseline:
        raise ConfigError(
            "options --rootfruit-shard and --rootfruit-save-baseline contradict each other: a share has no result; "
            "save when the shards are merged: rootfruit merge ... -- --rootfruit-save-baseline=FILE"
        )
    _sequential(settings)
    if settings.baseline and settings.save_baseline:
        old, new = (Path(path).absolute() for path in (settings.baseline, settings.save_baseline))
        if old == new:
            raise ConfigError(
                "option --rootfruit-save-baseline: names the baseline that this run is compared with, so a series of "
                "slightly worse releases would each pass; name another file"
            )
    if settings.plan_from and not (settings.plan or settings.target_mde):
        raise ConfigError(
            "option --rootfruit-plan-from is for --rootfruit-plan and --rootfruit-target-mde; add one, or drop it"
        )
    if settings.plan_json and not settings.plan:
        raise ConfigError("option --rootfruit-plan-json is for --rootfruit-plan; add that, or drop it")
    if settings.target_mde and settings.scale == "smoke":
        raise ConfigError(
            "option --rootfruit-target-mde chooses the sample, but --rootfruit-scale=smoke is only for trying things "
            "out; use ci"
        )
    if settings.target_mde and settings.absolute_only:
        raise ConfigError(
            "option --rootfruit-target-mde is about changes from the reference, but --rootfruit-absolute-only gates "
            "none; drop one"
        )
    if settings.shard and settings.stored_only:
        raise ConfigError("options --rootfruit-shard and --rootfruit-stored-only contradict each other; drop one")
    if settings.reference and not settings.model:
        raise ConfigError("option --reference is given without --model; add --model=PATH, the policy to gate")
    for check in settings.gate:
        measure = MEASURES[check.rpartition("/")[0]]
        if measure.benchmark not in settings.benchmarks:
            raise ConfigError(f"option --rootfruit-gate: {check!r} is of a benchmark that is not selected")
        if measure.needs_baseline and not settings.baseline:
            raise ConfigError(f"option --rootfruit-gate: {check!r} needs --rootfruit-baseline=FILE")
        if measure.needs_reference and settings.absolute_only:
            raise ConfigError(
                f"option --rootfruit-gate: {check!r} needs a reference, which --rootfruit-absolute-only rules out"
            )


def _sequential(settings: Settings) -> None:
    """Reject options that cannot be combined with sequential looks."""
    others = {
        "--rootfruit-shard": (settings.shard, "a share of the samples cannot tell whether a check is settled"),
        "--rootfruit-decision=point": (settings.decision == "point", "without bounds every check is settled at once"),
        "--rootfruit-baseline": (settings.baseline, "an earlier release is compared on whole samples"),
        "--rootfruit-save-baseline": (settings.save_baseline, "a baseline holds whole samples"),
    }
    for option, (given, why) in others.items() if settings.sequential else ():
        if given:
            raise ConfigError(f"options --rootfruit-sequential and {option} contradict each other: {why}; drop one")


def _served(settings: Settings) -> None:
    """Reject an engine that cannot run the named models, and a served model compared with a local one."""
    named = {"--model": settings.model, "--reference": settings.reference}
    served = {option: endpoints.is_served(name) for option, name in named.items() if name}
    if len(set(served.values())) == 2:
        raise ConfigError(
            "options --model and --reference: one is served and the other is not. Both must run on the same engine, "
            "or a difference between engines would look like one between models; serve both, or neither"
        )
    if settings.chat_scores and any(served.values()):
        raise ConfigError(
            "option --rootfruit-chat-scores: servers do not expose their chat template, so a served model is scored on "
            "plain text only; drop it, or run the model here"
        )
    if settings.stop and any(served.values()):
        raise ConfigError(
            "option --rootfruit-stop: a server ends a text by its own tokens; drop it, or run the model here"
        )
    for option, is_served in served.items():
        if is_served and settings.engine not in {"auto", "openai"}:
            raise ConfigError(f"option {option}: {settings.engine} runs no served model; use --rootfruit-engine=openai")
        if not is_served and settings.engine == "openai":
            raise ConfigError(
                f"option {option}: --rootfruit-engine=openai runs served models; {named[option]!r} is not an address; "
                "write http://HOST:PORT/v1#NAME"
            )
