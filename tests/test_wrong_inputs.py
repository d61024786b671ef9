"""What goes wrong for users, each with its one-line message and exit code. Nothing of it is green."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"
BASE, SFT = MODELS / "base", MODELS / "sft"
QUICK = ("--rootfruit-scale=smoke", "--rootfruit-benchmarks=winoqueer")


def gate(where, *options, **variables):
    command = [sys.executable, "-m", "pytest", str(ROOT / "bias_tests"), "-q", "-p", "no:cacheprovider"]
    command += [f"--rootdir={where}", "-c", str(where / "pytest.ini"), "--tb=short", *options]
    (where / "pytest.ini").write_text("[pytest]\n") if not (where / "pytest.ini").exists() else None
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "ROOTFRUIT_DATA": str(where / "cache"),
        "COLUMNS": "400",
        **variables,
    }
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=where, env=environment)


OPTIONS = {
    "scale": (("--rootfruit-scale=tiny",), "--rootfruit-scale: 'tiny' is not one of smoke, ci, paper, full"),
    "seed": (("--rootfruit-seed=x",), "--rootfruit-seed: 'x' is not a whole number"),
    "alpha": (("--rootfruit-alpha=0.7",), "--rootfruit-alpha: '0.7' is outside"),
    "check": (("--rootfruit-limit=winoqueer/preferense=0.5",), "did you mean 'winoqueer/preference'"),
    "limit": (("--rootfruit-limit=winoqueer/preference=5",), "outside [0, 1)"),
    "limit of description": (("--rootfruit-limit=winoqueer/preservation=0.5",), "described and never gated"),
    "limit group": (("--rootfruit-limit=winoqueer/preference/martian=0.5",), "'martian' is not a group"),
    "device": (("--rootfruit-device=banana",), "'banana' is not one of auto, cpu, cuda, cuda:N"),
    "shard 0": (
        ("--rootfruit-shard=0/8",),
        "--rootfruit-shard: '0/8' is not a share I/N with I from 1 to N, such as 3/8",
    ),
    "shard 9": (("--rootfruit-shard=9/8",), "--rootfruit-shard: '9/8' is not a share I/N"),
    "shard whole": (("--rootfruit-shard=3",), "--rootfruit-shard: '3' is not a share I/N"),
    "shard words": (("--rootfruit-shard=a/b",), "--rootfruit-shard: 'a/b' is not a share I/N"),
    "shard to read": (("--rootfruit-shard=1/2", "--rootfruit-stored-only"), "contradict each other"),
    "json": (("--rootfruit-json=.",), "--rootfruit-json: . is a directory"),
    "json folder": (("--rootfruit-json=pytest.ini/r.json",), "pytest.ini is not a writable directory"),
    "gate without reference": (
        ("--model=x", "--rootfruit-absolute-only", "--rootfruit-gate=winoqueer/amplification/gay"),
        "needs a reference, which --rootfruit-absolute-only rules out",
    ),
    "later feature": (("--rootfruit-federated",), "unrecognized arguments: --rootfruit-federated"),
    "no baseline": (("--rootfruit-baseline=x",), "--rootfruit-baseline: x: no such file"),
    "engine": (("--rootfruit-engine=rya",), "'rya' is not one of auto, hf"),
    "workers": (("--rootfruit-workers=3",), "--rootfruit-workers is for --rootfruit-engine=ray"),
    "regard": (("--rootfruit-regard=hub:a/b",), "pin the revision"),
    "benchmark": (("--rootfruit-benchmarks=bbq",), "'bbq' is not a benchmark"),
    "no policy": (("--reference=x",), "--reference is given without --model"),
    "contradiction": (("--model=x", "--reference=y", "--rootfruit-absolute-only"), "contradict each other"),
    "gate group": (
        ("--model=x", "--rootfruit-gate=winoqueer/preference/martian"),
        "'martian' is not a group of winoqueer",
    ),
    "no model": ((), "pytest --model=path/to/policy --reference=path/to/reference"),
    "no such option": (("--rootfruit-sede=3",), "unrecognized arguments: --rootfruit-sede=3"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_wrong_option_ends_with_exit_4(tmp_path, case):
    options, told = OPTIONS[case]
    done = gate(tmp_path, *options)
    assert done.returncode == 4, done.stdout + done.stderr
    assert any(told in line for line in done.stderr.splitlines()), done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[tool.rootfruit]\nlimt = 1\n", "[tool.rootfruit] limt: unknown key; did you mean 'limit'"),
        ("[tool.rootfruit]\nseed = 'x'\n", "[tool.rootfruit] seed: 'x' is not a whole number"),
        ("[tool]\nrootfruit = {sede = 1}\n", "[tool.rootfruit] sede: unknown key; did you mean 'seed'"),
        ("[tool.rootfruit]\nmodel = ['a']\n", "[tool.rootfruit] model: ['a'] is not a text"),
        ("tool.rootfruit = 3\n", "[tool.rootfruit] is not a table"),
        ("[tool.rootfruit\n", "pyproject.toml: is not TOML"),
    ],
)
def test_a_wrong_key_of_the_project_file_ends_with_exit_4(tmp_path, table, told):
    (tmp_path / "pyproject.toml").write_text(table)
    done = gate(tmp_path)
    assert done.returncode == 4
    assert told in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("rootfruit_seed = x", "ini key rootfruit_seed: 'x' is not a whole number"),
        ("rootfruit_sede = 3", "ini key rootfruit_sede: unknown key; did you mean 'rootfruit_seed'"),
        ("rootfruit_benchmarks = winoqueer,bbq", "ini key rootfruit_benchmarks: 'bbq' is not a benchmark"),
    ],
)
def test_a_wrong_ini_key_ends_with_exit_4(tmp_path, line, told):
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{line}\n")
    done = gate(tmp_path)
    assert done.returncode == 4
    assert told in done.stderr


def test_a_model_path_after_a_space_never_hides_the_projects_settings(tmp_path):
    """pytest would take the path for one of tests, and read neither limits nor scale of the project."""
    project, model = tmp_path / "project", tmp_path / "elsewhere" / "policy"
    project.mkdir()
    model.mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.rootfruit]\nscale = 'tiny'\n")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "--model", str(model)], capture_output=True, text=True, check=False, cwd=project)
    assert done.returncode == 4
    assert f"write --model={model}" in done.stderr
    done = subprocess.run([*command, f"--model={model}"], capture_output=True, text=True, check=False, cwd=project)
    assert "[tool.rootfruit] scale: 'tiny' is not one of" in done.stderr


def copy_base(where):
    return Path(shutil.copytree(BASE, where / "model"))


def edit_config(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **changes}))


def only_config(where):
    folder = where / "model"
    folder.mkdir()
    shutil.copy(BASE / "config.json", folder)
    return folder


def without(*names):
    def prepare(where):
        folder = copy_base(where)
        for name in names:
            for file in folder.glob(name):
                file.unlink()
        return folder

    return prepare


def pickled(where):
    folder = without("*.safetensors")(where)
    (folder / "pytorch_model.bin").write_bytes(b"not really")
    return folder


def damaged(where):
    folder = copy_base(where)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    return folder


def not_finite(where):
    from safetensors.torch import load_file, save_file

    folder = copy_base(where)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"] * float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def incomplete(where):
    from safetensors.torch import load_file, save_file

    folder = copy_base(where)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def edited(**changes):
    def prepare(where):
        folder = copy_base(where)
        edit_config(folder, **changes)
        return folder

    return prepare


def foreign_tokenizer(where):
    folder = copy_base(where)
    file = folder / "tokenizer.json"
    value = json.loads(file.read_text())
    value["model"]["vocab"] = {word: number + 5000 for word, number in value["model"]["vocab"].items()}
    for token in value["added_tokens"]:
        token["id"] += 5000
    value["post_processor"] = None
    file.write_text(json.dumps(value))
    return folder


def broken_json(where):
    folder = copy_base(where)
    (folder / "config.json").write_text("{")
    return folder


def a_file(where):
    (where / "model").write_text("")
    return where / "model"


MODELS_GONE_WRONG = {
    "missing": (lambda where: where / "no" / "such" / "model", "no such directory"),
    "hub": (lambda where: Path("nobody/nothing"), "the Hub has no such model"),
    "a file": (a_file, "is a file; give the directory"),
    "empty": (lambda where: Path((where / "model").mkdir() or where / "model"), "has no config.json"),
    "config": (broken_json, "config.json: line 1: is not JSON"),
    "config only": (only_config, "has no tokenizer"),
    "no tokenizer": (without("tokenizer*"), "has no tokenizer"),
    "no weights": (without("*.safetensors"), "has no weights"),
    "pickle": (pickled, "--rootfruit-allow-pickle"),
    "damaged": (damaged, "is not a safetensors file, or is damaged"),
    "incomplete": (incomplete, "missing from the weights"),
    "not finite": (not_finite, "contains values that are not finite"),
    "not causal": (edited(architectures=["BertForMaskedLM"]), "is not a causal language model"),
    "too short": (edited(max_position_embeddings=8), "it is not truncated"),
    "foreign tokenizer": (foreign_tokenizer, "they do not belong together"),
    "same": (copy_base, "are the same weights"),
}


# What a look into the directory tells, before anything is loaded or measured.
KNOWN_BEFOREHAND = {
    "missing", "hub", "a file", "empty", "config", "config only", "no tokenizer", "no weights", "pickle", "not causal",
    "damaged",
}  # fmt: skip


def assert_refused(done, told):
    """One line, exit 4, and nothing was collected."""
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stdout == ""
    (line,) = filter(None, done.stderr.splitlines())
    assert line.startswith("ERROR: rootfruit: ")
    assert told in line


def assert_error(done, told, where):
    assert done.returncode == 1, done.stdout + done.stderr
    assert any("Error: " in line and told in line for line in done.stdout.splitlines()), done.stdout[-3000:]
    assert "INTERNALERROR" not in done.stdout
    assert "Traceback" not in done.stdout
    value = json.loads((where / "r.json").read_text())
    assert {check["verdict"] for check in value["checks"]} == {"error"}
    assert value["released"] is False


@pytest.mark.parametrize("case", MODELS_GONE_WRONG)
def test_a_wrong_model_is_an_error_of_the_gate(tmp_path, case):
    prepare, told = MODELS_GONE_WRONG[case]
    model = prepare(tmp_path)
    options = (
        f"--model={model}",
        f"--reference={BASE}",
        *QUICK,
        "--rootfruit-json=r.json",
        "-k",
        "test_preference and nonbinary",
    )
    done = gate(tmp_path, *options)
    if case not in KNOWN_BEFOREHAND:
        assert_error(done, told, tmp_path)
        return
    assert_refused(done, told)
    assert "--model" in done.stderr
    assert not (tmp_path / ".rootfruit").exists()


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_a_wrong_reference_is_told_as_one_and_under_workers_too(tmp_path, more):
    options = (f"--model={SFT}", f"--reference={tmp_path / 'nothing'}", *QUICK, *more)
    done = gate(tmp_path, *options)
    assert_refused(done, f"--reference {tmp_path / 'nothing'}: no such directory")


def test_a_configured_model_that_is_not_there_stops_gates_and_no_other_test(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nrootfruit_model = out/policy/x\nrootfruit_absolute_only = true\n")
    (tmp_path / "test_x.py").write_text("def test_x():\n    pass\n")
    own = tmp_path / "test_own.py"
    own.write_text(
        'import pytest\n@pytest.mark.rootfruit("winoqueer/preference")\n'
        "def test_own(rootfruit_check):\n    rootfruit_check.require()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "test_x.py"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was gated" in done.stdout
    done = subprocess.run([*command, "test_own.py"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 4
    assert "--model out/policy/x: no such directory" in done.stderr


def tango(where, text):
    folder = where / "data"
    folder.mkdir()
    (folder / "misgendering_prompts.csv").write_bytes(text)
    return folder


HEAD = b"template_idx,ante,ante_type,pronoun_family,template\n"
ROW = b"0,Kim,ante_nongendered,they,Kim said they were here.\n"
DATA_GONE_WRONG = {
    "no directory": (lambda where: where / "nothing", "no such directory"),
    "no file": (
        lambda where: Path((where / "data").mkdir() or where / "data"),
        "holds none of misgendering_prompts.csv",
    ),
    "not fetched": (lambda where: "official", "rootfruit data fetch misgendering_prompts.csv"),
    "empty": (lambda where: tango(where, b""), "misgendering_prompts.csv: is empty"),
    "no rows": (lambda where: tango(where, HEAD), "has a header and no rows"),
    "header": (lambda where: tango(where, b"a,b\n1,2\n"), "misgendering_prompts.csv:1: header is 'a,b'"),
    "ragged": (
        lambda where: tango(where, HEAD + ROW + b"1,Kim\n"),
        "misgendering_prompts.csv:3: 2 cells where the header has 5",
    ),
    "bad byte": (
        lambda where: tango(where, HEAD + ROW + b"1,\xff,a,they,x\n"),
        "misgendering_prompts.csv:3: byte 2 is not UTF-8",
    ),
    "twice": (lambda where: tango(where, HEAD + ROW + ROW), "misgendering_prompts.csv:3: the same template"),
    "unknown family": (lambda where: tango(where, HEAD + ROW.replace(b"they,", b"qui,")), "benchmarks.misgendering"),
    "placeholder": (lambda where: tango(where, HEAD + ROW.replace(b"Kim said", b"{name} said")), "left unfilled"),
}


@pytest.mark.parametrize("case", DATA_GONE_WRONG)
def test_wrong_data_is_an_error_of_the_gate(tmp_path, case):
    prepare, told = DATA_GONE_WRONG[case]
    options = (
        f"--model={SFT}",
        f"--reference={BASE}",
        f"--rootfruit-data={prepare(tmp_path)}",
        "--rootfruit-json=r.json",
    )
    more = (
        "--rootfruit-scale=smoke",
        "--rootfruit-benchmarks=misgendering",
        "-k",
        "test_misgendering_disparity and they",
    )
    done = gate(tmp_path, *options, *more)
    if case == "no directory":
        assert_refused(done, told)
    else:
        assert_error(done, told, tmp_path)


def damaged_store(where):
    (where / "store").mkdir()
    (where / "store" / "units.sqlite").write_bytes(b"nothing of the kind" * 300)


def other_version(where):
    import sqlite3

    (where / "store").mkdir()
    with sqlite3.connect(where / "store" / "units.sqlite") as db:
        db.execute("CREATE TABLE units (x)")
        db.execute("PRAGMA user_version=99")


STORES_GONE_WRONG = {
    "a file": (lambda where: (where / "store").write_text(""), "cannot be used as a result store"),
    "damaged": (damaged_store, "is not a readable result store"),
    "other version": (other_version, "was written by another version"),
}


@pytest.mark.parametrize("case", STORES_GONE_WRONG)
def test_a_wrong_store_is_an_error_of_the_gate(tmp_path, case):
    prepare, told = STORES_GONE_WRONG[case]
    prepare(tmp_path)
    options = (f"--model={SFT}", f"--reference={BASE}", *QUICK, "--rootfruit-store=store", "--rootfruit-json=r.json")
    assert_error(gate(tmp_path, *options, "-k", "test_preference and nonbinary"), told, tmp_path)


def test_a_regard_classifier_that_is_not_there_is_an_error(tmp_path):
    options = (f"--model={SFT}", f"--reference={BASE}", "--rootfruit-regard=local:nowhere", "--rootfruit-scale=smoke")
    assert_refused(gate(tmp_path, *options), "--rootfruit-regard=local:nowhere: no such directory")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--rootfruit-engine=ray",), "needs ray"),
        (("--rootfruit-engine=vllm",), "vLLM is not installed"),
        (("--rootfruit-report=r.html",), "--rootfruit-report needs jinja2"),
        ((), "the engine needs transformers"),
    ],
)
def test_a_missing_extra_is_told_before_anything_is_loaded(tmp_path, options, told):
    """A finder that knows none of the extras stands for an environment without them."""
    (tmp_path / "bare.py").write_text(
        "import importlib.util\n"
        f"there, gone = importlib.util.find_spec, {told.split()[-1].lower()!r}\n"
        "importlib.util.find_spec = lambda name, *more: None if name == gone else there(name, *more)\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    done = gate(tmp_path, "-p", "bare", f"--model={SFT}", f"--reference={BASE}", *QUICK, *options, **environment)
    assert_refused(done, told)
