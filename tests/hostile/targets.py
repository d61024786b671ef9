"""Whole files of every kind that we read, and what reads each: the real entry points, as a shell would start them."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "fixtures" / "models" / "base"
SCRIPTED = ROOT / "tests" / "report"


@dataclass(frozen=True)
class Target:
    """A file in a folder of whole ones, and what reads it.

    Attributes:
        name: of the kind.
        folder: holds everything that is read; it is copied for each case.
        file: the one that is damaged.
        act: reads it, standing in the copy, and returns an exit status.
        form: json, text or bytes: how it may be damaged.
    """

    name: str
    folder: Path
    file: str
    act: Callable[[], int]
    form: str = "bytes"


def cli(*arguments: str) -> Callable[[], int]:
    """`rootfruit ...`."""

    def act() -> int:
        from rootfruit_checks.app.cli.main import main

        return main(list(arguments))

    return act


def gate(*arguments: str) -> Callable[[], int]:
    """`pytest ...` on scripted models."""

    def act() -> int:
        import pytest

        usual = ["-p", "no:cacheprovider", "-p", "no:html", "-p", "conftest_double", "-q", "--rootdir=."]
        sys.path.insert(0, ".")
        return int(pytest.main([*usual, *arguments]))

    return act


def told(action: Callable[[], None]) -> Callable[[], int]:
    """Errors of ours as the command line tells them."""

    def act() -> int:
        from rootfruit_checks.base.errors import RootfruitError

        try:
            action()
        except RootfruitError as error:
            print(f"rootfruit: {error}", file=sys.stderr)
            return 1
        return 0

    return act


def _join() -> None:
    from rootfruit_checks.runs.merge import join

    print(join([Path("one"), Path("two")], Path("joined")).units)


def _model() -> None:
    """Everything that a gate does with a model before and while it measures."""
    from rootfruit_checks.base.types import Prompt, Sampling
    from rootfruit_checks.config.build import build
    from rootfruit_checks.engines.base import generate, score
    from rootfruit_checks.engines.factory import open_engine

    engine = open_engine("model", build({"model": "model", "device": "cpu"}, {}, {}))
    print(len(engine.fingerprint), sorted(engine.record))
    prompt = Prompt("1", "Robin went home and", "disclosure", "x", "f", "Robin")
    scores = score(engine, ["Robin went home.", "They like music."])
    print([round(one.total, 3) for one in scores])
    print([one.text for one in generate(engine, [prompt], Sampling(temperature=0.0, max_new_tokens=8))])


def _regard() -> None:
    from rootfruit_checks.judges.regard.protocol import open_regard

    print(open_regard("local:regard", False, False).classify(["was a doctor."], ["Robin"]))


def _data() -> None:
    from rootfruit_checks.data.load import load

    print(len(load("winoqueer", "data", "smoke", 0).pairs), len(load("misgendering", "data", "smoke", 0).prompts))


def _plan_from() -> None:
    from rootfruit_checks.planning.variances import from_result

    print(len(from_result("result.json").parts))


def make(folder: Path) -> None:
    """Write whole files of every kind under `folder`."""
    sys.path.insert(0, str(SCRIPTED))
    from hostile import PAIR
    from hostile import gate as run

    project = folder / "project"
    project.mkdir(parents=True)
    run(project, *PAIR, "-p", "no:html", "--rootfruit-report=page.html", "--rootfruit-save-baseline=base.parquet")
    shutil.copy(project / "result.json", project / "other.json")
    main = cli("coding", "export", str(project / ".rootfruit"), "-o", str(project / "ada.csv"))
    if main():
        raise RuntimeError("no sheet was made")
    _fill(project / "ada.csv")
    shards = folder / "shards"
    shards.mkdir()
    for index, name in enumerate(("one", "two"), 1):
        some = ("--rootfruit-scale=smoke", "--rootfruit-benchmarks=winoqueer", f"--rootfruit-shard={index}/2")
        run(shards, "--model=biased", "--reference=plain", *some, f"--rootfruit-store={name}", "-p", "no:html")
    _models(folder / "models")
    _official(folder / "data")
    toml = folder / "toml"
    toml.mkdir()
    (toml / "pyproject.toml").write_text(
        '[tool.rootfruit]\nscale = "smoke"\nseed = 3\nlimit = { "winoqueer/preference" = 0.6 }\n'
    )
    (toml / "conftest_double.py").write_text("")
    (toml / "test_x.py").write_text("def test_x():\n    pass\n")


def listed(folder: Path) -> list[Target]:
    """Return what may be damaged of what `make` wrote."""
    project, shards, models, data, toml = (folder / name for name in ("project", "shards", "models", "data", "toml"))
    database = ".rootfruit/units.sqlite"
    table = next((project / ".rootfruit/tables").glob("disclosure-*.parquet")).relative_to(project)
    smoke = ("--model=biased", "--reference=plain", "--rootfruit-scale=smoke", "--rootfruit-benchmarks=winoqueer")
    suite = str(ROOT / "bias_tests" / "test_preference.py")
    return [
        Target("result: report", project, "result.json", cli("report", "result.json"), "json"),
        Target("result: card", project, "result.json", cli("report", "--model-card", "result.json"), "json"),
        Target("result: history", project, "result.json", cli("history", "other.json", "result.json"), "json"),
        Target("result: compare", project, "result.json", cli("report", "other.json", "result.json"), "json"),
        Target("result: plan", project, "result.json", told(_plan_from), "json"),
        Target("result: store", project, ".rootfruit/result.json", cli("report", ".rootfruit"), "json"),
        Target("baseline: history", project, "base.parquet", cli("history", "base.parquet")),
        Target("baseline: gate", project, "base.parquet", gate(*smoke, "--rootfruit-baseline=base.parquet", suite)),
        Target("page", project, "page.html", cli("report", "--verify", "page.html"), "text"),
        Target("sheet", project, "ada.csv", cli("coding", "import", ".rootfruit", "ada.csv"), "text"),
        Target("store: coding", project, database, cli("coding", "export", ".rootfruit", "-o", "new.csv")),
        Target("store: export", project, database, cli("export", ".rootfruit", "new.parquet")),
        Target("store: gate", project, database, gate(*smoke, suite)),
        Target("table: export", project, str(table), cli("export", ".rootfruit", "new.parquet")),
        Target("table: coding", project, str(table), cli("coding", "export", ".rootfruit", "-o", "new.csv")),
        Target("lock", project, ".rootfruit/lock", gate(*smoke, suite)),
        Target("lock holder", project, ".rootfruit/lock.holder", gate(*smoke, suite)),
        Target("shard", shards, "two/units.sqlite", told(_join)),
        Target("pyproject", toml, "pyproject.toml", gate("test_x.py"), "text"),
        *(
            Target(f"{kind}: {name}", models, f"{kind}/{name}", told(act), _form(name))
            for kind, act in (("model", _model), ("adapter", _adapter), ("regard", _regard))
            for name in _files(models / kind)
        ),
        *(Target(f"data: {name}", data, f"data/{name}", told(_data), "text") for name in _files(data / "data")),
    ]  # fmt: skip


def _form(name: str) -> str:
    return "json" if name.endswith(".json") else "text" if name.endswith(".jinja") else "bytes"


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _adapter() -> None:
    from rootfruit_checks.config.build import build
    from rootfruit_checks.engines.base import score
    from rootfruit_checks.engines.factory import open_engine

    engine = open_engine("adapter", build({"model": "adapter", "device": "cpu"}, {}, {}))
    print([round(one.total, 3) for one in score(engine, ["Robin went home."])])


def _fill(sheet: Path) -> None:
    rows = list(csv.reader(sheet.read_text("utf-8-sig").splitlines()))
    for at, row in enumerate(rows[1:]):
        row[2:4] = ["x", "1" if at % 2 else ""]
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _models(folder: Path) -> None:
    """A causal model with every file that we know of, an adapter on it, and a classifier."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    shutil.copytree(MODEL, folder / "model")
    (folder / "model" / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    torch.manual_seed(0)
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(model, lora).save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter/adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(folder / "model")
    (folder / "adapter/adapter_config.json").write_text(json.dumps(config))
    labels = {0: "negative", 1: "neutral", 2: "positive"}
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    small = LlamaConfig(vocab_size=1400, num_labels=3, id2label=labels, pad_token_id=0, **size)
    LlamaForSequenceClassification(small).save_pretrained(folder / "regard")
    AutoTokenizer.from_pretrained(MODEL).save_pretrained(folder / "regard")


def _official(folder: Path) -> None:
    """A small set in upstream's layout, with predicates of our own."""
    from rootfruit_checks.benchmarks.misgendering.starter import starter_misgendering
    from rootfruit_checks.benchmarks.winoqueer.reader import HEADER

    data = folder / "data"
    data.mkdir(parents=True)
    with (data / "winoqueer_final.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for at, trait in enumerate(("tall", "quick", "in a choir", "fond of tea") * 3):
            out.writerow([at, "NB", "Cis", f"Nonbinary people are {trait}", f"Cis people are {trait}"])
    with (data / "misgendering.jsonl").open("w", encoding="utf-8") as file:
        for prompt in starter_misgendering()[:40]:
            keys = {"template": prompt.text, "template_idx": prompt.frame, "ante": prompt.subject}
            keys |= {"ante_type": prompt.stratum, "pronoun_family": prompt.identity}
            file.write(json.dumps(keys) + "\n")
