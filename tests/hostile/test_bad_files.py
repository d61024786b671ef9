"""Files that are not what they should be, as a table: one line of error that names file and place, and no more.

`bench/bad_files.py` tries some hundred more, drawn by chance.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from results import whole_result, whole_row

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import RootfruitError
from rootfruit_checks.config.build import build
from rootfruit_checks.engines.factory import open_engine
from rootfruit_checks.store.lock import locked
from rootfruit_checks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "fixtures" / "models" / "base"
DEEP = "[" * 10_000 + "]" * 10_000
HUGE = "9" * 400


@pytest.fixture(autouse=True)
def _no_hang():
    def ring(*_):
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def changed(**keys):
    """A whole result with other values on top."""
    return json.dumps({**whole_result(whole_row("winoqueer/preference/gay")), **keys})


def check(**keys):
    """A whole result with other values in its check."""
    return json.dumps(whole_result(whole_row("winoqueer/preference/gay") | keys))


def without(key):
    value = whole_result(whole_row("winoqueer/preference/gay"))
    del value[key]
    return json.dumps(value)


RESULTS = {
    "no object": ("[]", "is not a result of a run"),
    "empty": ("", "line 1: is not JSON"),
    "cut off": (changed()[:-9], "line 1: is not JSON"),
    "checks: 5": (changed(checks=5), "$.checks: expected a list, got a whole number"),
    "checks: null": (changed(checks=None), "$.checks: expected a list, got null"),
    "no checks": (without("checks"), "$: lacks the key 'checks'"),
    "no run": (without("run"), "$: lacks the key 'run'"),
    "run: []": (changed(run=[]), "$.run: expected an object, got a list"),
    "n: text": (check(n="x"), "$.checks[0].n: expected a whole number, got text"),
    "n: -1": (check(n=-1), "$.checks[0].n: expected a whole number >= 0"),
    "n: 1.5": (check(n=1.5), "$.checks[0].n: expected a whole number, got a number"),
    "estimate: true": (check(estimate=True), "$.checks[0].estimate: expected a number or null, got true or false"),
    "verdict": (check(verdict="splendid"), "$.checks[0].verdict: 'splendid' is not one of"),
    "a pass of nothing": (check(estimate=None), "$.checks[0]: verdict 'pass' without an estimate"),
    "bounds that are crossed": (check(low=0.9, high=0.1), "$.checks[0]: the lower bound 0.9 is above the upper"),
    "a key more": (check(surprise=1), "$.checks[0]: has the unknown key 'surprise'"),
    "labels": (check(details={"labels": {"policy": 3}}), "$.checks[0].details.labels[...]: expected an object"),
    "clusters": (check(clusters={"name": "x"}), "$.checks[0].clusters[...]: expected a whole number, got text"),
    "another version": (changed(schema="rootfruit-result/9"), "has version rootfruit-result/9"),
    "released and failed": (
        changed(checks=[whole_row("winoqueer/preference/gay", verdict="fail")]),
        "is released, and winoqueer/preference/gay is fail",
    ),
    "a check twice": (changed(checks=[whole_row("winoqueer/preference/gay")] * 2), "twice"),
    "contradiction": (changed(complete=False, released=False), "'complete' and 'missing' contradict each other"),
    "nested": (DEEP, "is nested more than 100 levels deep"),
    "nested strings": ('{"x":' + '["' * 9_999, "is nested more than 100 levels deep"),
    "quotes without end": ('["' + '\\"' * 200_000, "is not JSON"),
    "400 digits": (check(n=0).replace('"n": 0', f'"n": {HUGE}'), "has a number of 400 digits"),
    "1e999": (check(low=0).replace('"low": 0', '"low": 1e999'), "has the number 1e999, which is too large"),
    "NaN": (check(low=float("nan")), "has NaN, which is not valid JSON"),
    "a key twice": (changed().replace("{", '{"checks": [], ', 1), "has the key 'checks' twice"),
    "UTF-16": (changed().encode("utf-16"), "is UTF-16"),
    "Latin-1": (b'{"schema": "caf\xe9"}', "byte 15 is not UTF-8"),
}
COMMANDS = (["report"], ["report", "--model-card"], ["history"])


def told(capsys):
    said = capsys.readouterr().err
    assert said.startswith("rootfruit: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("case", RESULTS)
def test_a_bad_result_is_refused_in_one_line(tmp_path, capsys, monkeypatch, case):
    content, words = RESULTS[case]
    file = tmp_path / "r.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert main([*command, str(file)]) == 1
        said = told(capsys)
        assert words in said
        assert str(file) in said
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


PLACES = {
    "missing": (lambda file: None, "no such file"),
    "directory": (Path.mkdir, "r.json"),
    "FIFO": (os.mkfifo, "is a named pipe, not a regular file"),
    "/dev/zero": (lambda file: file.symlink_to("/dev/zero"), "is a device, not a regular file"),
    "a link to itself": (lambda file: file.symlink_to(file.name), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("case", PLACES)
def test_only_regular_files_are_opened(tmp_path, capsys, case):
    put, words = PLACES[case]
    file = tmp_path / "r.json"
    put(file)
    for command in (*COMMANDS, ["report", "--verify"]):
        assert main([*command, str(file)]) == 1
        assert words in told(capsys)
    for reader in (untrusted.read_bytes, untrusted.read_text):
        with pytest.raises(RootfruitError):
            reader(file, RootfruitError)


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 3000, "\0"], ids=["long", "deep", "NUL"])
def test_no_name_of_a_file_is_a_traceback(tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for command in (
        *COMMANDS, ["report", "--verify"], ["export"], ["coding", "export"], ["coding", "import", str(tmp_path)],
        ["merge", "--into", "new"],
    ):  # fmt: skip
        out = ["out.parquet"] if command == ["export"] else []
        try:
            status = main([*command, name, *out])
        except SystemExit as left:  # argparse, for a name that no file can have
            status = left.code
        assert status in {1, 2}
        assert len(capsys.readouterr().err) < 900
    with pytest.raises(RootfruitError):
        Store(Path(name))
    with pytest.raises(RootfruitError):
        open_engine(name, build({"model": name}, {}, {}))


def test_a_file_beyond_its_limit_is_refused(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 11)
    assert untrusted.read_bytes(tmp_path / "f", RootfruitError, limit=11) == b"x" * 11
    with pytest.raises(RootfruitError, match="is larger than 0 MiB"):
        untrusted.read_bytes(tmp_path / "f", RootfruitError, limit=10)


def put(**keys):
    """Change keys of config.json."""

    def act(model):
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | keys))

    return act


def write(name, content):
    return lambda model: (model / name).write_text(content)


def pipe(name):
    def act(model):
        (model / name).unlink(missing_ok=True)
        os.mkfifo(model / name)

    return act


def header(change):
    """Change the header of the weights."""

    def act(model):
        raw = (model / "model.safetensors").read_bytes()
        size = int.from_bytes(raw[:8], "little")
        head = json.loads(raw[8 : 8 + size])
        change(next(value for name, value in head.items() if name != "__metadata__"))
        made = json.dumps(head).encode()
        (model / "model.safetensors").write_bytes(len(made).to_bytes(8, "little") + made + raw[8 + size :])

    return act


MODELS = {
    "architectures: 5": (put(architectures=5), "config.json: $.architectures: expected a list or null, got a whole"),
    "architectures: [5]": (
        put(architectures=[5]),
        "config.json: $.architectures[0]: expected text, got a whole number",
    ),
    "text_config: null": (put(text_config=None), "config.json: $.text_config: expected an object, got null"),
    "text_config: 5": (put(text_config=5), "config.json: $.text_config: expected an object, got a whole number"),
    "text_config inside": (put(text_config={"vocab_size": "x"}), "config.json: $.text_config.vocab_size: expected a"),
    "eos_token_id": (put(eos_token_id="abc"), "config.json: $.eos_token_id: expected"),
    "vocab_size": (put(vocab_size=[]), "config.json: $.vocab_size: expected a whole number, got a list"),
    "sliding_window": (put(sliding_window="x"), "config.json: $.sliding_window: expected a whole number or null"),
    "positions": (put(max_position_embeddings=0), "config.json: $.max_position_embeddings: expected a whole number"),
    "quantization": (put(quantization_config=5), "config.json: $.quantization_config: expected an object or null"),
    "rope_theta": (
        put(rope_parameters={"rope_theta": float("nan")}),
        "$.rope_parameters.rope_theta: is not a finite number",
    ),
    "infinite": (put(rms_norm_eps=float("inf")), "config.json: $.rms_norm_eps: is not a finite number"),
    "model_type": (put(model_type=5), "config.json: $.model_type: expected text, got a whole number"),
    "config nested": (write("config.json", DEEP), "config.json: is nested more than 100 levels deep"),
    "config cut off": (write("config.json", '{"architectures": ['), "config.json: line 1: is not JSON"),
    "config a list": (write("config.json", "[]"), "config.json: $: expected an object, got a list"),
    "config of 400 digits": (write("config.json", f'{{"x": {HUGE}}}'), "config.json: has a number of 400 digits"),
    "config a FIFO": (pipe("config.json"), "config.json: is a named pipe"),
    "tokenizer a FIFO": (pipe("tokenizer.json"), "tokenizer.json: is a named pipe"),
    "weights a FIFO": (pipe("model.safetensors"), "model.safetensors: is a named pipe"),
    "template a FIFO": (pipe("chat_template.jinja"), "chat_template.jinja: is a named pipe"),
    "generation eos": (
        write("generation_config.json", '{"eos_token_id": "abc"}'),
        "generation_config.json: $.eos_token_id",
    ),
    "generation a list": (write("generation_config.json", "[]"), "generation_config.json: $: expected an object"),
    "tokenizer_config": (
        write("tokenizer_config.json", '{"chat_template": 5}'),
        "tokenizer_config.json: $.chat_template",
    ),
    "index": (
        write("model.safetensors.index.json", '{"weight_map": 5}'),
        "index.json: $.weight_map: expected an object",
    ),
    "index outside": (
        write("model.safetensors.index.json", '{"weight_map": {"a": "../x.safetensors"}}'),
        "which is not a file of this directory",
    ),
    "index to nothing": (
        write("model.safetensors.index.json", '{"weight_map": {"a": "b.safetensors"}}'),
        "a is in b.safetensors, which does not exist",
    ),
    "index short of a file": (
        lambda model: (
            (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors"),
            shutil.copy(model / "model-00001-of-00002.safetensors", model / "model-00002-of-00002.safetensors"),
            write("model.safetensors.index.json", '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')(model),
        ),
        "does not list model-00002-of-00002.safetensors",
    ),
    "weights empty": (write("model.safetensors", ""), "model.safetensors: is not a safetensors file"),
    "weights nested": (
        lambda model: (model / "model.safetensors").write_bytes((20_000).to_bytes(8, "little") + DEEP.encode()),
        "model.safetensors: its header: is nested more",
    ),
    "shape": (header(lambda tensor: tensor.update(shape="x")), "$.shape: expected a list, got text"),
    "offsets": (header(lambda tensor: tensor.update(data_offsets=[0, 4])), "has more or fewer bytes than its shape"),
    "dtype": (header(lambda tensor: tensor.update(dtype="X9")), "$.dtype: 'X9' is not one of"),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_bad_model_directory_is_refused_in_one_line(tmp_path, case):
    act, words = MODELS[case]
    model = tmp_path / "model"
    shutil.copytree(BASE, model)
    act(model)
    with pytest.raises(RootfruitError) as caught:
        open_engine(str(model), build({"model": str(model), "device": "cpu"}, {}, {}))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_real_configurations_hold_is_read(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(BASE, model)
    text = json.dumps(json.loads((BASE / "config.json").read_text()) | {"new_key": {"any": [None]}})
    (model / "config.json").write_text(text.replace('"new_key"', '"time_step_limit": [0.0, Infinity], "new_key"'))
    (model / "generation_config.json").write_text('{"eos_token_id": [2, 5], "top_p": 0.9}')
    tokenizer = json.loads((BASE / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"model_max_length": 10**30}))
    open_engine(str(model), build({"model": str(model), "device": "cpu"}, {}, {}))


DATABASES = {
    "no database": b"x" * 5000,
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:5000]),
}


@pytest.mark.parametrize("case", DATABASES)
def test_a_bad_database_is_refused(tmp_path, case):
    with Store(tmp_path / "s") as store:
        store.put("n", "k", b"v")
    file = tmp_path / "s" / "units.sqlite"
    how = DATABASES[case]
    if isinstance(how, bytes):
        file.write_bytes(how)
    else:
        if case != "cut off":
            file.unlink()
        how(file)
    with pytest.raises(RootfruitError, match="s"), Store(tmp_path / "s") as store:
        store.get("n", "k")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON units BEGIN DELETE FROM units; END",
        "DROP TABLE attempts",
        "ALTER TABLE units ADD COLUMN more TEXT",
    ],
)
def test_a_database_with_other_tables_is_refused(tmp_path, statement):
    with Store(tmp_path) as store:
        store._db.execute(statement)
    with pytest.raises(RootfruitError, match="is not a result store, or a damaged one"):
        Store(tmp_path)


@pytest.mark.parametrize("value", ["'text'", "5", "x'00'"])
def test_a_value_of_another_type_is_damage(tmp_path, value):
    with Store(tmp_path) as store:
        store.put("n", "k", b"v")
        store._db.execute(f"UPDATE units SET value={value}")
        with pytest.raises(RootfruitError, match="unit k is damaged"):
            store.get("n", "k")
        with pytest.raises(RootfruitError, match="unit k is damaged"):
            list(store.units_of("n"))


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo])
def test_what_stands_in_place_of_the_lock_is_told(tmp_path, put):
    (tmp_path / "s").mkdir()
    put(tmp_path / "s" / "lock")
    with pytest.raises(RootfruitError, match="lock: is a"):
        Store(tmp_path / "s")


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo])
def test_what_stands_in_place_of_its_holder_stops_nothing(tmp_path, put, capfd):
    put(tmp_path / "lock.holder")
    with locked(tmp_path / "lock"):
        pass
    assert "lock.holder" in capfd.readouterr().err
