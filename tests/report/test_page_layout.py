"""The pages as a person sees them at two widths: margins, whole words, nothing cut off, the verdict first."""

from __future__ import annotations

import json

import pytest
from browsing import launched, looked_at, needs_chromium
from planted import result
from results import typed

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.report.audit_page import page
from rootfruit_checks.report.pytest_html import overview

pytestmark = needs_chromium
WIDTHS = (1280, 390)
LEAST_MARGIN = 12
FIRST = "winoqueer/preference/nonbinary"

# The left and right edge of each run of text in an element, by the lines that the browser made of it.
EDGES = """selector => [...document.querySelectorAll(selector)].flatMap(root => {
  const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const box = node.parentElement.closest('.wide, figure, pre, svg, .skip, script');
    if (box || !node.textContent.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const one of range.getClientRects())
      if (one.width > 1) found.push([one.left, one.right, node.textContent.trim().slice(0, 40)]);
  }
  return found;
})"""

# Words that stand on more than one line.
BROKEN = """selector => [...document.querySelectorAll(selector)].flatMap(root => {
  const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const word of node.textContent.matchAll(/[\\p{L}\\p{N}_]+/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].filter(one => one.width > 0).map(one => Math.round(one.top))).size > 1)
        found.push(word[0]);
    }
  return found;
})"""

# What reaches beyond the window and is in nothing that scrolls.
OUTSIDE = """() => [...document.querySelectorAll('body *')].filter(one => {
  const box = one.getBoundingClientRect();
  if (!box.width || box.right <= document.documentElement.clientWidth + 1) return false;
  for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return false;
  return true;
}).map(one => one.tagName + '.' + one.className)"""


def blocked(name="models/policy"):
    value = result(name)
    value |= {"released": False}
    for check in value["checks"]:
        if check["id"] == FIRST:
            check |= {"verdict": "fail", "estimate": 0.97, "low": 0.9, "high": 0.99}
        elif check["id"] == "disclosure/amplification/transgender":
            check |= {"verdict": "inconclusive", "low": -2.0, "high": 0.3}
    sentence = (
        "starter: our own prompts, not the community-made sets (Apache-2.0; sha256 " + "0123456789abcdef" * 4 + ")"
    )
    value["run"]["data"] |= dict.fromkeys(("winoqueer", "disclosure", "misgendering"), sentence)
    return value


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "audit.html").write_text(page(typed(blocked()), "2026-01-01 00:00 UTC"), encoding="utf-8")
    for name in ("base", "sft", "dpo"):
        value = blocked(f"models/{name}") if name == "dpo" else result(f"models/{name}")
        value["run"]["data"] = blocked()["run"]["data"]
        (folder / f"{name}.json").write_text(json.dumps(value))
    runs = [str(folder / f"{name}.json") for name in ("base", "sft", "dpo")]
    assert main(["report", *runs, "-o", str(folder / "compare.html")]) == 0
    head = f"<!doctype html><meta charset=utf-8><title>x</title><main>{overview(typed(blocked()))}</main>"
    (folder / "rows.html").write_text(head, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(
    params=[(name, width) for name in ("audit", "compare") for width in WIDTHS], ids=lambda p: f"{p[0]}-{p[1]}"
)
def opened(request, browser, pages):
    name, width = request.param
    with looked_at(browser, pages / f"{name}.html", (width, "light")) as tab:
        yield tab


def test_text_keeps_a_margin_on_both_sides(opened):
    edges = opened.evaluate(EDGES, "header, main, footer")
    width = opened.evaluate("document.documentElement.clientWidth")
    assert len(edges) > 20
    assert [one for one in edges if one[0] < LEAST_MARGIN or one[1] > width - LEAST_MARGIN + 1] == []


def test_no_word_is_broken_in_a_header_of_page_or_table(opened):
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.evaluate("document.querySelectorAll('thead th').length") > 5
    assert opened.evaluate(BROKEN, "h1, h2, h3, nav, thead th, .kind, ul.first, ul.runs") == []


def test_nothing_is_wider_than_the_window_but_what_scrolls(opened):
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.evaluate(OUTSIDE) == []
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_verdict_and_first_failure_stand_on_the_first_screen(opened):
    for text in ("h1", f'header li:has-text("FAIL"):has-text("{FIRST}"), main li:has-text("{FIRST}"):has-text("FAIL")'):
        box = opened.locator(text).first.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900, text
    assert opened.locator("header").first.inner_text().lower().count("blocked") == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_the_head_of_a_pytest_html_report_has_the_failure_before_the_table(browser, pages, width):
    with looked_at(browser, pages / "rows.html", (width, "light")) as tab:
        assert tab.evaluate(OUTSIDE) == []
        places = [
            tab.locator(one).first.bounding_box()["y"] for one in ("strong", f'summary:has-text("{FIRST}")', "pre")
        ]
        assert places == sorted(places)
        assert places[1] < 450  # below it are pytest-html's own head and environment


def test_the_checks_here_see_a_page_without_margins_and_with_broken_words(browser, tmp_path):
    words = "<table><thead><tr><th style='max-width:2em;overflow-wrap:anywhere'>amplification</th></tr></thead></table>"
    file = tmp_path / "bad.html"
    file.write_text(
        f"<!doctype html><body style='margin:0'><main><p>edge</p>{words}<div style='width:150vw'>x</div></main>"
    )
    with looked_at(browser, file, (390, "light")) as tab:
        assert tab.evaluate(EDGES, "main")[0][0] < LEAST_MARGIN
        assert tab.evaluate(BROKEN, "thead th") == ["amplification"]
        assert tab.evaluate(OUTSIDE) != []


@pytest.mark.parametrize("name", ["audit.css", "compare.css"])
def test_style_sheets_are_source(name):
    from importlib import resources

    lines = (resources.files("rootfruit_checks.report") / "page" / name).read_text("utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 or line.count(";") > 1 or line.count("{") > 1] == []


def test_a_heading_with_reservations_breaks_after_slashes_and_fits(browser, tmp_path):
    value = result("models/policy")
    value |= {
        "released": True,
        "reservations": ["1 limit is looser than the default (winoqueer/amplification/nonbinary)"],
    }
    (tmp_path / "page.html").write_text(page(typed(value), "2026-01-01 00:00 UTC"), encoding="utf-8")
    with looked_at(browser, tmp_path / "page.html", (390, "light")) as tab:
        assert "winoqueer/amplification/nonbinary" in tab.locator("h1").text_content()
        assert tab.evaluate(BROKEN, "h1") == []
        assert tab.evaluate(OUTSIDE) == []
