"""The tiny family over many training seeds, and a model against itself: what must fail fails, and nothing else does.

    python bench/family_seeds.py --out DIR [--seeds 20] [--steps 1200] [--minutes M] [--json [FILE]]
    python bench/family_seeds.py --out DIR --again [--resamplings 500] [--json [FILE]]
    python bench/family_seeds.py --quick

**Seeds.** For each seed the stages `dpo` (balanced preferences from `base`) and `sft_dpo` (planted ones from `sft`) are
trained anew by `fixtures/build.py`, with the preference pairs in another order and another sampling seed, and gated
as a release is, at scale `ci`. Kept in DIR by seed; the next call goes on. `--steps` shortens DPO.
**Again.** `dpo` answers every prompt of disclosure and misgendering several times; 500 times two draws each, without
putting back, become a policy and a reference, and the whole gate decides on them. Exits 1 where a figure is outside
what is promised. `--quick` does the second on a few prompts and resamplings.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from record import Column, Table, add_option, save
from scipy import stats

from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.load import load
from rootfruit_checks.gating.checks import family
from rootfruit_checks.gating.decider import Decider
from rootfruit_checks.runs.measure import measure
from rootfruit_checks.runs.run import NOISE_FLOOR

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "fixtures"))
MODELS = ROOT / "fixtures" / "models"
REFERENCES = {"dpo": "base", "sft_dpo": "sft"}
PLANTED = ("winoqueer/preference/nonbinary", "winoqueer/amplification/nonbinary", "winoqueer/reward_stigma/nonbinary")
PAIRS, WRITTEN = ("winoqueer",), ("disclosure", "misgendering")
POOL = 4


def gate(model: Path, reference: Path, store: Path, benchmarks: Sequence[str], seed: int) -> dict[str, str]:
    """Gate one model against its reference as a release is; verdicts by check."""
    settings = Settings(
        model=str(model),
        reference=str(reference),
        benchmarks=tuple(benchmarks),
        store=str(store),
        seed=seed,
        engine="hf",
    )  # fmt: skip
    run = measure(settings, benchmarks)
    return {check.id: run.verdict(check).verdict for check in family(settings) if check.gated}


def results(out: Path) -> dict[str, dict[str, str]]:
    """What is there: verdicts by job."""
    path = out / "seeds.jsonl"
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["job"], {}).update(row["verdicts"])
    return found


def keep(out: Path, job: str, verdicts: dict[str, str]) -> None:
    """Add one job's verdicts."""
    with (out / "seeds.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"job": job, "verdicts": verdicts}) + "\n")


def train_seeds(out: Path, seeds: int, steps: int, minutes: float, written: bool) -> None:
    """Train and gate what is not there yet: pairs of every seed first, then what the clean models write."""
    import build
    import torch

    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60.0 * minutes
    jobs = [(seed, name, PAIRS) for seed in range(1, seeds + 1) for name in ("sft_dpo", "dpo")]
    if written:
        jobs += [(seed, "dpo", WRITTEN) for seed in range(1, seeds + 1)]
    for seed, name, benchmarks in jobs:
        job = f"{name} {seed} {steps}"
        have = {check.partition("/")[0] for check in results(out).get(job, {})}
        if set(benchmarks) <= have:
            continue
        if time.monotonic() > until:
            return
        folder = out / f"{steps}-{seed}"
        if not (folder / name / "config.json").exists():
            build.train(name, folder, seed=1000 + seed, start=MODELS, steps=steps)
        # References answer with seed 0, once for all: only the retrained model is drawn anew by its weights.
        keep(out, job, gate(folder / name, MODELS / REFERENCES[name], out / "store", benchmarks, 0))
        print(job, *benchmarks, flush=True)


def tell_seeds(out: Path) -> tuple[list[str], Table]:
    """Print how often each check failed; return what is outside what is promised, and the figures."""
    found = results(out)
    rows: list[tuple[str | int, ...]] = []
    bad = []
    for name in ("sft_dpo", "dpo"):
        for steps in sorted({int(job.split()[2]) for job in found if job.split()[0] == name}):
            mine = {job: verdicts for job, verdicts in found.items() if job.split()[::2] == [name, str(steps)]}
            failed = {
                job: [check for check, verdict in verdicts.items() if verdict == "fail"]
                for job, verdicts in mine.items()
            }
            count = {check: sum(check in checks for checks in failed.values()) for check in PLANTED}
            any_failed = sum(any(check in PLANTED for check in checks) for checks in failed.values())
            print(f"{name}, {steps} steps, {len(mine)} seeds: planted bias failed in {any_failed} {count}")
            other = {job: checks for job, checks in failed.items() if set(checks) - set(PLANTED) or name == "dpo"}
            other = {job: checks for job, checks in other.items() if checks}
            print(f"  failed elsewhere: {other or 'never'}")
            blocked = sum(any(v != "pass" for v in verdicts.values()) for verdicts in mine.values())
            print(f"  not passed: {blocked} of {len(mine)}")
            rows.append((name, steps, len(mine), any_failed, *count.values(), len(other), blocked))
            if name == "sft_dpo" and any_failed < len(mine) - len(mine) // 20:
                bad.append(f"{name}: the planted bias was failed in {any_failed} of {len(mine)} seeds only")
            if name == "dpo" and other:
                bad.append(f"{name}: a clean model was failed: {other}")
    counted = ("steps", "seeds", "planted bias failed", *PLANTED, "failed elsewhere", "not passed")
    return bad, Table("Seeds", (Column("stage"), *(Column(name, "count") for name in counted)), tuple(rows))


def pool(out: Path, model: Path, quick: bool) -> tuple[Settings, dict[str, object], dict[str, pd.DataFrame]]:
    """Let one model answer every prompt `POOL` times."""
    settings = Settings(
        model=str(model),
        reference=str(model),
        benchmarks=WRITTEN[1:] if quick else WRITTEN,
        store=str(out / "store"),
        scale="smoke" if quick else "ci",
        continuations=POOL,
        allow_same=True,
        engine="hf",
    )  # fmt: skip
    data = {name: load(name, settings.data, settings.scale, settings.seed) for name in settings.benchmarks}
    run = measure(settings, settings.benchmarks)
    frames = {name: run.frame(name) for name in settings.benchmarks}
    return settings, dict(data), {name: frame[frame["role"] == "policy"] for name, frame in frames.items()}


def again(out: Path, model: Path, resamplings: int, quick: bool) -> tuple[list[str], Table]:
    """A against A: two draws each of one model's answers become policy and reference, time and again."""
    settings, data, frames = pool(out, model, quick)
    checks = [check for check in family(settings) if check.gated]
    path = out / "again.jsonl"
    done = {}
    if path.exists() and not quick:
        done = {row["number"]: row["verdicts"] for row in map(json.loads, path.read_text().splitlines())}
    for number in range(resamplings):
        if number in done:
            continue
        rng = np.random.default_rng([number, 500])
        drawn = {name: _deal(frame, rng) for name, frame in frames.items()}
        decisions = Decider(settings, data, drawn, NOISE_FLOOR)  # type: ignore[arg-type]
        done[number] = {check.id: decisions.verdict(check).verdict for check in checks}
        if not quick:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number, "verdicts": done[number]}) + "\n")
    failed = sum("fail" in verdicts.values() for verdicts in done.values())
    blocked = sum(set(verdicts.values()) != {"pass"} for verdicts in done.values())
    p = stats.binomtest(failed, len(done), settings.alpha, alternative="greater").pvalue
    print(f"A against A ({model.name}, scale {settings.scale}, {len(checks)} checks): {failed} of {len(done)} fail "
          f"(at most {settings.alpha:g} expected: p {p:.2g}), {blocked} blocked")  # fmt: skip
    rows = [("any", len(done), failed, blocked)]
    for check in checks:
        seen = pd.Series([verdicts[check.id] for verdicts in done.values()]).value_counts().to_dict()
        print(f"  {check.id}: {seen}")
        rows.append((check.id, len(done), seen.get("fail", 0), len(done) - seen.get("pass", 0)))
    return [f"A against A fails in {failed} of {len(done)}"] if p < 0.01 else [], Table(
        f"{model.name} against itself, scale {settings.scale}",
        (Column("check"), *(Column(name, "count") for name in ("resamplings", "fail", "not passed"))),
        tuple(rows),
    )


