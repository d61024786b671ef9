"""Fetching against a server on 127.0.0.1: pins, resuming, interruption, wrong content, offline."""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfruit_checks.benchmarks import fetch as module
from rootfruit_checks.benchmarks.dataset import DISCLOSURE, MISGENDERING, WINOQUEER
from rootfruit_checks.benchmarks.fetch import FILES, Remote, fetch, matches, run_data, verified
from rootfruit_checks.errors import DataError

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "tango" / "misgendering_prompts.csv"
CONTENT = bytes(range(256)) * 2000  # half a megabyte


class Server(ThreadingHTTPServer):
    """Serves one content; `cut` bytes after the asked-for start it hangs up, once; `ranges` off ignores Range."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.ranges, self.status = CONTENT, 0, True, 200
        self.asked: list[tuple[str, str | None, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted, self.headers.get("Accept-Encoding")))
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if server.status != 200 or start >= len(server.content):
            self.send_error(416 if server.status == 200 else server.status)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        end = start + server.cut if server.cut else len(server.content)
        server.cut = 0
        self.wfile.write(server.content[start:end])

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


REMOTE = Remote("f.csv", "owner/repo/commit/f.csv", "MIT", git_blob(CONTENT))


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


@pytest.mark.parametrize("pin", [git_blob(CONTENT), "sha256:" + hashlib.sha256(CONTENT).hexdigest()])
def test_a_file_is_fetched_verified_and_not_fetched_again(server, tmp_path, pin):
    remote = replace(REMOTE, pin=pin)
    path = fetch(remote, tmp_path / "new" / "cache")
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == {"f.csv"}
    assert fetch(remote, path.parent) == fetch(remote, path.parent, offline=True) == path
    assert server.asked == [("/owner/repo/commit/f.csv", None, "identity")]


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cut = 300_000
    with pytest.raises(DataError, match="what came so far is kept, run it again"):
        fetch(REMOTE, tmp_path)
    assert left(tmp_path) == {"f.csv.part"}
    came = (tmp_path / "f.csv.part").read_bytes()
    assert CONTENT[:300_000].startswith(came)
    assert len(came) > 290_000
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted, _ in server.asked] == [None, f"bytes={len(came)}-"]
    assert left(tmp_path) == {"f.csv"}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(1, 200_000), max_size=3))
def test_any_number_of_interruptions_ends_in_the_same_file(server, tmp_path, cuts):
    (tmp_path / "f.csv").unlink(missing_ok=True)
    (tmp_path / "f.csv.part").unlink(missing_ok=True)
    for cut in cuts:
        server.cut = cut
        if sum(cuts) < len(CONTENT):
            with pytest.raises(DataError):
                fetch(REMOTE, tmp_path)
    server.cut = 0
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server, tmp_path):
    (tmp_path / "f.csv.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("before", [CONTENT, b"x" * 1000, CONTENT + b"x"], ids=["whole", "of another file", "too long"])
def test_whatever_lies_in_the_part_file_the_answer_is_right(server, tmp_path, before):
    (tmp_path / "f.csv.part").write_bytes(before)
    assert fetch(REMOTE, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == {"f.csv"}


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
    with pytest.raises(DataError, match=r"/owner/repo/commit/f\.csv: gave another file than the pinned git:"):
        fetch(REMOTE, tmp_path)
    assert left(tmp_path) == set()


def test_a_missing_file_upstream_is_told(server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match=r"/owner/repo/commit/f\.csv: cannot be fetched \(404"):
        fetch(REMOTE, tmp_path)
    assert "f.csv" not in left(tmp_path)


def test_no_server_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("ROOTFRUIT_DATA_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch(REMOTE, tmp_path)


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
    assert names == {*WINOQUEER[0], *MISGENDERING[0], *DISCLOSURE[0]}
    assert len({remote.pin for remote in FILES}) == len(FILES) == 10
    assert all(re.fullmatch("git:[0-9a-f]{40}", remote.pin) and remote.licence for remote in FILES)


@pytest.fixture
def cli(monkeypatch, tmp_path):
    """Run `rootfruit data ...` on two small files; returns (exit status, lines)."""
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path / "cache"))
    other = replace(REMOTE, name="g.csv", path="owner/repo/commit/g.csv", licence="CC BY-SA 4.0")
    monkeypatch.setattr(module, "FILES", (REMOTE, other))

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
