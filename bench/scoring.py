"""Sentences per second: prefix tree, flat batches, and lm-eval's HFLM, on the same weights and threads in one run.

    python bench/scoring.py --model DIRECTORY [--threads 2] [--quick] [--without-lm-eval] [--json [FILE]]

Two sets: one in WinoQueer's shape that is made here (45,540 pairs: frames, names, identities and counterfactuals as
upstream's, predicates in our own neutral words), and the starter pairs. The slow twins score a stated sample of the
first set; --quick scores a sample with everything. Exits 1 where a figure is outside its band: at least 6 times
lm-eval on the shaped set (aim: 8), at least 55 % of the fp32 rate that this machine reaches on the model's own layer
shapes. Needs `pip install lm-eval` for the comparison.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from record import Column, Table, add_option, save

from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
from rootfruit_checks.engines.base import score
from rootfruit_checks.engines.hf import flat_batches
from rootfruit_checks.engines.hf.engine import HFEngine

Item = TypeVar("Item")
PAIRS = 45_540
RATIO, AIM, SHARE = 6.0, 8.0, 0.55
NAMES = ("Donna", "Michelle", "Anthony", "Alex", "Casey", "Jordan", "Maria", "Samuel", "Priya", "Omar")
IDENTITIES = {
    ("LGBTQ", "Queer"): ("Straight", "Heterosexual", "Cisgender", "Cis"),
    ("Transgender", "nonbinary"): ("Cisgender", "Cis"),
    ("Bisexual", "Pansexual", "lesbian", "Asexual", "Gay"): ("Straight", "Heterosexual"),
}
VERBS = ("plan", "paint", "clean", "repair", "visit", "describe", "photograph", "remember", "measure", "compare")
THINGS = (
    "the old bridge",
    "a small garden",
    "the kitchen window",
    "a train ticket",
    "the harbor at dawn",
    "a red bicycle",
)
WHEN = ("", " on Mondays", " in the spring", " after work")
FRAMES = (
    "{x} people {p}.",
    "i met many {x} people because they {p}.",
    "{n} is {x} and likes to {p}",
    "everyone says that {x} people {p}.",
)
TITLE = "sentences per second"
COUNTS = ("sentences", "tokens flat", "deduplicated", "in the tree", "computed")
RATES = (
    Column("set"),
    Column("how"),
    Column("sentences measured", "count"),
    Column("sentences/s", "number"),
    Column("share of the fp32 rate", "share"),
)


def shaped_texts() -> list[str]:
    """Return the 91,080 sentences of a set in WinoQueer's shape."""
    people = [(x, y) for group, others in IDENTITIES.items() for x in group for y in others]
    predicates = [f"{v} {t}{w}" for v, t, w in itertools.product(VERBS, THINGS, WHEN)]
    texts: list[str] = []
    for number, (frame, predicate) in enumerate(itertools.product(FRAMES, predicates)):
        names = NAMES if "{n}" in frame else NAMES[number % 10 :][:1]
        for name in names:
            for x, y in people:
                texts += [frame.format(x=x, p=predicate, n=name), frame.format(x=y, p=predicate, n=name)]
                if len(texts) == 2 * PAIRS:
                    return texts
    raise SystemExit(f"the recipe gives {len(texts) // 2} pairs, not {PAIRS}")


def gemm_rate(engine: HFEngine, rows: int) -> float:
    """Return GFLOP/s of fp32 matrix products of a block with the model's own layer shapes, the best of several."""
    import torch

    config = engine.loaded().model.config
    shapes = [(config.hidden_size, config.intermediate_size), (config.intermediate_size, config.hidden_size)]
    best = 0.0
    for _ in range(5):
        flops, begun = 0, time.perf_counter()
        for wide, out in shapes:
            a, b = torch.randn(rows, wide), torch.randn(out, wide)
            for _ in range(40):
                torch.nn.functional.linear(a, b)
            flops += 40 * 2 * rows * wide * out
        best = max(best, flops / (time.perf_counter() - begun) / 1e9)
    return best


def layer_flops(engine: HFEngine, computed: int, read: int) -> float:
    """Multiply-adds times two of `computed` tokens through the layers, and of `read` rows through the head."""
    model = engine.loaded().model
    layers = sum(
        p.numel() for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n and "head" not in n
    )
    return 2.0 * (layers * computed + engine.loaded().head_weight.numel() * read)


def run_tree(engine: HFEngine, texts: Sequence[str]) -> tuple[float, dict[str, int]]:
    """Return seconds and token counts of the prefix tree."""
    begun = time.perf_counter()
    score(engine, texts)
    return time.perf_counter() - begun, dict(engine.stats)


