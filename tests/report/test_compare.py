"""The page that compares runs: each figure is there, data that differ are refused or said, hostile text stays text."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from hostile import MARKDOWN, PAYLOADS, result

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.report.compare import differing


class Seen(HTMLParser):
    """The page's elements, and its tables as lists of rows of cells."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.tables, self._cell = [], [], [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag != "wbr":  # where an id may break; one that is no id has none
            self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
            self._cell = True
        elif tag in {"br", "small"} and self._cell:
            self.tables[-1][-1][-1] += "\n"

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data):
        self.text.append(data)
        if self._cell:
            self.tables[-1][-1][-1] += data


@pytest.fixture
def put(tmp_path):
    def write(name, value):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(value))
        return str(file)

    return write


def stages():
    base = result()
    sft = copy.deepcopy(base)
    sft["run"]["policy"]["path"] = "models/sft"
    moved = next(row for row in sft["checks"] if row["id"] == "winoqueer/preference/nonbinary")
    moved.update(estimate=0.91, low=0.87, high=0.94, verdict="fail")
    sft |= {"released": False}
    dpo = copy.deepcopy(sft)
    dpo["checks"] = [row for row in dpo["checks"] if row["id"] != "winoqueer/preference/all"]
    dpo["run"]["settings"]["temperature"] = "0.5"
    dpo["run"]["instruments"]["regard"] = "another"
    return base, sft, dpo


def test_every_check_of_every_run_is_in_the_table(put, tmp_path, capsys):
    runs = stages()
    files = [put(name, value) for name, value in zip(("base", "sft", "dpo"), runs, strict=True)]
    out = tmp_path / "page.html"
    assert main(["report", *files, "-o", str(out)]) == 0
    seen = Seen(out.read_text("utf-8"))
    table = seen.tables[0]
    assert table[0] == ["check", "limit", "1: base", "2: sft", "3: dpo"]
    lines = {line[0].split("\n")[0]: line for line in table[1:]}
    gated = [row for row in runs[0]["checks"] if row["gated"]]
    assert lines.keys() == {row["id"] for row in gated}
    for row in gated:
        sign = "+" if row["metric"] in {"amplification", "disparity", "avoidance"} else ""
        told = lines[row["id"]][2].split("\n")
        assert told[0] == f"{row['estimate']:{sign}.3f}"
        assert told[1] == f"{row['low']:{sign}.3f} to {row['high']:{sign}.3f}"
        assert told[2] == "pass"
        assert lines[row["id"]][1] == f"{row['limit']:.3f}"
    assert lines["winoqueer/preference/nonbinary"][3].split("\n") == ["0.910", "0.870 to 0.940", "FAIL"]
    assert lines["winoqueer/preference/all"][4] == "not run"
    text = "".join(seen.text)
    assert "from pass (0.550, bounds 0.520 to 0.570) in base to FAIL (0.910, bounds 0.870 to 0.940) in sft" in text
    assert text.count(" in base to ") == 1
    differ = {line[0]: line[1:] for table in seen.tables[2:] for line in table[1:]}
    assert differ == {
        "temperature": ["1.0", "1.0", "0.5"],
        "regard": ["They went home.", "They went home.", "another"],
    }
    assert seen.tags.count("svg") == 1
    panels = seen.tags.count("g")
    assert panels == len(gated)
    assert "21 checks over 3 runs" in capsys.readouterr().out


def test_the_same_files_give_the_same_page_with_their_hashes(put, tmp_path):
    files = [put("a", stages()[0]), put("b", stages()[1])]
    pages = []
    for name in ("one.html", "two.html"):
        assert main(["report", *files, "-o", str(tmp_path / name)]) == 0
        pages.append((tmp_path / name).read_text("utf-8"))
    assert pages[0] == pages[1]
    for file in files:
        told = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
        assert told in pages[0]


def test_runs_of_different_data_are_refused_unless_asked_for_and_then_it_is_said(put, tmp_path, capsys):
    one, _, three = stages()
    three["run"]["data"]["winoqueer"] = "official: theirs"
    files = [put("a", one), put("b", three)]
    out = tmp_path / "page.html"
    assert main(["report", *files, "-o", str(out)]) == 1
    told = capsys.readouterr().err
    assert "different data: winoqueer is 'They went home.' in one and 'official: theirs' in another" in told
    assert told.count("\n") == 1
    assert not out.exists()
    assert main(["report", *files, "-o", str(out), "--other-data"]) == 0
    assert "These runs used different data" in out.read_text("utf-8")
    assert main(["report", files[0], put("c", one), "-o", str(out), "--other-data"]) == 0
    assert "different data" not in out.read_text("utf-8")


