"""An adapter (LoRA) in vLLM, named in each request. It only generates.

vLLM 0.32 gives no log-probs of a prompt with an adapter: it counts the rows at the head by requests, although a
prompt has one row per token (an error on the CPU). So the prefix tree scores (see `load.chosen`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import TokenScores
from rootfruit_checks.engines.hf.adapter import AdapterFiles
from rootfruit_checks.engines.vllm.engine import VLLMEngine
from rootfruit_checks.engines.vllm.setup import VLLMSetup
from rootfruit_checks.engines.work_units import FORGET, Units, Work

# The ranks that vLLM reserves memory for; it accepts no others.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


class VLLMAdapterEngine(VLLMEngine):
    """A base with a LoRA adapter, run by vLLM.

    Args:
        path: the adapter's directory.
        base: its base's directory.
        setup: the settings of vLLM.

    Raises:
        EngineError: vLLM does not support this type of adapter, or it cannot be loaded.

    """

    def __init__(self, path: str | Path, base: str | Path, setup: VLLMSetup | None = None) -> None:
        super().__init__(base, setup)
        self._files = AdapterFiles(Path(path), allow_pickle=self._setup.allow_pickle)
        self.lora = {"path": str(self._files.path.absolute()), "rank": self._rank()}

    def _rank(self) -> int:
        config = self._files.config
        beyond = [key for key in ("use_dora", "modules_to_save", "trainable_token_indices") if config.get(key)]
        if config["peft_type"] != "LORA" or beyond or config.get("bias", "none") != "none":
            what = ", ".join(beyond) or f"type {config['peft_type']}, bias {config.get('bias', 'none')}"
            raise EngineError(
                f"{self._files.path}: vLLM supports plain LoRA, not {what}; use --rootfruit-engine=hf, or merge it"
            )
        more = sorted(name for name in self._files.names if ".lora_" not in name)
        if more:
            raise EngineError(
                f"{self._files.path}: vLLM supports plain LoRA, not embeddings or other whole tensors ({more[0]}); "
                "use --rootfruit-engine=hf, or merge it"
            )
        rows, tokens = self._rows, self._files.tokens(self.tokenizer)
        if rows is not None and tokens > rows:
            raise EngineError(
                f"{self._files.path}: its tokenizer has {tokens} tokens and the base {rows}, which vLLM does not "
                "resize; use --rootfruit-engine=hf, or merge it"
            )
        rank = max([int(config.get("r", 8)), *map(int, (config.get("rank_pattern") or {}).values())])
        if rank > _RANKS[-1]:
            raise EngineError(
                f"{self._files.path}: vLLM supports ranks up to {_RANKS[-1]}, not {rank}; merge it into its base"
            )
        return next(known for known in _RANKS if known >= rank)

    @cached_property
    def fingerprint(self) -> str:
        """The base's fingerprint, with the adapter's weights, configuration and tokenizer."""
        parts = ("vllm-adapter/1", super().fingerprint, *self._files.digests)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Refuse."""
        raise EngineError(f"{self._files.path}: vLLM gives no log-probs of a prompt with an adapter; use PairEngine")

    @property
    def record(self) -> Mapping[str, str]:
        """The record of the base, with the adapter's entries."""
        return {**super().record, **self._files.told("LORA")}

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer next to the adapter, or the base's."""
        return self._files.tokenizer(self.path, self._trust)
