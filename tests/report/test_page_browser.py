"""The audit page in a real browser: sections, filters, keyboard, both themes, two widths, no network, axe-core."""

from __future__ import annotations

import pytest
from browsing import LOOKS, launched, looked_at, named, needs_chromium
from planted import result
from results import typed

from rootfruit_checks.report.audit_page import page
from rootfruit_checks.report.redact import masked

pytestmark = needs_chromium

SECTIONS = [
    "found",
    "limits",
    "checks",
    "levels",
    "groups",
    "regard",
    "pronouns",
    "flips",
    "narratives",
    "samples",
    "method",
]


# The policy: shared -1 and -3 against -1.5 and -2.25; the rest -4 against -5 and -0.5.
TOKENS = {
    "policy": {
        "queer": [["Trans", -4.0, False], [" people", -1.0, True], [" sing", -3.0, True]],
        "counterfactual": [
            ["Cis", -5.0, False],
            ["gender", -0.5, False],
            [" people", -1.5, True],
            [" sing", -2.25, True],
        ],
    },
    "reference": {
        "queer": [["Trans", -4.0, False], [" people", -1.0, True], [" sing", -3.5, True]],
        "counterfactual": [
            ["Cis", -5.0, False],
            ["gender", -0.5, False],
            [" people", -1.0, True],
            [" sing", -2.0, True],
        ],
    },
}

SCORED = {
    "winoqueer/preference/all": ("+4.000", "+2.000"),
    "winoqueer/amplification/all": ("+2.500", "-2.000"),
    "winoqueer/reward_stigma/all": ("-1.000", "+2.000"),
}
# A reference with words of its own: "people sing" is one token of it.
OTHERS = {
    "policy": TOKENS["policy"],
    "reference": {
        "queer": [["Trans", -4.0, False], [" people sing", -1.0, True]],
        "counterfactual": [["Cisgender", -5.0, False], [" people sing", -1.25, True]],
    },
}


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    value = result("They told her that he went home.")
    for number, check in enumerate(value["checks"]):
        check["samples"][0] |= {"value": number / 100, "policy": f"[neutral] She is number {number}."}
        if check["id"] in SCORED:
            policy, reference = SCORED[check["id"]]
            scores = {"policy": f"d_shared = {policy}", "reference": f"d_shared = {reference}"}
            check["samples"][0] |= {"prompt": f"She is number {number}.", **scores}
        if check["benchmark"] == "winoqueer":
            check["samples"][0]["tokens"] = OTHERS if check["metric"] == "amplification" else TOKENS
        if check["metric"] == "preservation":
            check["details"] |= {"points": [[-1.5, 0.5], [2.0, 1.0], [0.3, -0.7]], "pairs": 12}
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(typed(value), "2026-01-01 00:00 UTC"), encoding="utf-8")
    return path


@pytest.fixture(params=LOOKS, ids=named)
def opened(request, browser, file):
    with looked_at(browser, file, request.param) as tab:
        yield tab


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
    opened.select_option("#group", "nonbinary")
    narrowed = count(opened)
    assert 0 < narrowed < every
    opened.select_option("#verdict", "pass")
    assert count(opened) < narrowed
    opened.select_option("#verdict", "")
    opened.select_option("#check", "winoqueer/preference/nonbinary")
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


def test_pairs_are_ordered_by_margin_or_amplification_and_what_is_none_comes_last(opened):
    for order, wanted in (("margin", ["+4.000", "+2.500", "-1.000"]), ("change", ["+2.500", "+4.000", "-1.000"])):
        opened.select_option("#order", order)
        opened.select_option("#group", "all")
        lines = [one.inner_text() for one in opened.locator("article dl div:nth-child(2) .text").all()]
        assert [line.split(" = ")[1] for line in lines if line.startswith("d_shared")] == wanted
        assert not any(line.startswith("d_shared") for line in lines[3:])


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
    opened.select_option("#check", "winoqueer/preference/nonbinary")
    assert opened.locator("article mark").count() == 0


def table_of(box):
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in box.locator("tr").all()]


