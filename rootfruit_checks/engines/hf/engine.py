"""The transformers engine: scores on the prefix tree where the model allows it, generates in fixed batches."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Completion, Prompt, Sampling, TokenScores
from rootfruit_checks.base.version import __version__
from rootfruit_checks.engines import quantized
from rootfruit_checks.engines.hf import flat_batches, generation, prefix_tree, probes, tree_forward
from rootfruit_checks.engines.hf.causal_lm import Loaded, load_model
from rootfruit_checks.engines.hf.model_dir import ModelDir
from rootfruit_checks.engines.work_units import FORGET, Unit, Units, Work

_TREE = b"prefix tree"
_ALONE = "one sentence at a time"
_Scores = dict[tuple[int, ...], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Probe:
    """Sentences, after `root`, for comparing the scoring methods: a task like any other."""

    sequences: list[tuple[int, ...]]
    root: int


class HFEngine(ModelDir):
    """A model directory, run by transformers. The weights are loaded when a unit must be computed, not before.

    Args:
        path: a model directory.
        dtype: float32, bfloat16 or float16; the head and the log-softmax are float32 in any case.
        device: auto, cpu, cuda or cuda:N.
        block_tokens: token budget of one block of the prefix tree.
        batch_size: sequences in a flat scoring batch (generation takes its own from `Sampling`).
        allow_pickle: accept weights that are not safetensors.
        trust_remote_code: let the model bring its own code.

    Raises:
        EngineError: the directory holds no causal model that may be loaded.

    """

    def __init__(
        self,
        path: str | Path,
        *,
        dtype: str = "float32",
        device: str = "auto",
        block_tokens: int = 512,
        batch_size: int = 64,
        allow_pickle: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__(path, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
        self._dtype, self._device = dtype, device
        self._block_tokens, self._batch_size = block_tokens, batch_size
        self._model: Loaded | None = None
        self._scoring = ""
        self.stats: dict[str, int] = {}
        # Computes a probe; replaced where this engine plans and other processes compute.
        self.probing: Callable[[Probe], bytes] | None = None

    # -- identity ------------------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, configuration, tokenizer, dtype, device kind, budgets and versions."""
        parts = (
            "hf/2",
            __version__,
            importlib.metadata.version("transformers"),
            importlib.metadata.version("torch"),
            *self.digests,
            self._dtype,
            self._device.partition(":")[0],
            str(self._block_tokens),
            str(self._batch_size),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def record(self) -> Mapping[str, str]:
        """What ran: how log-probs were computed, BOS handling, dtype, device, versions, digests."""
        told = {
            "engine": f"transformers {importlib.metadata.version('transformers')}",
            "torch": importlib.metadata.version("torch"),
            "architecture": ", ".join(self._config["architectures"]),
            "dtype": self._dtype,
            "device": self._device,
            "bos": self.bos[1],
            "stops": self.ends_in_words,
            "weights": self.digests[0][:16],
            "tokenizer": self.digests[2][:16],
        }
        if packed := quantized.method(self._config):
            told["quantization"] = packed
        return {**told, "scoring": self._scoring} if self._scoring else told

    # -- weights -------------------------------------------------------------------------------------------------------

    def loaded(self) -> Loaded:
        """The model with its weights."""
        if self._model is None:
            self._model = load_model(self.path, self._dtype, self._device, self._allow_pickle, self._trust)
        return self._model

    def close(self) -> None:
        """Free the weights."""
        if self._model is not None:
            self._model.free()
            self._model = None

    # -- scoring -------------------------------------------------------------------------------------------------------

    def plan_scores(self, texts: Sequence[str], units: Units = FORGET, before: str = "") -> Work[TokenScores]:
        """Plan scores on the prefix tree, or in flat batches where the tree must not be used."""
        root, *lead = self.context(before)
        encoded = self.encode(texts, [root, *lead])
        # All texts share the tokens before them: one path of the tree, whose own scores are not used.
        sequences = sorted({(*lead, *ids) for ids in encoded})
        # An empty text has no token to score.
        scored = [ids for ids in sequences if len(ids) > len(lead)]
        reason = self._against_tree(scored, units, root) if scored else ""
        self._scoring = f"flat ({reason})" if reason else _TREE.decode()
        batch_size = 1 if reason.startswith(_ALONE) else self._batch_size
        self.stats = {"flat": sum(map(len, encoded)), "deduplicated": sum(map(len, sequences))}
        read: Callable[[Mapping[str, bytes]], _Scores]
        if reason:
            batches = flat_batches.plan(scored, root, batch_size)
            read = partial(flat_batches.read, batches)
            self.stats["computed"] = self.stats["deduplicated"]
        else:
            tree = prefix_tree.build(scored, root)
            batches = [
                Unit(block.key, len(block.tokens), block) for block in prefix_tree.pack(tree, self._block_tokens)
            ]
            read = partial(_read_tree, tree, batches, scored)
            self.stats |= {"tree": len(tree.tokens), "computed": sum(unit.cost for unit in batches)}
        return Work(
            "score (flat)" if reason else "score",
            batches,
            self._compute,
            lambda held: _scores(encoded, tuple(lead), read(held)),
        )

    def run_task(self, task: Any) -> bytes:
        """Compute the task of one unit: a block of the tree, a flat batch, a batch of prompts; or a probe."""
        loaded = self.loaded()
        if isinstance(task, prefix_tree.Block):
            return tree_forward.run_block(loaded, task).astype("<f4").tobytes()
        if isinstance(task, flat_batches.Batch):
            return flat_batches.run(loaded, task)
        if isinstance(task, Probe):
            return self._probe(task).encode() or _TREE
        return generation.run(loaded, self.tokenizer, self.ends(task.sampling), task)

    def _compute(self, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        for unit in units:
            yield unit.key, self.run_task(unit.task)

    def _against_tree(self, sequences: Sequence[tuple[int, ...]], units: Units, root: int) -> str:
        """Return why the tree must not be used, or "". The result of the probe is stored with the units."""
        # The longest and the shortest sentences and their neighbours: deep paths and shared prefixes.
        middle = len(sequences) // 2
        longest = max(sequences, key=len)
        # A variant of the longest that branches off early: two long branches, which state or distance would mix up.
        twin = longest[: len(longest) // 3] + longest[len(longest) // 3 :][::-1]
        probe = sorted({*sequences[:3], *sequences[middle : middle + 3], longest, twin})
        key = hashlib.sha256(repr(("tree-probe/3", root, probe)).encode()).hexdigest()
        held = units.get(key)
        if held is None:
            held = (self.probing or self.run_task)(Probe(probe, root))
            units.put(key, held)
        return "" if held == _TREE else held.decode()

    def _probe(self, asked: Probe) -> str:
        model = self.loaded()
        probe, root = asked.sequences, asked.root
        # One sentence at a time, without padding or masks: the baseline for all other methods.
        expected = self._flat(probe, root, 1)
        self._check_causal(expected)
        together = self._flat(probe, root, len(probe))
        if not (moved := self._moved(together, expected)) <= self._tolerance:
            return f"{_ALONE}: scored in a batch the log-probs differed by {moved:.2g} nats"
        reason = tree_forward.refusal(model, deepest=max(map(len, probe)))
        if reason:
            return reason
        tree = prefix_tree.build(probe, root)
        found = np.full(len(tree.tokens), np.nan, dtype=np.float32)
        try:
            for block in prefix_tree.pack(tree, self._block_tokens):
                found[block.nodes] = tree_forward.run_block(model, block)
        except probes.REFUSALS as error:
            return f"the architecture does not take an ancestor mask: {type(error).__name__}"
        moved = self._moved({ids: found[path] for ids, path in zip(probe, tree.paths, strict=True)}, expected)
        return "" if moved <= self._tolerance else f"on a probe the tree differed by {moved:.2g} nats"

    @property
    def _tolerance(self) -> float:
        return probes.TOLERANCE if self._dtype == "float32" else probes.TOLERANCE_HALF

    def _moved(self, found: _Scores, wanted: _Scores) -> float:
        """Return how far a sentence's scores moved; in half precision, where single values are noise, the mean."""
        gaps = [np.abs(found[ids] - wanted[ids]) for ids in wanted]
        return max(float(gap.max() if self._dtype == "float32" else gap.mean()) for gap in gaps)

    def _flat(self, sequences: Sequence[tuple[int, ...]], root: int, batch_size: int) -> _Scores:
        units = flat_batches.plan(sequences, root, batch_size)
        return flat_batches.read(units, {unit.key: flat_batches.run(self.loaded(), unit.task) for unit in units})

    def _check_causal(self, scores: _Scores) -> None:
        """Raise if equal beginnings have different scores. Loading only checks a short probe text."""
        longest = max(scores, key=len)
        for cut, twin in ((_common(longest, ids), ids) for ids in scores if len(ids) == len(longest)):
            start = longest[:cut]
            moved = self._moved({start: scores[twin][:cut]}, {start: scores[longest][:cut]}) if cut else 0.0
            if not moved <= self._tolerance:
                raise EngineError(
                    f"{self.path}: the model is not causal: the scores of a text's first {cut} tokens move by "
                    f"{moved:.2g} nats with what follows"
                )

    # -- generation ----------------------------------------------------------------------------------------------------

    def plan_generation(self, prompts: Sequence[Prompt], sampling: Sampling) -> Work[Completion]:
        """Plan continuations; see `generation`."""
        room = None if self._longest is None else self._longest - sampling.max_new_tokens
        rows = self.encode_prompts(prompts, room, sampling.chat)
        batches = generation.plan(prompts, rows, sampling)
        return Work("generate", batches, self._compute, lambda held: generation.read(batches, held, prompts, sampling))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the length of the common prefix of two sequences of the same length."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))


def _scores(
    encoded: Sequence[Sequence[int]], lead: tuple[int, ...], found: Mapping[tuple[int, ...], NDArray[np.float32]]
) -> list[TokenScores]:
    """Return each text's scores, without those of the tokens before it."""
    nothing = np.zeros(0, dtype=np.float32)
    return [
        TokenScores(np.array(ids, dtype=np.int32), found[(*lead, *ids)][len(lead) :] if ids else nothing)
        for ids in encoded
    ]


def _read_tree(
    tree: prefix_tree.Tree, units: Sequence[Unit], sequences: Sequence[tuple[int, ...]], held: Mapping[str, bytes]
) -> dict[tuple[int, ...], NDArray[np.float32]]:
    logprobs = np.full(len(tree.tokens), np.nan, dtype=np.float32)
    for unit in units:
        logprobs[unit.task.nodes] = np.frombuffer(held[unit.key], dtype="<f4")
    return {ids: logprobs[path] for ids, path in zip(sequences, tree.paths, strict=True)}