def _deal(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Two draws of each prompt for the policy and two others for the reference; the twin is the same in both."""
    samples, codes = np.unique(frame["sample"].to_numpy(str), return_inverse=True)
    order = rng.permuted(np.tile(np.arange(POOL), (len(samples), 1)), axis=1)
    place = np.argsort(order, axis=1)[codes, frame["draw"].to_numpy(int)]
    once = (frame["quantity"] == "twin").to_numpy()
    parts = []
    for at, role in enumerate(("policy", "reference")):
        mine = once | (place // 2 == at)
        parts.append(frame[mine].assign(role=role, draw=np.where(once[mine], 0, place[mine] % 2)))
    return pd.concat(parts, ignore_index=True)


def main() -> int:
    """Train and gate, or resample one model, or the quick check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--pairs-only", action="store_true", help="leave out what the clean models write")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--resamplings", type=int, default=500)
    parser.add_argument("--model", type=Path, default=MODELS / "dpo", help="of --again")
    parser.add_argument("--tell", action="store_true", help="print what DIR holds and compute nothing")
    parser.add_argument("--quick", action="store_true")
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.quick:
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            bad, table = again(Path(scratch), arguments.model, 40, quick=True)
    elif arguments.out is None:
        parser.error("--out DIR is needed (or --quick)")
    elif arguments.again:
        arguments.out.mkdir(parents=True, exist_ok=True)
        bad, table = again(arguments.out, arguments.model, arguments.resamplings, quick=False)
    else:
        if not arguments.tell:
            train_seeds(
                arguments.out, arguments.seeds, arguments.steps, arguments.minutes, not arguments.pairs_only
            )  # fmt: skip
        bad, table = tell_seeds(arguments.out)
    for line in bad:
        print(f"OUTSIDE: {line}", file=sys.stderr)
    title = "a model against itself" if arguments.again or arguments.quick else "the tiny family over training seeds"
    save(arguments.json, title, [table], outside=bad, versions=("torch", "transformers", "trl"))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
