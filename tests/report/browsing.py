"""What tests in a real browser share: the browser, the looks of a page, and that it says nothing and loads nothing."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# A skip is no pass: where CI=true (GitHub Actions, ci/test), a missing browser fails these tests.
IN_CI = os.environ.get("CI") == "true"
if IN_CI:
    import playwright.sync_api as api
else:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
needs_chromium = pytest.mark.skipif(CHROMIUM is None and not IN_CI, reason="no chromium to render the page with")
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def named(look):
    return f"{look[0]}-{look[1]}"


@contextmanager
def launched():
    assert CHROMIUM, "Chromium is not installed: apt-get install chromium"
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@contextmanager
def looked_at(browser, file, look):
    """The page as it is opened; at the end it has complained of nothing and asked for itself alone."""
    width, scheme = look
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    yield tab
    assert said == []
    assert asked == [file.as_uri()]
    context.close()
