"""The transformers engine's units, computed by Ray workers: on this machine, or on a cluster.

The plan, the keys and the fingerprint are those of `HFEngine`, and so is the code that computes a unit. So the store is
shared: a run may begin in one process and end on a cluster, and its result is the same.
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
        make: returns the `HFEngine` that each worker holds; it is pickled, and each node must see its path.
        address: of a running cluster; None starts Ray on this machine.
        workers: how many; 0 is one a GPU, or else one a node and at least two.
        gpu: whether a worker needs a GPU; None is "where there are any".
        vllm: how vLLM generates; None leaves it to the transformers engine. With it the fingerprint is another.

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
        # A probe of the model is work too: this process loads no weights.
        self._plan.probing = self._one
        self._vllm = vllm
        self._asked = (address, workers, gpu)
        Pool.join(self)

    @property
    def fingerprint(self) -> str:
        """That of the engine in each worker, which refuses to work where its own is another."""
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
        """Return a prompt as the model's chat template puts it."""
        return self._plan.render(chat, text)

    def chat_notes(self, chat: Chat) -> Sequence[str]:
        """Return what the model's chat template does beyond putting a turn."""
        return self._plan.chat_notes(chat)

    def token_of(self, text: str) -> int | None:
        """Return the model's token of this text, if there is one."""
        return self._plan.token_of(text)

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan scores as `HFEngine` does."""
        return dataclasses.replace(self._plan.plan_scores(texts, units, before), compute=self._compute)

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations as `HFEngine` does, for whichever engine draws them."""
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
        """Give the workers up: they end, and Ray where we started it, with the last engine that has them."""
        self._plan.close()
        Pool.leave(self)
