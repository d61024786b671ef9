"""The page that compares runs in a real browser: both themes, two widths, keys, no network, axe-core."""

from __future__ import annotations

import json

import pytest
from browsing import LOOKS, launched, looked_at, named, needs_chromium
from planted import result

from rootfruit_checks.app.cli.main import main

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    for name, verdict in (("base", "pass"), ("sft", "inconclusive"), ("dpo", "fail")):
        value = result(f"models/{name}", verdict)
        value["run"]["settings"]["seed"] = str(len(name))
        (folder / f"{name}.json").write_text(json.dumps(value))
    names = [str(folder / f"{name}.json") for name in ("base", "sft", "dpo")]
    out = folder / "page.html"
    assert main(["report", *names, "--other-data", "-o", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(params=LOOKS, ids=named)
def opened(request, browser, file):
    with looked_at(browser, file, request.param) as tab:
        yield tab


def test_every_section_is_there_and_nothing_sticks_out(opened):
    for heading in opened.locator("h2").all():
        assert heading.is_visible()
    assert opened.locator("h2").count() >= 3
    assert opened.locator("svg[role=img]").count() >= 1
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_wide_parts_are_reached_by_key_and_fold_open(opened):
    reached = set()
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.add(
            opened.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.tagName")
        )
    labels = {one.get_attribute("aria-label") for one in opened.locator("[role=region]").all()}
    assert labels
    assert labels <= reached


def test_axe_finds_no_violation(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.run(opened, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]], one["help"]) for one in found] == []
