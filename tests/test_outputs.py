"""Where results go: what is wrong with a path is told first, and nothing of anybody else's is ever removed."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from results import typed, whole_result

from rootfruit_checks.app.cli import main
from rootfruit_checks.base.errors import ConfigError, RootfruitError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.report import result_file
from rootfruit_checks.results import json_result
from rootfruit_checks.runs import outputs
from rootfruit_checks.runs.baseline import save
from rootfruit_checks.runs.outputs import apart, check, distinct, forget, is_ours, writable

ROOT = Path(__file__).resolve().parents[1]
OURS = json.dumps({"schema": "rootfruit-result/1", "released": True})


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (OURS, True),
        (OURS[:30], True),  # cut off
        ('\n {"released": true}', True),
        ('<html><code id="digest">abc</code>', True),
        ('{"schema": "rootfruit-plan/1"}', True),
        ("{}", False),
        ("", False),
        ("released: notes of a meeting", False),
        ('{"name": "somebody\'s package", "released": "2020-01-01"}', False),
        ('{"name": "package"}', False),
        ("PAR1", False),
    ],
)
def test_only_what_could_be_taken_for_a_result_is_removed(tmp_path, content, ours):
    file = tmp_path / "f"
    file.write_text(content)
    assert is_ours(file) is ours
    assert forget(file) is ours
    assert file.exists() is not ours


def test_a_link_stays_and_its_result_goes(tmp_path):
    target, link = tmp_path / "shared" / "result.json", tmp_path / "link.json"
    target.parent.mkdir()
    target.write_text(OURS)
    link.symlink_to(target)
    assert forget(link)
    assert link.is_symlink()
    assert not target.exists()
    json_result.write(link, {"schema": "x"})
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"schema": "x"}


def test_what_is_no_regular_file_is_never_removed_or_waited_for(tmp_path):
    fifo, dangling, loop = tmp_path / "fifo", tmp_path / "dangling", tmp_path / "loop"
    os.mkfifo(fifo)
    dangling.symlink_to(tmp_path / "nothing")
    loop.symlink_to(loop)
    for path in (fifo, dangling, loop, tmp_path, Path(os.devnull), tmp_path / ("x" * 300)):
        assert not forget(path)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert dangling.is_symlink()
    assert loop.is_symlink()


def test_a_result_that_cannot_be_unlinked_is_emptied(tmp_path, monkeypatch):
    """As a file that is mounted by itself into a container; and where even that fails, the session must not go on."""
    file = tmp_path / "r.json"
    file.write_text(OURS)

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "unlink", busy)
    assert forget(file)
    assert file.read_text() == ""
    file.write_text(OURS)
    monkeypatch.setattr(os, "truncate", busy)
    with pytest.raises(ConfigError, match="would be mistaken for this run's"):
        forget(file)


def test_what_cannot_be_written_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        wrong = {
            "/": "is a directory", ".": "is a directory", "file/r.json": "is not a writable directory",
            "loop": "symbolic links", "a" * 300: "too long", f"new/{'a' * 300}": "too long",
            "a/" * 3000 + "r": "too long",
            "socket": "is a socket", "/proc/1/r.json": "is not a writable directory", "x\0y": "null",
        }  # fmt: skip
        for path, told in wrong.items():
            with pytest.raises(ConfigError, match=told) as found:
                writable(path, "option --rootfruit-json")
            assert str(found.value).startswith("option --rootfruit-json: ")
            assert "\n" not in str(found.value)
            assert len(str(found.value)) < 400
    os.mkfifo("fifo")
    for path in ("new/deep/r.json", "fifo", "/dev/null", "/dev/stdout", "file", "./~"):
        writable(path, "option --rootfruit-json")


def test_a_disk_is_never_written_to(monkeypatch):
    monkeypatch.setattr(outputs, "_mode", lambda path: stat.S_IFBLK | 0o660)
    with pytest.raises(ConfigError, match="is a disk"):
        writable("/dev/anything", "option --rootfruit-json")


def test_two_outputs_are_two_files(tmp_path):
    file, link, hard = tmp_path / "r", tmp_path / "link", tmp_path / "hard"
    file.write_text("")
    link.symlink_to(file)
    hard.hardlink_to(file)
    for other in (file, link, hard, tmp_path / "x" / ".." / "r"):
        with pytest.raises(ConfigError, match="options --a and --b name one file"):
            apart({"--a": file, "--b": other})
    with pytest.raises(ConfigError, match="a file and a directory"):
        apart({"--a": tmp_path / "new", "--b": tmp_path / "new" / "page.html"})
    apart({"--a": file, "--b": tmp_path / "s", "--c": None, "--d": "/dev/null", "--e": "/dev/null"})


def test_an_output_is_no_input(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name, text in {"config.json": "{}", "old.json": OURS, "empty.json": ""}.items():
        (model / name).write_text(text)
    (tmp_path / "base").write_text("x")
    settings = {"model": str(model), "store": str(tmp_path / "store")}
    wrong = {
        "config.json": Settings(**settings, json=str(model / "config.json")),
        "part of the store": Settings(**settings, json=str(tmp_path / "store" / "tables" / "r.json")),
        "is also read by --rootfruit-baseline": Settings(
            **settings, baseline=str(tmp_path / "base"), report=str(tmp_path / "base")
        ),
    }
    for told, given in wrong.items():
        with pytest.raises(ConfigError, match=told):
            check(given)
    with pytest.raises(ConfigError, match="is also read by pytest"):
        check(Settings(**settings, json=str(tmp_path / "base")), inputs={"pytest": tmp_path / "base"})
    with pytest.raises(ConfigError, match="name one file"):
        check(Settings(**settings, json="r.xml"), {"--junit-xml": "r.xml"})
    for name in ("old.json", "empty.json", "new.json"):
        check(Settings(**settings, json=str(model / name)))
    with pytest.raises(ConfigError, match="is also an input"):
        distinct(tmp_path / "base", [tmp_path / "base"], "option --out")


# -- every writer ------------------------------------------------------------------------------------------------------


def a_plan(path):
    from rootfruit_checks.planning.command import _keep

    _keep(Settings(plan_json=str(path)), {"schema": "rootfruit-plan/1"})


def a_baseline(path):
    save(path, [], {}, 0.0, typed(whole_result()))


def a_sheet(path):
    from rootfruit_checks.coding.sheet import write

    write(Path(path), [("a", "text")])


WRITERS = {
    "json": lambda path: json_result.write(path, {"a": 1}),
    "plan": a_plan,
    "baseline": a_baseline,
    "sheet": a_sheet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_no_writer_follows_a_planted_link_or_replaces_one(tmp_path, name):
    victim, target, link = tmp_path / "victim", tmp_path / "target", tmp_path / "out"
    victim.write_text("precious")
    target.write_text("old")
    link.symlink_to(target)
    for planted in ("out.part", f".out.{os.getpid()}.part", "target.part", f".target.{os.getpid()}.part"):
        (tmp_path / planted).symlink_to(victim)
    before = set(tmp_path.iterdir())
    WRITERS[name](link)
    assert victim.read_text() == "precious"
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_that_cannot_leaves_all_as_it_was(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises((OSError, RootfruitError), match="directory"):
        WRITERS[name](tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_no_module_writes_a_file_in_another_way():
    """A writer that comes later goes through files.py too."""
    own = {"files.py", "lock.py", "github.py", "worker_process.py", "worker_main.py", "download.py"}
    for file in (ROOT / "rootfruit_checks").rglob("*.py"):
        text = file.read_text()
        if file.name in own or "bias_tests" in file.parts:
            continue
        found = [word for word in (".write_text(", ".write_bytes(", '.open("w', '"wb"', '.part"') if word in text]
        assert not found, (file, found)


# -- commands ----------------------------------------------------------------------------------------------------------


def test_a_command_does_not_write_over_what_it_reads(tmp_path, capsys):
    result = tmp_path / "r.json"
    result.write_text(OURS)
    for command in (
        ["report", str(result), "-o", str(result)],
        ["report", str(result), str(tmp_path / "b.json"), "-o", str(result)],
        ["report", str(result), "--model-card", "-o", str(result)],
    ):
        assert main.main(command) == 1
        assert "is also an input" in capsys.readouterr().err
    assert result.read_text() == OURS
    for command in (
        ["report", str(result), "-o", "/"],
        ["audit", "--json", "/"],
        ["export", str(tmp_path), "/"],
        ["coding", "export", str(tmp_path), "-o", "/"],
    ):
        assert main.main(command) == 1
        told = capsys.readouterr().err
        assert "/ is a directory" in told
        assert told.count("\n") == 1


def test_a_fifo_that_nobody_reads_is_told_and_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("rootfruit_checks.base.files.PIPE_PATIENCE_S", 0.1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    settings = Settings(json=str(fifo), store=str(tmp_path / "none"))
    _, lost = result_file.deliver(settings, typed(whole_result()))
    assert lost == [f"{fifo}: cannot be written ([Errno 6] nobody reads this FIFO: {str(fifo)!r})"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_writing_keeps_a_device(tmp_path):
    before = Path(os.devnull).stat()
    write_atomic("/dev/null", "x")
    assert Path(os.devnull).stat().st_rdev == before.st_rdev
    code = "from rootfruit_checks.results.json_result import write; write('/dev/stdout', {'a': 1})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert json.loads(done.stdout) == {"a": 1}
