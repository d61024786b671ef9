"""Readers of the official files, on the real ones where they are beside the checkout and on files in their form."""

from __future__ import annotations

import csv
import hashlib
import http.server
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.app.cli import main
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.benchmarks.disclosure import reader as tango
from rootfruit_checks.benchmarks.disclosure.samples import SETS
from rootfruit_checks.benchmarks.misgendering.reader import read_misgendering
from rootfruit_checks.benchmarks.winoqueer import reader
from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.measures import OfficialFile
from rootfruit_checks.data import download, readers
from rootfruit_checks.data.load import load

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
real = pytest.mark.skipif(not SHARED.exists(), reason="the official files are not beside this checkout")


def sample_disclosure(paths, names, identities, seed, forms=None):
    return tango.sample_surveyed(paths, tango.survey_disclosure(paths), names, identities, seed, forms)


@real
def test_the_real_misgendering_set_is_whole():
    prompts = read_misgendering(SHARED / "tango" / "misgendering_prompts.csv")
    assert len(prompts) == 2880
    assert {len(set(map(key, prompts))) for key in [lambda p: p.frame]} == {12}
    assert len({p.subject for p in prompts}) == 40
    assert Counter(p.identity for p in prompts) == dict.fromkeys(["he", "she", "they", "xe", "ey", "fae"], 480)


@real
def test_the_real_misgendering_file_has_upstreams_git_id():
    pin = next(remote.pin for remote in download.official_files() if remote.name == "misgendering_prompts.csv")
    assert download.matches(SHARED / "tango" / "misgendering_prompts.csv", pin)


@real
def test_frames_of_the_real_excerpt_are_recovered():
    pairs = reader.read_winoqueer(SHARED / "winoqueer" / "excerpt.csv")
    assert len(pairs) == 30
    by_id = {pair.id: pair for pair in pairs}
    assert by_id["wq-40"].predicate == "sinful"  # "Lesbians are sinful." beside "Straight people are sinful."
    assert by_id["wq-30760"].name == "Donna"
    assert by_id["wq-5810"].identity == "NB"
    assert not [pair for pair in pairs if pair.frame == "unparsed"]
    controls = reader.add_controls(pairs)[30:]
    per_cell = Counter((pair.frame, pair.identity, pair.counterpart, pair.kind) for pair in controls)
    assert min(per_cell.values()) >= 30
    assert len({pair.id for pair in controls}) == len(controls)


def write_csv(path, header, lines):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *lines])
    return path


def disclosure(folder, names=14, forms=10):
    identities = ["man", "woman", "transgender man", "nonbinary", "agender"]
    lines = [
        [f, "x", f"{n} told form {f} about {i}.", i, n, "1", "1"]
        for f in range(forms)
        for i in identities
        for n in (f"Name{k}" for k in range(names))
    ]
    for part, name in enumerate(SETS[0]):
        write_csv(folder / name, tango.COLUMNS, lines[part::8])
    return len(lines)


def test_disclosure_parts_are_surveyed_and_sampled_in_matched_cells(tmp_path):
    count = disclosure(tmp_path)
    paths = [tmp_path / name for name in SETS[0]]
    survey = tango.survey_disclosure(paths)
    assert (survey.rows, len(survey.identities), len(survey.forms), len(survey.names)) == (count, 5, 10, 14)
    sample = sample_disclosure(paths, names=12, identities=4, seed=3)
    assert sample == sample_disclosure(paths[::-1], names=12, identities=4, seed=3)
    assert len(sample) == 12 * 4 * 10
    assert {"man", "woman"} <= {prompt.identity for prompt in sample}
    data = load("disclosure", str(tmp_path), "paper", 0)
    assert len(data.prompts) == count


def test_a_missing_part_is_named(tmp_path):
    disclosure(tmp_path)
    (tmp_path / SETS[0][4]).unlink()
    with pytest.raises(DataError, match="lacks part_5_gender_disclosure_prompts"):
        load("disclosure", str(tmp_path), "ci", 0)