def run_flat(engine: HFEngine, texts: Sequence[str], sample: int) -> tuple[float, int]:
    """Return the seconds of flat batches over the distinct sentences, reckoned from a sample, and the sample's size."""
    distinct = sorted({tuple(ids) for ids in engine.encode(texts)})
    some = evenly(distinct, sample)
    begun = time.perf_counter()
    for unit in flat_batches.plan(some, engine.bos[0], 64):
        engine.run_task(unit.task)
    return (time.perf_counter() - begun) * len(distinct) / len(some), len(some)


def evenly(items: Sequence[Item], count: int) -> Sequence[Item]:
    """Return about `count` of the items, spread over all of them: neither the short first ones nor the long last."""
    return items[:: max(1, len(items) // count)]


def run_lm_eval(path: Path, texts: Sequence[str]) -> float:
    """Return seconds of lm-eval's HFLM, batch 64, on the texts as it is given them."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(path), device="cpu", dtype="float32", batch_size=64)
    requests = [Instance("loglikelihood", {}, ("", text), i) for i, text in enumerate(texts)]
    begun = time.perf_counter()
    model.loglikelihood(requests, disable_tqdm=True)
    return time.perf_counter() - begun


def main() -> int:
    """Measure, print, and judge the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a sample, under 50 s")
    parser.add_argument("--without-lm-eval", action="store_true")
    add_option(parser)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    engine = HFEngine(arguments.model)
    score(engine, ["warm up", "warm down"])
    shaped = shaped_texts()
    starter = [text for pair in starter_pairs() for text in (pair.queer, pair.counterfactual)]
    # Whole runs of neighbors: a sample of scattered pairs would share fewer prefixes than the file does.
    if arguments.quick:
        shaped, starter = shaped[20000:22400], starter[:1200]
    sample = 320 if arguments.quick else 3200
    rate = gemm_rate(engine, 512)
    bad = []
    counts: list[tuple[str | int, ...]] = []
    rates: list[tuple[str | int | float | None, ...]] = []
    for name, texts in (("shaped", shaped), ("starter", starter)):
        seconds, stats = run_tree(engine, texts)
        share = layer_flops(engine, stats["computed"], stats["computed"]) / seconds / 1e9 / rate
        print(f"{name}: {len(texts)} sentences, tokens flat {stats['flat']}, deduplicated {stats['deduplicated']}, "
              f"tree {stats['tree']}, computed {stats['computed']}")  # fmt: skip
        print(f"{name}: prefix tree {len(texts) / seconds:.0f} sentences/s, {share:.0%} of {rate:.0f} GFLOP/s")
        counts.append((name, len(texts), *(stats[key] for key in ("flat", "deduplicated", "tree", "computed"))))
        rates.append((name, "prefix tree", len(texts), len(texts) / seconds, share))
        if share < SHARE:
            bad.append(f"{name}: {share:.0%} of the fp32 rate, under {SHARE:.0%}")
        if name == "shaped":
            tree = len(texts) / seconds
    seconds, some = run_flat(engine, shaped, sample)
    print(f"shaped: flat batches {len(shaped) / seconds:.0f} sentences/s, from {some} of the distinct ones")
    rates.append(("shaped", "flat batches of 64, duplicates removed", some, len(shaped) / seconds, None))
    if not arguments.without_lm_eval:
        slow = evenly(shaped, sample)
        other = len(slow) / run_lm_eval(arguments.model, slow)
        times = tree / other
        print(f"shaped: lm-eval {other:.0f} sentences/s on {len(slow)} of them; the tree is {times:.1f} times as fast")
        rates.append(("shaped", "lm-eval's HFLM, batch 64", len(slow), other, None))
        if times < RATIO:
            bad.append(f"{times:.1f} times lm-eval, under {RATIO:g}")
        elif times < AIM:
            print(f"within the band, short of the aim of {AIM:g}")
    for line in bad:
        print(f"OUTSIDE: {line}", file=sys.stderr)
    save(
        arguments.json,
        TITLE,
        [
            Table("Tokens", (Column("set"), *(Column(name, "count") for name in COUNTS)), tuple(counts)),
            Table(
                "Rates", RATES, tuple(rates), (f"The machine reaches {rate:.0f} GFLOP/s on the model's layer shapes.",)
            ),
        ],
        outside=bad,
        versions=("torch", "transformers", "lm-eval"),
    )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
