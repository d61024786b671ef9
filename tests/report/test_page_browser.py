"""The audit page in a real browser: sections, filters, keyboard, both themes, two widths, no network, axe-core."""

from __future__ import annotations

import shutil

import pytest
from planted import result

from rootfruit_checks.report.audit import page
from rootfruit_checks.report.redact import masked

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to render the page with")

SECTIONS = ["limits", "checks", "levels", "groups", "regard", "pronouns", "flips", "samples", "method"]
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    value = result("They told her that he went home.")
    for number, check in enumerate(value["checks"]):
        check["samples"][0] |= {"value": number / 100, "policy": f"[neutral] She is number {number}."}
        if check["metric"] == "preservation":
            check["details"] |= {"points": [[-1.5, 0.5], [2.0, 1.0], [0.3, -0.7]], "pairs": 12}
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(value, "2026-01-01 00:00 UTC"), encoding="utf-8")
    return path


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def opened(request, browser, file):
    """The page as it is opened, and what it said and asked for meanwhile."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    yield tab
    assert said == []
    assert [url for url in asked if not url.startswith("file:")] == []
    assert len(asked) == 1
    context.close()


def count(tab):
    return int(tab.locator("#count").inner_text().split()[0])


def test_every_section_is_there_and_nothing_sticks_out(opened):
    for name in SECTIONS:
        assert opened.locator(f"h2#{name}").is_visible(), name
    for name in opened.locator("nav a").all():
        assert opened.locator(name.get_attribute("href")).count() == 1
    assert opened.locator("figure svg[role=img]").count() >= 5
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_filters_narrow_and_count(opened):
    every = count(opened)
    assert opened.locator("article").count() == min(every, 100)
    opened.select_option("#group", "nb")
    narrowed = count(opened)
    assert 0 < narrowed < every
    opened.select_option("#verdict", "pass")
    assert count(opened) < narrowed
    opened.select_option("#verdict", "")
    opened.select_option("#check", "winoqueer/preference/nb")
    assert count(opened) == 1
    opened.select_option("#check", "")
    opened.select_option("#group", "")
    opened.fill("#search", "NUMBER 3.")  # every word must be in it: 3, 13, 23
    assert count(opened) == sum(str(number).endswith("3") for number in range(every))
    opened.fill("#search", "no such words")
    assert count(opened) == 0
    assert opened.locator("#count").get_attribute("role") == "status"


def test_order_is_by_harm_or_by_name(opened):
    lines = opened.locator('article header span:has-text("contribution")').all_inner_texts()
    values = [float(line.split()[-1]) for line in lines]
    assert len(values) > 20
    assert values == sorted(values, reverse=True)
    opened.select_option("#order", "id")
    names = [one.locator("span").nth(1).inner_text() for one in opened.locator("article header").all()]
    assert names == sorted(names)


def test_texts_are_blurred_until_shown_by_click_or_by_key(opened):
    blur = "getComputedStyle(document.querySelector('article .text')).filter"
    assert "blur" in opened.evaluate(blur)
    first = opened.locator("article button").first
    first.click()
    assert opened.evaluate(blur) == "none"
    first.focus()
    opened.keyboard.press("Enter")
    assert "blur" in opened.evaluate(blur)
    opened.locator("#reveal").focus()
    opened.keyboard.press("Space")
    assert opened.evaluate(blur) == "none"
    assert opened.locator("#reveal").get_attribute("aria-pressed") == "true"


def test_keys_alone_reach_the_filters_in_order(opened):
    opened.locator("#search").focus()
    reached = []
    for _ in range(5):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.id"))
    assert reached == ["check", "group", "verdict", "order", "reveal"]


def test_pronouns_are_marked_in_what_was_written_alone(opened):
    opened.locator("#reveal").click()
    opened.select_option("#check", "misgendering/disparity/neo")
    assert [one.lower() for one in opened.locator("article mark").all_inner_texts()] == [
        "they", "her", "he", "she", "they", "her", "he",
    ]  # fmt: skip
    opened.select_option("#check", "winoqueer/preference/nb")
    assert opened.locator("article mark").count() == 0


def test_axe_finds_no_violation(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.locator("#reveal").click()
    for summary in opened.locator("details summary").all()[:2]:
        summary.click()
    found = axe.run(opened, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]], one["help"]) for one in found] == []


@pytest.mark.parametrize("how", ["slurs", "all"])
def test_what_is_withheld_is_nowhere_in_the_page(how):
    text = "A dyke and two faggots met; nobody else did."
    value = result()
    for check in value["checks"]:
        check["samples"][0] |= {"prompt": text, "policy": text, "reference": "d_shared = -1.250, d_full = +0.500"}
    html = page(value, "now", how)
    assert f"--rootfruit-redact={how}" in html
    assert ("nobody else did" in html) is (how == "slurs")
    assert "faggot" not in html
    assert ("A d*** and two f******" in html) is (how == "slurs")
    # Scores are no text, and a whole word alone is a slur.
    assert "d_shared = -1.250" in html
    assert masked("dykes, Scunthorpe, DYKE; a freakish dikes") == "d****, Scunthorpe, D***; a freakish dikes"
