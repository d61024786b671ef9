"""The transformers engine's units, computed by Ray workers on this machine or on a cluster.

The plan, the keys, the fingerprint and the code that computes a unit are those of `HFEngine`. So the store is shared: a
run may begin in one process and finish on a cluster with the same result.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.types import Chat, Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.engines.hf.engine import HFEngine
from rootfruit_checks.engines.ray import llm
from rootfruit_checks.engines.ray.llm import VLLM
from rootfruit_checks.engines.ray.pool import Pool, Recipe
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work


class RayEngine:
    """An engine of Ray workers.

    Args:
        make: returns the `HFEngine` for each worker; it is pickled, and each node must see its path.
        address: address of a running cluster; None starts Ray on this machine.
        workers: number of workers; 0 means one per GPU, or without GPUs one per node and at least two.
        gpu: whether a worker needs a GPU; None means "if there are any".
        vllm: how vLLM generates; None leaves generation to the transformers engine. Setting it changes the fingerprint.

    Raises:
        EngineError: the directory holds no causal model that may be loaded.

    """

    def __init__(
        self,
        make: Callable[[], HFEngine],
        *,
        address: str | None = None,
        workers: int = 0,
        gpu: bool | None = None,
        vllm: VLLM | None = None,
    ) -> None:
        self._make = make
        self._plan = make()
        # Probes of the model run in workers too, because this process loads no weights.
        self._plan.probing = self._one
        self._vllm = vllm
        self._asked = (address, workers, gpu)
        Pool.join(self)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the engine in each worker. A worker with a different one refuses to work."""
        if self._vllm is None:
            return self._plan.fingerprint
        return hashlib.sha256("\n".join((self._plan.fingerprint, *self._vllm.identity())).encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """What ran in each worker."""
        if self._vllm is None:
            return self._plan.record
        return {**self._plan.record, "generation": f"vLLM {llm.version()} in Ray workers"}

    def pieces(self, text: str, ids: NDArray[np.int32]) -> list[str]:
        """Return the text of each token."""
        return self._plan.pieces(text, ids)

    def render(self, chat: Chat, text: str) -> str | None:
        """Return a prompt rendered by the model's chat template."""
        return self._plan.render(chat, text)

    def chat_notes(self, chat: Chat) -> Sequence[str]:
        """Return how the chat template's rendering differs from its defaults."""
        return self._plan.chat_notes(chat)

    def token_of(self, text: str) -> int | None:
        """Return the model's token with this text, if there is one."""
        return self._plan.token_of(text)

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan scores as `HFEngine` does."""
        return dataclasses.replace(self._plan.plan_scores(texts, units, before), compute=self._compute)

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations as `HFEngine` does, whichever engine draws them."""
        compute = self._compute if self._vllm is None else self._draw
        return dataclasses.replace(self._plan.plan_generation(prompts, sampling), compute=compute)

    def _compute(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        if units:
            pool = Pool.shared(self, *self._asked)
            yield from pool.stream(Recipe(self._make, self._plan.fingerprint), units)

    def _draw(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        if units and self._vllm is not None:
            pool = Pool.shared(self, *self._asked)
            pool.rest()
            ends = self._plan.ends(units[0].task.sampling)
            yield from llm.compute(pool.ray, self._vllm, units, ends)

    def _one(self, task: Any) -> bytes:
        return dict(self._compute([Unit("probe", 1, task)]))["probe"]

    def check(self) -> None:
        """Check the model's files."""
        self._plan.check()

    def close(self) -> None:
        """Release the workers. With the last engine that uses them, they end, and so does Ray if we started it."""
        self._plan.close()
        Pool.leave(self)