def test_a_file_that_is_not_winoqueer_is_refused(tmp_path):
    lines = [[i, "Gay", "Straight", f"gibberish {i} Gay", f"nonsense {i} Straight"] for i in range(10)]
    path = write_csv(tmp_path / "winoqueer_final.csv", reader.HEADER, lines)
    with pytest.raises(DataError, match="cannot be recovered"):
        reader.read_winoqueer(path)
    with pytest.raises(DataError, match="cannot be recovered"):
        load("winoqueer", str(tmp_path), "ci", 0)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=8))
def test_what_is_written_is_read(tmp_path_factory, lines):
    path = write_csv(tmp_path_factory.mktemp("csv") / "x.csv", ["a", "b"], lines)
    assert [tuple(row.values()) for _, row in readers.read_csv(path, ["a", "b"])] == lines


def test_an_unclosed_quote_and_a_nul_are_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'a,b\n1,"2\n')
    with pytest.raises(DataError, match=r"x.csv:\d: .*is not CSV"):
        list(readers.read_csv(path, ["a", "b"]))
    path.write_bytes(b"a,b\n1,\x002\n")
    with pytest.raises(DataError, match=r"x.csv:2: holds a NUL"):
        list(readers.read_csv(path, ["a", "b"]))


def test_every_group_names_known_identities():
    for benchmark in ("winoqueer", "disclosure", "misgendering"):
        for group in groups().names(benchmark):
            assert set(groups().members(benchmark, group)) <= groups().known(benchmark)


class Server(http.server.BaseHTTPRequestHandler):
    content = b"template" * 5000
    cut = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        start = 0
        asked = self.headers.get("Range")
        type(self).asked.append(asked or "")
        if self.path.endswith("missing.csv"):
            self.send_error(404)
            return
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.cut:
            body, type(self).cut = body[: self.cut], 0
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    blob = hashlib.sha1(b"blob %d\0" % len(Server.content) + Server.content).hexdigest()
    sha = hashlib.sha256(Server.content).hexdigest()
    files = (
        OfficialFile("good.csv", "x/good.csv", "MIT", f"git:{blob}"),
        OfficialFile("other.csv", "x/other.csv", "MIT", f"sha256:{sha}"),
        OfficialFile("wrong.csv", "x/wrong.csv", "MIT", "git:" + "0" * 40),
        OfficialFile("missing.csv", "x/missing.csv", "MIT", f"git:{blob}"),
    )
    monkeypatch.setattr(download, "official_files", lambda: files)
    monkeypatch.setenv("ROOTFRUIT_DATA_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path / "cache"))
    Server.asked = []
    yield tmp_path / "cache"
    server.shutdown()
    server.server_close()


def test_fetching_verifies_lists_and_says_the_licence(mirror, capsys):
    assert main.main(["data", "fetch", "good.csv", "other.csv"]) == 0
    told = capsys.readouterr().out
    assert "good.csv: licence MIT" in told
    assert (mirror / "good.csv").read_bytes() == Server.content
    assert main.main(["data", "verify", "good.csv"]) == 0
    (mirror / "good.csv").write_bytes(b"changed")
    assert main.main(["data", "verify", "good.csv"]) == 1
    assert "CHANGED" in capsys.readouterr().out
    assert main.main(["data", "list"]) == 0
    assert main.main(["data", "path"]) == 0
    assert str(mirror) in capsys.readouterr().out


def test_a_cut_transfer_leaves_nothing_and_the_next_begins_anew(mirror, capsys):
    Server.cut = 7000
    assert main.main(["data", "fetch", "good.csv"]) == 1
    assert "broke off" in capsys.readouterr().err
    assert not [path for path in mirror.iterdir() if path.suffix != ".lock"]
    assert main.main(["data", "fetch", "good.csv"]) == 0
    assert (mirror / "good.csv").read_bytes() == Server.content


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("wrong.csv", [], "sent a file that is not the pinned"),
        ("missing.csv", [], "cannot be fetched"),
        ("good.csv", ["--offline"], "--offline forbids"),
        ("nothing.csv", [], "no such official file"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(mirror, capsys, name, options, told):
    assert main.main(["data", "fetch", name, *options]) == 1
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert not (mirror / name).exists()
