"""What the package says of itself in several places agrees."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from rootfruit_checks import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def cited(key):
    found = re.findall(rf'^{key}: "?([^"\n]+)"?$', (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert len(found) == 1, (key, found)
    return found[0]


def test_package_and_citation_name_the_same_addresses():
    urls = PROJECT["urls"]
    assert cited("url") == urls["Homepage"]
    assert cited("repository-code") == urls["Repository"]
    assert {"Changelog", "Issues"} <= set(urls)
    # A placeholder is a placeholder in every one of them.
    assert len({"example.org" in url for url in urls.values()}) == 1


def test_package_and_citation_name_the_same_version_and_licence():
    assert cited("version") == PROJECT["version"] == __version__
    assert cited("license") == PROJECT["license"]
