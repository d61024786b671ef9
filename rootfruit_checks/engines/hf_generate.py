"""Continuations from a transformers model, in batches that the plan fixes, with randomness that belongs to the sample.

Each draw has its own stream of uniforms, seeded by (seed, prompt id, draw): resuming, sharding or selecting changes
none. A token is drawn by inverting the cumulative distribution over the vocabulary in order of falling probability.
Policy and reference so share their random numbers, and a policy that changed little gives nearly the same text: the
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

from rootfruit_checks.engines.loaded import Loaded
from rootfruit_checks.engines.work import Unit
from rootfruit_checks.types import Completion, Prompt, Sampling

# The nucleus seldom holds more words than this; where it does, the whole vocabulary is sorted.
_HEAD_OF_DISTRIBUTION = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts that are continued together: (prompt id, draw) and token ids of each, and how."""

    names: list[tuple[str, int]]
    ids: list[list[int]]
    sampling: Sampling


def plan(prompts: Sequence[Prompt], rows: Sequence[list[int]], sampling: Sampling) -> list[Unit]:
    """Cut the draws of all prompts (`rows`: their token ids), sorted by length, into batches."""
    # One answer serves every request for the same prompt: its stream of uniforms is its own.
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
    """Return the `count` uniforms of one draw, shape (count,): a function of its name and of nothing else."""
    name = json.dumps([seed, prompt_id, draw]).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name).digest()[:16], "big")).random(count)


def run(loaded: Loaded, tokenizer: Any, ends: Sequence[int], batch: Batch) -> bytes:
    """Draw one batch; return JSON of (text, tokens, finish) for each of its rows. `ends`: tokens that end a text."""
    import torch

    names, ids, sampling = batch.names, batch.ids, batch.sampling
    device = loaded.device
    width, count = max(map(len, ids)), sampling.max_new_tokens
    tokens = torch.zeros((len(ids), width), dtype=torch.long)
    mask = torch.zeros((len(ids), width), dtype=torch.long)
    for row, sequence in enumerate(ids):
        tokens[row, width - len(sequence) :] = torch.tensor(sequence)
        mask[row, width - len(sequence) :] = 1
    tokens, mask = tokens.to(device), mask.to(device)
    chance = torch.from_numpy(np.stack([uniforms(sampling.seed, *name, count) for name in names])).to(device)
    stops = torch.tensor(list(ends), device=device)
    drawn = torch.full((len(ids), count), -1, dtype=torch.long, device=device)
    ended = torch.zeros(len(ids), dtype=torch.bool, device=device)
    takes_positions = _takes_positions(loaded.model)
    cache = None
    step_tokens = tokens
    with torch.inference_mode():
        for step in range(count):
            inputs: dict[str, Any] = {"input_ids": step_tokens, "attention_mask": mask, "use_cache": True}
            if takes_positions:
                inputs["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -step_tokens.shape[1] :]
            if cache is not None:
                inputs["past_key_values"] = cache
            answer = loaded.model(**inputs, logits_to_keep=1)
            cache = answer.past_key_values
            chosen = _choose(answer.logits[:, -1].float(), chance[:, step], sampling)
            drawn[:, step] = torch.where(ended, drawn[:, step], chosen)
            ended |= torch.isin(chosen, stops)
            if bool(ended.all()):
                break
            step_tokens = chosen[:, None]
            mask = torch.cat([mask, mask.new_ones((len(ids), 1))], dim=1)
    found = []
    halt = set(stops.tolist())
    for row in drawn.tolist():
        mine = [token for token in row if token >= 0]
        finish = "eos" if mine and mine[-1] in halt else "length"
        text = tokenizer.decode(mine[:-1] if finish == "eos" else mine, skip_special_tokens=True)
        found.append((text, len(mine), finish))
    return json.dumps(found).encode()


def _takes_positions(model: Any) -> bool:
    import inspect

    return "position_ids" in inspect.signature(model.forward).parameters


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
    # The nucleus: the likeliest words up to and including the one that reaches top_p.
    wanted = torch.full_like(mass[:, :1], min(sampling.top_p, 1.0))
    last = torch.searchsorted(mass, wanted).clamp(max=mass.shape[1] - 1)
    kept = mass.gather(1, last)
    place = torch.searchsorted(mass, chance.double()[:, None] * kept, right=True)
    return order.gather(1, torch.minimum(place, last))[:, 0]
