"""Continuations from a transformers model, in batches fixed by the plan, with random numbers fixed per sample.

Each draw has its own stream of uniforms, seeded by (seed, prompt id, draw): resuming, sharding or selecting prompts
does not change it. A token is drawn by inverting the cumulative distribution over the vocabulary, most likely first.
Policy and reference thus share random numbers, and a policy that changed little gives nearly the same text, so the
variance of the paired difference falls (common random numbers; Owen, Monte Carlo theory, ch. 8).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rootfruit_checks.base.types import Completion, Prompt, Sampling
from rootfruit_checks.engines.hf.causal_lm import Loaded
from rootfruit_checks.engines.hf.probes import Stepper, smallest_window, text_config
from rootfruit_checks.engines.work_units import Unit

# The nucleus seldom contains more tokens than this; if it does, the whole vocabulary is sorted.
_HEAD_OF_DISTRIBUTION = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts that are continued together: (prompt id, draw) and token ids of each, and the sampling settings."""

    names: list[tuple[str, int]]
    ids: list[list[int]]
    sampling: Sampling


def plan(prompts: Sequence[Prompt], rows: Sequence[list[int]], sampling: Sampling) -> list[Unit]:
    """Cut the draws of all prompts (`rows`: their token ids), sorted by length, into batches."""
    # Requests for the same prompt share one answer, since the prompt fixes its stream of uniforms.
    distinct = {prompt.id: i for i, prompt in enumerate(prompts)}
    jobs = [(i, draw) for i in distinct.values() for draw in range(sampling.continuations)]
    jobs.sort(key=lambda job: (len(rows[job[0]]), prompts[job[0]].id, job[1]))
    how = [sampling.temperature, sampling.top_p, sampling.max_new_tokens, sampling.seed, *sampling.stop]
    units = []
    for start in range(0, len(jobs), sampling.batch_size):
        batch = jobs[start : start + sampling.batch_size]
        names = [(prompts[i].id, draw) for i, draw in batch]
        ids = [rows[i] for i, _ in batch]
        key = hashlib.sha256(json.dumps(["generate/2", how, names, ids]).encode()).hexdigest()
        cost = len(ids) * (len(ids[-1]) + sampling.max_new_tokens)
        units.append(Unit(key, cost, Batch(names, ids, sampling)))
    return units


def read(
    units: Sequence[Unit], held: Mapping[str, bytes], prompts: Sequence[Prompt], sampling: Sampling
) -> list[Completion]:
    """Return the completions in prompt order, draws together."""
    found: dict[tuple[str, int], tuple[str, int, Literal["eos", "length"]]] = {}
    for unit in units:
        found.update(zip(unit.task.names, json.loads(held[unit.key]), strict=True))
    return [
        Completion(prompt.id, draw, *found[prompt.id, draw])
        for prompt in prompts
        for draw in range(sampling.continuations)
    ]


def uniforms(seed: int, prompt_id: str, draw: int, count: int) -> NDArray[np.float64]:
    """Return the `count` uniforms of one draw, shape (count,). They depend only on the arguments."""
    name = json.dumps([seed, prompt_id, draw]).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name).digest()[:16], "big")).random(count)


def run(loaded: Loaded, tokenizer: Any, ends: Sequence[int], batch: Batch) -> bytes:
    """Draw one batch; return JSON of (text, tokens, finish) for each of its rows. `ends`: tokens that end a text."""
    names, sampling = batch.names, batch.sampling
    chance = np.stack([uniforms(sampling.seed, *name, sampling.max_new_tokens) for name in names])
    rows: list[list[int]] = [[] for _ in names]
    for group in _groups(loaded, batch):
        part = _draw(loaded, [batch.ids[row] for row in group], chance[group], ends, sampling)
        for row, tokens in zip(group, part, strict=True):
            rows[row] = tokens
    found = []
    halt = set(ends)
    for mine in rows:
        finish = "eos" if mine and mine[-1] in halt else "length"
        text = tokenizer.decode(mine[:-1] if finish == "eos" else mine, skip_special_tokens=True)
        found.append((text, len(mine), finish))
    return json.dumps(found).encode()


def _groups(loaded: Loaded, batch: Batch) -> list[list[int]]:
    """Return which rows are continued together: all rows, rows of one length, or single rows."""
    way, lengths = loaded.way, [len(ids) for ids in batch.ids]
    window = smallest_window(text_config(loaded.model))
    # Padding takes up space in an attention window; the probe of the model is too short to reveal that.
    if way == "padded" and (window is None or max(lengths) + batch.sampling.max_new_tokens <= window):
        return [list(range(len(lengths)))]
    if way == "alone":
        return [[row] for row in range(len(lengths))]
    return [[row for row, size in enumerate(lengths) if size == wanted] for wanted in sorted(set(lengths))]


def _draw(
    loaded: Loaded, ids: list[list[int]], chance: NDArray[np.float64], ends: Sequence[int], sampling: Sampling
) -> list[list[int]]:
    """Return the drawn tokens of each row; `chance` has shape (rows, steps)."""
    import torch

    device = loaded.device
    uniform = torch.from_numpy(chance).to(device)
    stops = torch.tensor(list(ends), device=device)
    drawn = torch.full(chance.shape, -1, dtype=torch.long, device=device)
    ended = torch.zeros(len(ids), dtype=torch.bool, device=device)
    with torch.inference_mode():
        stepper = Stepper(loaded.model, ids, recompute=loaded.way in ("recomputed", "alone"))
        for step in range(chance.shape[1]):
            chosen = _choose(stepper.logits().float(), uniform[:, step], sampling)
            drawn[:, step] = torch.where(ended, drawn[:, step], chosen)
            ended |= torch.isin(chosen, stops)
            if bool(ended.all()):
                break
            stepper.append(chosen)
    return [[token for token in row if token >= 0] for row in drawn.tolist()]


def _choose(logits: Any, chance: Any, sampling: Sampling) -> Any:
    """Return the drawn token of each row, shape (b,); `logits` (b, v), `chance` (b,) in [0, 1)."""
    import torch

    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = (
        logits.double() / sampling.temperature
        if logits.shape[1] <= _HEAD_OF_DISTRIBUTION
        else logits / sampling.temperature
    )
    total = torch.logsumexp(scaled, dim=-1, keepdim=True)
    size = min(_HEAD_OF_DISTRIBUTION, scaled.shape[1])
    values, order = torch.topk(scaled, size, dim=-1)
    mass = (values - total).double().exp().cumsum(dim=-1)
    if size < scaled.shape[1] and bool((mass[:, -1] < sampling.top_p).any()):
        values, order = torch.sort(scaled, dim=-1, descending=True, stable=True)
        mass = (values - total).double().exp().cumsum(dim=-1)
    # The nucleus: the most likely tokens up to and including the one that reaches top_p.
    wanted = torch.full_like(mass[:, :1], min(sampling.top_p, 1.0))
    last = torch.searchsorted(mass, wanted).clamp(max=mass.shape[1] - 1)
    kept = mass.gather(1, last)
    place = torch.searchsorted(mass, chance.double()[:, None] * kept, right=True)
    return order.gather(1, torch.minimum(place, last))[:, 0]