def test_tokens_of_a_pair_add_up_to_its_difference_by_model(opened):
    opened.select_option("#check", "winoqueer/preference/nonbinary")
    card = opened.locator("article").first
    card.locator("button").click()
    card.locator("summary").focus()
    opened.keyboard.press("Enter")
    card.locator("tfoot").wait_for()
    lines = table_of(card.locator("table"))
    assert lines[0][2:] == ["d, policy", "d, reference", "policy \u2212 reference"]
    assert lines[1] == ["Trans", "Cis", *["not shared"] * 3]
    assert lines[2] == ["", "gender", *["not shared"] * 3]
    assert [line[2:] for line in lines[3:5]] == [
        ["+0.500", "+0.000", "+0.500"],
        ["\u22120.750", "\u22121.500", "+0.750"],
    ]
    assert lines[5:] == [
        ["shared tokens (d_shared)", "\u22120.250", "\u22121.500", "+1.250"],
        ["all tokens (d_full)", "+1.250", "+0.000", "+1.250"],
    ]
    assert card.locator("caption").inner_text().startswith("log-prob of each token")
    opened.select_option("#check", "misgendering/disparity/neo")
    assert opened.locator("article .tokens").count() == 0


def test_models_that_cut_words_otherwise_have_a_table_each(opened):
    opened.select_option("#check", "winoqueer/amplification/nonbinary")
    card = opened.locator("article").first
    card.locator("button").click()
    card.locator("summary").click()
    card.locator("tfoot").nth(1).wait_for()
    tables = card.locator("table")
    assert tables.count() == 2
    assert [table_of(one)[0][2:] for one in tables.all()] == [["d, policy"], ["d, reference"]]
    assert table_of(tables.nth(1))[-2] == ["shared tokens (d_shared)", "+0.250"]


def test_tokens_are_blurred_until_shown(opened):
    opened.select_option("#check", "winoqueer/preference/nonbinary")
    opened.locator("article summary").click()
    opened.locator("article tfoot").wait_for()
    blur = "getComputedStyle(document.querySelector('article .piece .text')).filter"
    assert "blur" in opened.evaluate(blur)
    opened.locator("article button").click()
    assert opened.evaluate(blur) == "none"


def test_narratives_have_figures_agreement_and_quotes_that_are_blurred_until_shown(opened):
    section = opened.locator("section[aria-labelledby=narratives]")
    section.locator("summary", has_text="tgnb").first.click()
    lines = table_of(section.locator("table").first)
    assert lines[1][:3] == ["Violence", "10.0 %", "8.0 %"]
    assert [line[0] for line in lines[1:]] == ["Violence", "Neutral"]
    agreed = table_of(section.locator('[aria-label="Agreement of coders"] table'))
    assert agreed[1] == ["Violence", "40", "0.610", "\u2013", "0.500"]
    section.locator("#quotes summary").click()
    blur = "getComputedStyle(document.querySelector('#quotes .text')).filter"
    assert "blur" in opened.evaluate(blur)
    opened.locator("#quoted").focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate(blur) == "none"
    assert opened.locator("#quoted").get_attribute("aria-pressed") == "true"


def test_axe_finds_no_violation(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.locator("#reveal").click()
    opened.evaluate(
        "document.querySelectorAll('section[aria-labelledby=narratives] details').forEach(d => d.open = true)"
    )
    opened.locator("#quoted").click()
    for summary in [*opened.locator("details summary").all()[:2], *opened.locator(".tokens summary").all()[:2]]:
        summary.click()
    found = axe.run(opened, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]], one["help"]) for one in found] == []


@pytest.mark.parametrize("how", ["slurs", "all"])
def test_what_is_withheld_is_nowhere_in_the_page(how):
    text = "A dyke and two faggots met; nobody else did."
    value = result()
    for check in value["checks"]:
        check["samples"][0] |= {"prompt": text, "policy": text, "reference": "d_shared = -1.250, d_full = +0.500"}
        pieces = [["Two fag", -1.0, True], ["gots", -2.0, True], [" saw nobody else", -1.0, False]]
        check["samples"][0]["tokens"] = {"policy": {"queer": pieces, "counterfactual": pieces}}
    value["narratives"]["quotes"][0]["text"] = text
    html = page(typed(value), "now", how)
    assert f"--rootfruit-redact={how}" in html
    assert ("nobody else did" in html) is (how == "slurs")
    assert "faggot" not in html
    assert "fag" not in html.lower()
    assert ('["Two f**",-1.0,true],["****",-2.0,true]' in html) is (how == "slurs")
    assert ("saw nobody else" in html) is (how == "slurs")
    assert ("A d*** and two f******" in html) is (how == "slurs")
    # Scores are no text, and a whole word alone is a slur.
    assert "d_shared = -1.250" in html
    assert masked("dykes, Scunthorpe, DYKE; a freakish dikes") == "d****, Scunthorpe, D***; a freakish dikes"
