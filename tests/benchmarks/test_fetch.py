"""Fetching against a server on 127.0.0.1: pins, interruption, slow and endless replies, wrong content, offline."""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks import disclosure, misgendering, winoqueer
from rootfruit_checks.catalog.measures import OfficialFile
from rootfruit_checks.data import download as module
from rootfruit_checks.data.download import fetch, matches, official_files, run_data, verified

FILES = official_files()

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "tango" / "misgendering_prompts.csv"
CONTENT = bytes(range(256)) * 2000  # half a megabyte


class Server(ThreadingHTTPServer):
    """Serves one content, and hangs up `cut` bytes after its start, if that is set, or does as `fault` does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.status = CONTENT, 0, 200
        self.asked: list[tuple[str, str | None]] = []
        self.fault = None

    def handle_error(self, *_: object) -> None:
        pass


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers.get("Accept-Encoding")))
        if server.fault:
            self.close_connection = True
            server.fault(self.wfile.write)
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        self.wfile.write(server.content[: server.cut or len(server.content)])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    found = Server()
    threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("ROOTFRUIT_DATA_MIRROR", f"http://127.0.0.1:{found.server_address[1]}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield found
    found.shutdown()
    found.server_close()


def git_blob(content: bytes) -> str:
    return "git:" + hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


REMOTE = OfficialFile("f.csv", "owner/repo/commit/f.csv", "MIT", git_blob(CONTENT))


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


@pytest.mark.parametrize("pin", [git_blob(CONTENT), "sha256:" + hashlib.sha256(CONTENT).hexdigest()])
def test_a_file_is_fetched_verified_and_not_fetched_again(server, tmp_path, pin):
    remote = replace(REMOTE, pin=pin)
    path = fetch(remote, tmp_path / "new" / "cache")
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == {"f.csv"}
    assert fetch(remote, path.parent) == fetch(remote, path.parent, offline=True) == path
    assert server.asked == [("/owner/repo/commit/f.csv", "identity")]


def one_line(told) -> None:
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("cut", [1, 300_000, len(CONTENT) - 1])
def test_a_broken_transfer_leaves_nothing_and_can_be_run_again(server, tmp_path, cut):
    server.cut = cut
    with pytest.raises(DataError, match=r"cannot be fetched .*broke off.*run it again") as told:
        fetch(REMOTE, tmp_path)
    one_line(told)
    assert left(tmp_path) == set()
    server.cut = 0
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == {"f.csv"}


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 512000\r\n"


def drip(start: bytes, piece: bytes):
    def fault(write) -> None:
        write(start)
        for _ in range(100):
            time.sleep(0.05)
            write(piece)

    return fault


DRIPS = {
    "nothing": lambda write: time.sleep(5),
    "headers": drip(HEAD, b"X: y\r\n"),
    "a header": drip(HEAD + b"X: ", b"y"),
    "a body": drip(HEAD + b"\r\n", b"x"),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("fault", DRIPS.values(), ids=DRIPS)
def test_a_file_that_comes_in_drips_is_given_up(server, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.5)
    server.fault = fault
    began = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be fetched \((not finished in 0.5 s|no answer from 127)") as told:
        fetch(REMOTE, tmp_path)
    assert time.monotonic() - began < 3
    one_line(told)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("head", [b"", b"Content-Length: 9999999999\r\n", b"Content-Encoding: gzip\r\n"])
def test_a_file_without_an_end_is_given_up(server, tmp_path, head):
    def endless(write) -> None:
        write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            write(bytes(1 << 16))

    server.fault = endless
    with pytest.raises(DataError, match="sends more than the 600000 bytes") as told:
        fetch(replace(REMOTE, most=600_000), tmp_path)
    one_line(told)
    assert left(tmp_path) == set()


def test_a_file_of_exactly_the_pinned_size_is_taken(server, tmp_path):
    assert fetch(replace(REMOTE, most=len(CONTENT)), tmp_path).read_bytes() == CONTENT


def test_planted_links_are_not_followed(server, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("f.csv.part", "f.csv.tmp", ".f.csv.part"):
        (tmp_path / name).symlink_to(victim)
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT
    assert victim.read_bytes() == b"precious"


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DataError, match=r"cannot be written .*ROOTFRUIT_DATA") as told:
        fetch(REMOTE, tmp_path / "file" / "cache")
    one_line(told)


def test_a_changed_file_is_replaced_and_kept_until_then(server, tmp_path):
    (tmp_path / "f.csv").write_bytes(b"changed")
    server.status = 500
    with pytest.raises(DataError, match="500"):
        fetch(REMOTE, tmp_path)
    assert (tmp_path / "f.csv").read_bytes() == b"changed"
    server.status = 200
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_thrown_away_and_told(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DataError, match=r"/owner/repo/commit/f\.csv: sent a file that is not the pinned git:") as told:
        fetch(REMOTE, tmp_path)
    one_line(told)
    assert git_blob(CONTENT) in str(told.value)
    assert git_blob(server.content) in str(told.value)
    assert left(tmp_path) == set()


def test_a_missing_file_upstream_is_told(server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match=r"/owner/repo/commit/f\.csv: cannot be fetched \(404"):
        fetch(REMOTE, tmp_path)
    assert "f.csv" not in left(tmp_path)


def test_no_server_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_DATA_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"no connection to 127\.0\.0\.1:9.*check the network.*_MIRROR") as told:
        fetch(REMOTE, tmp_path)
    one_line(told)
    monkeypatch.setenv("ROOTFRUIT_DATA_MIRROR", "http://no-such-host.invalid")
    with pytest.raises(DataError, match=r"no connection to no-such-host\.invalid") as told:
        fetch(REMOTE, tmp_path)
    one_line(told)


def test_offline_asks_nobody(server, tmp_path):
    with pytest.raises(DataError, match="--offline"):
        fetch(REMOTE, tmp_path / "none", offline=True)
    assert server.asked == []
    assert not (tmp_path / "none").exists()


def test_two_at_once_ask_once(server, tmp_path):
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(REMOTE, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in found] == [CONTENT] * 4
    assert len(server.asked) == 1


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200))
def test_pins_are_those_of_git(tmp_path, content):
    path = tmp_path / "blob"
    path.write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(path)]
    asked = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    assert matches(path, f"git:{asked}")
    path.write_bytes(content + b"x")
    assert not matches(path, f"git:{asked}")


@pytest.mark.skipif(not OFFICIAL.is_file(), reason=f"{OFFICIAL} is not there")
def test_the_real_file_has_the_pinned_id():
    remote = next(remote for remote in FILES if remote.name == OFFICIAL.name)
    assert matches(OFFICIAL, remote.pin)
    assert not matches(OFFICIAL, FILES[0].pin)


def test_every_set_that_is_loaded_can_be_fetched():
    names = {remote.name for remote in FILES}
    assert names == {winoqueer.FILE.name, misgendering.FILE.name, *(file.name for file in disclosure.FILES)}
    assert len({remote.pin for remote in FILES}) == len(FILES) == 10
    assert all(re.fullmatch("git:[0-9a-f]{40}", remote.pin) and remote.licence for remote in FILES)


@pytest.fixture
def cli(monkeypatch, tmp_path):
    """Run `rootfruit data ...` on two small files; returns (exit status, lines)."""
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path / "cache"))
    other = replace(REMOTE, name="g.csv", path="owner/repo/commit/g.csv", licence="CC BY-SA 4.0")
    monkeypatch.setattr(module, "official_files", lambda: (REMOTE, other))

    def run(*argv: str) -> tuple[int, list[str]]:
        parser = argparse.ArgumentParser()
        module.add_data_parser(parser.add_subparsers(dest="command"))
        lines: list[str] = []
        return run_data(parser.parse_args(["data", *argv]), lines.append), lines

    return run


def test_the_commands_list_fetch_verify_and_path(server, cli, tmp_path):
    assert cli("path") == (0, [str(tmp_path / "cache")])
    status, lines = cli("list")
    assert status == 0
    assert [line.split(";")[0] for line in lines] == ["f.csv: missing", "g.csv: missing"]
    assert "CC BY-SA 4.0" in lines[1]
    assert "/owner/repo/commit/g.csv" in lines[1]
    assert cli("verify")[0] == 1
    status, lines = cli("fetch", "g.csv")
    assert status == 0
    assert "licence CC BY-SA 4.0, from http://127.0.0.1" in lines[0]
    assert cli("verify", "g.csv") == (0, [f"g.csv: verified; licence CC BY-SA 4.0; {REMOTE.pin}"])
    assert cli("fetch")[0] == cli("fetch", "--offline")[0] == cli("verify")[0] == 0
    assert len(server.asked) == 2
    (tmp_path / "cache" / "f.csv").write_bytes(b"changed")
    status, lines = cli("verify")
    assert (status, lines[0].split(";")[0]) == (1, "f.csv: CHANGED")
    assert cli("list")[0] == 0
    with pytest.raises(DataError, match=r"f\.csv: is not the file that upstream holds .*rootfruit data fetch f\.csv"):
        verified(["f.csv"])
    with pytest.raises(DataError, match="--offline"):
        cli("fetch", "--offline")


def test_an_unknown_name_is_told(cli):
    with pytest.raises(DataError, match=r"h\.csv: no such official file; `rootfruit data list`"):
        cli("fetch", "h.csv")


def test_every_missing_file_is_named_with_the_command(cli):
    with pytest.raises(DataError, match=r"f\.csv, g\.csv: not fetched .*`rootfruit data fetch f\.csv g\.csv`"):
        verified(["f.csv", "g.csv"])
