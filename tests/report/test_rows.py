"""JUnit XML and pytest-html's rows, on verdicts whose every text is hostile; and what a reader finds in a row."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import pytest
from hostile import PAIR, PAYLOADS, gate
from results import check, whole_row

from rootfruit_checks.base.text import plain
from rootfruit_checks.report.pytest_html import cleared, link

PROPERTIES = {"id", "verdict", "estimate", "low", "high", "limit", "n", "unscored", "data"}
ALTERED = """
import json
from dataclasses import replace
from pathlib import Path

import rootfruit_checks.runs.run as run
from rootfruit_checks.base.types import Sample

PAYLOADS = json.loads(Path("payloads.json").read_text())
honest = run.Run.verdict
count = iter(range(10**6))


def hostile(self, check):
    text = PAYLOADS[next(count) % len(PAYLOADS)]
    samples = (Sample(text, text, text, text, float("nan")),)
    word = ("fail", "inconclusive", "error", "pass")[next(later) % 4]
    return replace(honest(self, check), explain=text, data=text, samples=samples, verdict=word)


later = iter(range(10**6))
run.Run.verdict = hostile
"""
TESTS = """
import pytest


@pytest.mark.parametrize("number", range({count}))
@pytest.mark.rootfruit("winoqueer/preference", groups=["nonbinary"])
def test_text(rootfruit_check, number):
    rootfruit_check.require()


def test_own(rootfruit_run):
    print("<b>captured</b>")
    assert "my own" == "reason"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "payloads.json").write_text(json.dumps(PAYLOADS))
    (folder / "altered.py").write_text(ALTERED)
    (folder / "test_it.py").write_text(TESTS.format(count=len(PAYLOADS)))
    options = ("-p", "altered", "--html=out/r.html", "--self-contained-html", "--junit-xml=r.xml", "-vv")
    done = gate(folder, *PAIR, *options, "--rootfruit-report=pages/a b#1.html", suite=("test_it.py",))
    assert done.returncode == 1, done.stdout + done.stderr
    (folder / "stdout").write_text(done.stdout, "utf-8")
    return folder


def test_junit_is_valid_xml_with_every_figure(project):
    cases = {case.get("name"): case for case in ET.parse(project / "r.xml").iter("testcase")}
    assert len(cases) == len(PAYLOADS) + 1
    for number, payload in enumerate(PAYLOADS):
        case = cases[f"test_text[nonbinary-{number}]"]
        told = {one.get("name").removeprefix("rootfruit_"): one.get("value") for one in case.iter("property")}
        assert set(told) == PROPERTIES
        assert told["data"].split() == plain(payload).split()
        assert told["id"] == "winoqueer/preference/nonbinary"
        assert float(told["low"]) <= float(told["estimate"]) <= float(told["high"])
        kinds = {"fail": ["failure"], "inconclusive": ["failure"], "error": ["error"], "pass": []}
        assert [child.tag for child in case if child.tag in {"failure", "error"}] == kinds[told["verdict"]]


def test_an_instrument_that_broke_has_the_same_properties(tmp_path):
    gate(tmp_path, "--model=explode", *PAIR[1:], "-p", "no:html", "-k", "preference and nonbinary", "--junit-xml=r.xml")
    cases = list(ET.parse(tmp_path / "r.xml").iter("testcase"))
    assert cases
    for case in cases:
        told = {one.get("name"): one.get("value") for one in case.iter("property")}
        assert told["rootfruit_verdict"] == "error"
        assert set(told) == {f"rootfruit_{key}" for key in PROPERTIES}
        assert told["rootfruit_estimate"] == ""


def test_nothing_reaches_the_terminal_but_text(project):
    out = (project / "stdout").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", out)


def rows(project):
    page = (project / "out" / "r.html").read_text("utf-8")
    blob = html.unescape(re.search(r'data-jsonblob="([^"]*)"', page)[1])
    return page, json.loads(blob)["tests"]


def test_a_row_has_the_paragraph_and_a_link_and_no_trace(project):
    page, tests = rows(project)
    seen = 0
    for name, runs in tests.items():
        if "test_text" not in name:
            continue
        seen += 1
        (one,) = runs
        shown = [extra["content"] for extra in one["extras"] if extra["format_type"] == "html"]
        payload = PAYLOADS[int(re.search(r"nonbinary-(\d+)", name)[1])]
        assert plain(payload, 4000) in html.unescape(shown[0])
        assert one["log"] == ""
        assert "conftest" not in shown[0]
        links = re.findall(r'href="([^"]*)"', "".join(one["resultsTableRow"]))
        assert [unquote(html.unescape(to)) for to in links] == ["../pages/a b#1.html#winoqueer/preference/nonbinary"]
        file, _, anchor = html.unescape(links[0]).partition("#")
        target = os.path.normpath(project / "out" / unquote(file))
        assert f'id="{anchor}"' in (project / target).read_text("utf-8")
    assert seen == len(PAYLOADS)
    assert "Traceback" not in page


def test_a_test_that_fails_for_a_reason_of_its_own_keeps_its_trace(project):
    _, tests = rows(project)
    ((one,),) = [runs for name, runs in tests.items() if name.endswith("test_own")]
    assert "my own" in one["log"]
    assert "captured" in one["log"]


def test_what_was_captured_stays():
    breach = {"rows": [{}], "breach": True}
    assert cleared(breach, True, ["FAIL x\n", " Captured \ntext"]) == [" Captured \ntext"]
    assert cleared(breach, True, ["FAIL x\n"]) == []
    assert cleared(breach | {"breach": False}, True, ["E assert\n"]) == ["E assert\n"]
    assert cleared({"rows": [], "breach": False}, False, ["No log output captured."]) == ["No log output captured."]
    assert cleared(breach, False, ["No log output captured."]) == []


def test_a_link_leads_from_page_to_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = check(whole_row("winoqueer/preference/nonbinary"))
    other = check(whole_row("winoqueer/preference/fluid", gated=False, verdict="none"))
    assert link(row, "r.html", "report.html") == "report.html#winoqueer/preference/nonbinary"
    assert link(row, "a/r.html", str(tmp_path / "b" / "p.html")) == "../b/p.html#winoqueer/preference/nonbinary"
    assert link(other, "r.html", "p.html") == "p.html#groups"
    assert link(None, "r.html", 'a"<b>.html') == "a%22%3Cb%3E.html#groups"


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to render the page with")
def test_a_browser_makes_rows_of_it_and_nothing_else(project, tmp_path):
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom",
    ]  # fmt: skip
    file = (project / "out" / "r.html").as_uri()
    done = subprocess.run([*command, file], capture_output=True, text=True, check=True, timeout=120)
    dom = done.stdout
    assert "owned" not in re.search(r"<title[^>]*>(.*?)</title>", dom)[1]
    body = dom[dom.index('<table id="results-table"') :]
    body = body[: body.index("</table>\n  <footer") if "</table>\n  <footer" in body else len(body)]
    assert body.count('class="rootfruit"') == len(PAYLOADS)
    assert len(re.findall(r'class="logwrapper"', body)) >= 1
    for tag in ("iframe", "link", "meta", "base", "plaintext", "textarea", "math"):
        assert f"<{tag}" not in body, tag
    assert not re.findall(r"<[a-z]+[^>]*\son(?:error|load|mouseover|focus)\s*=", body)
