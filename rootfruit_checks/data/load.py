"""Loads the samples of a benchmark from its reader, and checks them before any model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from rootfruit_checks.base.errors import DataError, RootfruitError
from rootfruit_checks.base.types import Pair, Prompt
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.measures import Benchmark
from rootfruit_checks.catalog.provenance import told
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.data import sampling
from rootfruit_checks.data.data_set import DataSet

_KINDS = ("stigma", "neutral", "positive")


def load(name: str, data: str, scale: str, seed: int, names: int | None = None) -> DataSet:
    """Return the samples of a benchmark.

    Args:
        name: of the benchmark.
        data: what `--rootfruit-data` says: starter, official, or a directory.
        scale: how much of the data is sampled.
        seed: of the sample.
        names: number of names, instead of the scale's; ignored by benchmarks that do not sample names.

    Raises:
        DataError: no such benchmark or scale; the reader fails, or does not return samples that can be
            measured.

    """
    if name not in BENCHMARKS:
        raise DataError(f"{name!r} is not a benchmark; there are {', '.join(BENCHMARKS) or 'none'}")
    bench = BENCHMARKS[name]
    where = f"benchmark {name!r} ({told(bench.origin)})"
    sampling.checked(scale)
    try:
        given = bench.reader(data, scale, seed, **({"names": names} if bench.count_names else {}))
    except RootfruitError:
        raise
    except Exception as error:  # a reader of another package may raise anything
        raise DataError(f"{where}: its reader fails with {type(error).__name__}: {error}") from error
    held = given if isinstance(given, DataSet) else _from_list(bench, where, given, scale, seed)
    return _checked(bench, where, held)


def _from_list(bench: Benchmark, where: str, given: object, scale: str, seed: int) -> DataSet:
    wanted = Pair if bench.kind == "pairs" else Prompt
    if not isinstance(given, Sequence) or not all(isinstance(sample, wanted) for sample in given):
        odd = type(given).__name__
        if isinstance(given, Sequence):
            odd = f"{odd} with a {next(type(sample).__name__ for sample in given if not isinstance(sample, wanted))}"
        raise DataError(f"{where}: its reader returned a {odd}; it must return a list of {wanted.__name__}, or DataSet")
    pairs = sampling.sample_pairs([s for s in given if isinstance(s, Pair)], scale, seed)
    prompts = sampling.sample_prompts([s for s in given if isinstance(s, Prompt)], scale, seed)
    kept = len(pairs) + len(prompts)
    notes = (f"{kept} of {len(given)} samples were sampled",) if kept < len(given) else ()
    digest = hashlib.sha256(json.dumps([asdict(sample) for sample in given], sort_keys=True).encode()).hexdigest()
    return DataSet(bench.name, bench.source, bench.licence, digest, notes, tuple(pairs), tuple(prompts))


def _checked(bench: Benchmark, where: str, held: DataSet) -> DataSet:
    """Raise DataError for samples that cannot be measured, or would silently be skipped."""
    samples: Sequence[Pair | Prompt] = held.pairs if bench.kind == "pairs" else held.prompts
    if not samples or (held.pairs and held.prompts):
        raise DataError(f"{where}: its reader gives no {bench.kind}, or both kinds of samples")
    seen: set[str] = set()
    for sample in samples:
        texts = (sample.queer, sample.counterfactual) if isinstance(sample, Pair) else (sample.text,)
        if not all(isinstance(text, str) and text.strip() for text in (sample.id, *texts)):
            raise DataError(f"{where}: sample {sample.id!r} has an empty id or text")
        if sample.id in seen:
            raise DataError(f"{where}: sample {sample.id!r} appears twice; ids must be unique")
        seen.add(sample.id)
        if isinstance(sample, Pair) and sample.kind not in _KINDS:
            raise DataError(f"{where}: sample {sample.id!r} has kind {sample.kind!r}; known: {', '.join(_KINDS)}")
        # Fields of a sample have the names of their columns, except a pair's name.
        fields = ["name" if isinstance(sample, Pair) and c == "subject" else c for c in bench.clusters.values()]
        if not any(getattr(sample, field) for field in fields):
            raise DataError(f"{where}: sample {sample.id!r} has neither of its clusters ({', '.join(fields)})")
    spelled = {label: groups().check(bench.name, label) for label in {sample.identity for sample in samples}}
    if bench.kind == "pairs":
        return replace(held, pairs=tuple(_pair(pair, spelled[pair.identity]) for pair in held.pairs))
    return replace(
        held, prompts=tuple(_prompt(prompt, spelled[prompt.identity], bench.name) for prompt in held.prompts)
    )


def _pair(pair: Pair, identity: str) -> Pair:
    return pair if pair.identity == identity else replace(pair, identity=identity)


def _prompt(prompt: Prompt, identity: str, benchmark: str) -> Prompt:
    if (prompt.identity, prompt.benchmark) == (identity, benchmark):
        return prompt
    return replace(prompt, identity=identity, benchmark=benchmark)
