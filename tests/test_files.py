"""Files are replaced whole; links are followed; what is not a regular file is written into and never replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rootfruit_checks.base import files
from rootfruit_checks.base.files import replacing, write_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_content_and_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a.json", "naïve\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").read_bytes() == "naïve\n".encode()
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640
    assert names(tmp_path) == ["a.json"]


def test_an_old_file_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old" * 100)
    path.chmod(0o604)
    node = path.stat().st_ino
    with path.open("rb") as reader:
        write_atomic(str(path), b"new")
        assert reader.read() == b"old" * 100, "whoever reads the old one reads on"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.stat().st_ino != node


def test_a_relative_path_and_a_name_as_long_as_names_may_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomic("a" * 255, b"x")
    assert names(tmp_path) == ["a" * 255]


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "dangling"])
def test_links_are_followed_and_stay(tmp_path, there):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "target"
    if there:
        target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("far/target")
    (tmp_path / "first").symlink_to("link")
    write_atomic(tmp_path / "first", b"new")
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "far") == ["target"]
    assert names(tmp_path) == ["far", "first", "link"]


def test_links_that_lead_nowhere_are_errors(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("none/none")
    for name in "abc":
        with pytest.raises(OSError, match=r"\S"):
            write_atomic(tmp_path / name, b"x")
    assert names(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("content", [b"short", bytes(range(256)) * 4000], ids=["short", "longer than a pipe holds"])
def test_a_fifo_is_written_into(tmp_path, content):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    came = []
    reader = threading.Thread(target=lambda: came.append(path.read_bytes()), daemon=True)
    reader.start()
    write_atomic(path, content)
    reader.join(10)
    assert came == [content]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["fifo"]


def test_a_fifo_that_nobody_reads_is_an_error_and_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIPE_PATIENCE_S", 0.2)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads this FIFO"):
        write_atomic(path, b"x")
    silent = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="stopped reading"):
            write_atomic(path, b"x" * 1_000_000)
    finally:
        os.close(silent)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_dev_null_stays_a_device(tmp_path):
    write_atomic("/dev/null", b"x" * 100_000)
    (tmp_path / "link").symlink_to("/dev/null")
    write_atomic(tmp_path / "link", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert names(tmp_path) == ["link"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_that_takes_nothing_is_an_error_and_stays():
    with pytest.raises(OSError, match="No space"):
        write_atomic("/dev/full", b"x")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


SAY = """
import sys
from rootfruit_checks.base.files import write_atomic
print("before")
write_atomic(sys.argv[1], "written\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("kind", ["pipe", "file", "socket"])
def test_an_open_stream_is_written_into_whatever_it_is(tmp_path, name, kind):
    """A runner gives a pipe, a shell a file, and Node a socket."""
    if name == "link":
        name = str(tmp_path / "link")
        Path(name).symlink_to("/dev/stdout")
    command = [sys.executable, "-c", SAY, name]
    if kind == "pipe":
        told = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    elif kind == "file":
        with (tmp_path / "out").open("wb") as out:
            subprocess.run(command, stdout=out, check=True, timeout=60)
        told = (tmp_path / "out").read_bytes()
    else:
        import socket

        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run(command, stdout=theirs.fileno(), check=True, timeout=60)
            ours.settimeout(5)
            told = ours.recv(1000)
    assert told == b"before\nwritten\nafter\n"


def test_a_directory_is_an_error(tmp_path):
    for path in (tmp_path, "/"):
        with pytest.raises(IsADirectoryError):
            write_atomic(path, b"x")
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "none" / "a", b"x")
    assert names(tmp_path) == []


def test_planted_links_are_not_followed(tmp_path, monkeypatch):
    """Neither under the names that were used before, nor where somebody guesses the random part."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("a.part", "a.tmp", ".a.part"):
        (tmp_path / name).symlink_to(victim)
    write_atomic(tmp_path / "a", b"new")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".rootfruit-guessed.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomic(tmp_path / "a", b"newer")
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / ".rootfruit-guessed.tmp").is_symlink(), "what is not ours is not removed"
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_nothing_is_left_after_an_error(tmp_path, monkeypatch, error):
    (tmp_path / "a").write_bytes(b"old")

    def fail(_):
        raise error

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(type(error)):
        write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_block_that_raises_replaces_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    def write():
        with replacing(tmp_path / "a") as out:
            out.write(b"half")
            raise ValueError("not the file that was asked for")

    with pytest.raises(ValueError, match="not the file"):
        write()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]