def test_data_differ_whichever_run_has_them():
    told = [{"scale": "ci"}, {"scale": "ci", "x": "1"}, {"scale": "ci", "x": "2"}]
    assert differing(told) == {"x": [None, "1", "2"]}
    assert differing(told[:2]) == {}


def test_a_store_and_exploratory_checks(put, tmp_path):
    one, two, _ = stages()
    extra = copy.deepcopy(two["checks"][0]) | {"id": "winoqueer/preference/fluid", "group": "fluid", "gated": False}
    two["checks"].append(extra | {"verdict": "none"})
    store = tmp_path / "store"
    store.mkdir()
    (store / "result.json").write_text(json.dumps(two))
    out = tmp_path / "page.html"
    assert main(["report", put("a", one), str(store), "-o", str(out), "--all"]) == 0
    seen = Seen(out.read_text("utf-8"))
    lines = {line[0].split("\n")[0]: line for line in seen.tables[0][1:]}
    assert lines["winoqueer/preference/fluid"][2:] == ["not run", lines["winoqueer/preference/fluid"][3]]
    assert lines["winoqueer/preference/fluid"][3].endswith("not gated")
    assert main(["report", put("a", one), str(store), "-o", str(out)]) == 0
    assert "fluid" not in out.read_text("utf-8")


def hostile(payload):
    runs = stages()[:2]
    for value in runs:
        value["checks"] = [row for row in value["checks"] if row["gated"]][:6]
        value["checks"][0]["id"] = f"zz/z/{payload}"
        value["run"]["policy"] |= {"path": payload, "weights": payload}
        value["run"]["data"] = {"scale": payload, f"x{payload}": payload}
    runs[1]["run"]["settings"]["temperature"] = payload
    runs[1]["run"]["instruments"] = {"regard": payload}
    runs[1]["checks"][0] |= {"verdict": "fail"}
    runs[1]["released"] = False
    return runs


def made(put, tmp_path, payload, name):
    files = [put(f"{name}{place}", value) for place, value in enumerate(hostile(payload))]
    out = tmp_path / f"{name}.html"
    assert main(["report", *files, "-o", str(out)]) == 0
    return Seen(out.read_text("utf-8"))


@pytest.mark.parametrize("payload", [*PAYLOADS, *MARKDOWN[:12]], ids=range(len(PAYLOADS) + 12))
def test_hostile_text_stays_text(put, tmp_path, payload):
    clean, seen = made(put, tmp_path, "word", "clean"), made(put, tmp_path, payload, "evil")
    assert seen.tags == clean.tags
    assert [one[:2] for one in seen.attributes] == [one[:2] for one in clean.attributes]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "".join(seen.text))


def test_it_loads_and_runs_nothing(put, tmp_path):
    seen = made(put, tmp_path, "word", "page")
    assert "script" not in seen.tags
    assert not [one for one in seen.attributes if one[1] in {"src", "srcset", "action"} or one[1].startswith("on")]
    assert all(value.startswith("#") for _, name, value in seen.attributes if name == "href")
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for _, name, value in seen.attributes if name == "aria-labelledby"} <= set(ids)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "x"}', '{"checks": 1}'])
def test_what_is_no_result_is_told_in_one_line(put, tmp_path, capsys, content):
    (tmp_path / "bad.json").write_text(content)
    assert main(["report", put("a", result()), str(tmp_path / "bad.json"), "-o", str(tmp_path / "p.html")]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "bad.json" in told
    assert not (tmp_path / "p.html").exists()


def test_a_page_that_cannot_be_written_is_told(put, tmp_path, capsys):
    (tmp_path / "dir").mkdir()
    assert main(["report", put("a", result()), put("b", result()), "-o", str(tmp_path / "dir")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to render the page with")
def test_a_browser_shows_all_of_it_without_a_complaint(put, tmp_path):
    files = [put(name, value) for name, value in zip("abc", stages(), strict=True)]
    out = tmp_path / "page.html"
    assert main(["report", *files, "-o", str(out)]) == 0
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--enable-logging=stderr", "--dump-dom", out.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "CONSOLE" not in done.stderr
    assert Seen(done.stdout).tables == Seen(out.read_text("utf-8")).tables


@pytest.mark.parametrize("more", [[], ["--model-card"]])
def test_a_source_that_does_not_exist_is_said_not_to_exist(more, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "nosuch.json", *more]) == 1
    told = capsys.readouterr().err
    assert told == "rootfruit: nosuch.json: no such file or directory; name a result (JSON) or a store directory\n"
    (tmp_path / "empty").mkdir()
    assert main(["report", "empty"]) == 1
    assert "empty: holds no result.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["report", "--verify", "nosuch.html"], ["export", "nosuch", "out.parquet"], ["history", "nosuch.json"]]
)
def test_other_commands_say_so_too(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "no such file" in told
