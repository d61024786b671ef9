"""The history of releases: what is there, what is not, and a picture that any hostile name leaves whole."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from results import whole_result, whole_row

from rootfruit_checks.app.cli.main import main

SVG = "{http://www.w3.org/2000/svg}"


def row(check, verdict="pass", estimate=0.01, low=-0.02, high=0.04, gated=True):
    figures = {"estimate": estimate, "low": low, "high": high, "limit": 0.05 if gated else None}
    return whole_row(check, verdict=verdict, gated=gated, **figures)


def result(*rows, data=None, released=None, path="m"):
    value = whole_result(*rows)
    value["run"] |= {"policy": {"path": path}, "data": {"scale": "ci", **(data or {})}}
    return value if released is None else value | {"released": released}


@pytest.fixture
def write(tmp_path):
    def put(name, value):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(path)

    return put


def test_each_check_of_each_release_is_there_or_said_not_to_be(write, capsys):
    old = write("v1.json", result(row("a/b/c"), row("a/b/x", "none", gated=False)))
    new = write("v2.json", result(row("a/b/c", "fail", 0.1, 0.07, 0.13), row("a/b/d", "inconclusive"), released=False))
    assert main(["history", old, new]) == 0
    out = capsys.readouterr().out
    blocks = {block.splitlines()[0]: block.splitlines()[2:] for block in out.strip().split("\n\n")[1:]}
    assert blocks.keys() == {"a/b/c", "a/b/d"}
    assert [line.split() for line in blocks["a/b/c"]] == [
        ["v1", "0.010", "-0.020", "0.040", "0.050", "pass"],
        ["v2", "0.100", "0.070", "0.130", "0.050", "FAIL"],
    ]
    assert blocks["a/b/d"][0].endswith("not run")
    assert "v2  m, blocked" in out
    assert main(["history", "--all", old, new]) == 0
    assert "a/b/x" in capsys.readouterr().out


def test_other_data_is_said_and_names_that_are_alike_are_told_apart(write, capsys):
    one = write("a/r.json", result(row("a/b/c"), data={"winoqueer": "starter"}))
    two = write("b/r.json", result(row("a/b/c"), data={"winoqueer": "official"}))
    assert main(["history", one, two]) == 0
    out = capsys.readouterr().out
    assert "note: b/r and a/r used different data (winoqueer differ)" in out


def test_the_picture_shows_every_check_and_escapes_names(write, tmp_path):
    evil = 'a/b/<script>alert("1")</script>'
    one = write("v<1>.json", result(row("a/b/c"), row(evil, "error", None, None, None)))
    two = write("v2.json", result(row("a/b/c", "fail", 0.1, 0.07, 0.13)))
    plot = tmp_path / "h.svg"
    assert main(["history", one, two, "--plot", str(plot)]) == 0
    root = ET.fromstring(plot.read_text())
    panels = root.findall(f"{SVG}g")
    assert [panel.find(f"{SVG}title").text for panel in panels] == [evil, "a/b/c"]
    assert not list(root.iter(f"{SVG}script"))
    gone = [text.text for text in panels[0].iter(f"{SVG}text")]
    assert {"error", "not run"} <= set(gone)
    # The bars of the second panel lie on one scale: a higher figure is higher up.
    bars = [line for line in panels[1].iter(f"{SVG}line") if line.get("stroke-width") == "3"]
    (low1, high1), (low2, high2) = ((float(bar.get("y1")), float(bar.get("y2"))) for bar in bars)
    assert high2 < low2 < high1 < low1
    assert (low1 - high1) == pytest.approx(low2 - high2, abs=0.1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "line 1: is not JSON"),
        ("[]", "is not a result of a run"),
        (json.dumps({**result(), "schema": "x"}), "has version x"),
        (json.dumps(result({**row("a/b/c"), "verdict": "splendid"})), "$.checks[0].verdict: 'splendid' is not one of"),
        (
            json.dumps(result({**row("a/b/c"), "estimate": "1"})),
            "$.checks[0].estimate: expected a number or null, got text",
        ),
        ("PAR1 and nothing else", "is damaged"),
    ],
)
def test_what_is_no_result_is_an_error_in_one_line(write, capsys, content, words):
    path = write("r.json", content)
    assert main(["history", path]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert path in err
    assert err.count("\n") == 1


def test_wrong_calls(write, capsys, tmp_path):
    path = write("r.json", result(row("a/b/c")))
    for arguments in ([path, path], [path, "--plot", "h.png"], [path, "--plot", "/no/such/h.svg"], ["/no/such"]):
        assert main(["history", *arguments]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert not list(Path(tmp_path).glob("*.svg"))
