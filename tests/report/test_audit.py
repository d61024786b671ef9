"""The audit page: made from a result alone, hostile text stays text, a changed figure is noticed."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from hostile import PAYLOADS
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert
from planted import result
from registered import REGISTRY
from results import typed

from rootfruit_checks.app.cli.main import main
from rootfruit_checks.base.errors import DataError, StoreError
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.report import result_file
from rootfruit_checks.report.audit_page import digest, page, sentence, verify
from rootfruit_checks.report.reproduce import reproduce
from rootfruit_checks.results.reading import typed_result
from rootfruit_checks.results.run_info import Run


class Seen(HTMLParser):
    """What a browser would make of a page: elements, attributes and the text of scripts."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.scripts, self.text, self._open = [], [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data
        else:
            self.text.append(data)


CLEAN = Seen(page(typed(result()), "now"))


def test_every_section_is_there_and_each_check_has_a_row_and_samples():
    html = page(typed(result()), "now")
    for part in ("limits", "checks", "levels", "groups", "regard", "pronouns", "flips", "samples", "method"):
        assert f'<h2 id="{part}"' in html
    for measure in REGISTRY:
        for group in measure.groups:
            assert f'id="{measure.id}/{group}"' in html
    assert json.loads(CLEAN.scripts[0]) == result()
    ids = [value for _, name, value in CLEAN.attributes if name == "id"]
    assert len(ids) == len(set(ids)), [one for one in ids if ids.count(one) > 1]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_stays_text(payload):
    seen = Seen(page(typed(result(payload)), payload))
    assert seen.tags == CLEAN.tags
    assert [pair[:2] for pair in seen.attributes] == [pair[:2] for pair in CLEAN.attributes]
    assert len(seen.scripts) == 2
    assert seen.scripts[1] == CLEAN.scripts[1]
    assert json.loads(seen.scripts[0]) == result(payload)
    everything = "".join(seen.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", everything)


def test_the_page_carries_the_hashes_of_its_data_and_of_the_tables_behind_it():
    value = result()
    table = {"path": "tables/a.parquet", "sha256": "a" * 64, "rows": 7}
    value["run"] |= {
        "tables": {"winoqueer/policy": table | {"tokens": table | {"path": "tables/a-tokens.parquet"}}},
        "versions": {"machine": "a planted machine", "numpy": "9.9"},
    }
    html = page(typed(value), "now")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert f'<code id="block">{hashlib.sha256(data.encode()).hexdigest()}</code>' in html
    for text in ("tables/a.parquet", "tables/a-tokens.parquet", "a" * 64, "a planted machine", "9.9", "Rafailov"):
        assert text in html, text
    # A result that tells of neither still makes a page.
    del value["run"]["versions"]
    value["run"]["tables"] = {}
    assert "Tables behind the verdicts" not in page(typed(value), "now")


def test_a_page_loads_nothing():
    assert not [one for one in CLEAN.attributes if one[1] in {"src", "srcset", "action", "data", "poster"}]
    links = [value for _, name, value in CLEAN.attributes if name.endswith("href")]
    assert all(value.startswith("#") for value in links)
    assert not [name for _, name, _ in CLEAN.attributes if name.startswith("on")]
    assert "default-src 'none'" in next(value for _, name, value in CLEAN.attributes if "default-src" in value)


def test_the_time_stamp_is_no_part_of_the_digest():
    one, other = page(typed(result()), "yesterday"), page(typed(result()), "today")
    assert one != other
    assert digest(one) == digest(other)
    assert verify(one) == verify(other, digest(one)) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_of_a_page_is_noticed(data):
    html = PAGE
    stamp = html.index('<time id="made">') + len('<time id="made">')
    at = data.draw(st.integers(0, len(html) - 1).filter(lambda i: not stamp <= i < stamp + len("now")))
    letter = data.draw(st.sampled_from("0123456789abcdef<> ").filter(lambda c: c != html[at]))
    changed = html[:at] + letter + html[at + 1 :]
    # In the digest itself a change is told too, as one of the digest.
    assert verify(changed)
    assert verify(changed, digest(html)) or re.sub(r"[0-9a-f]{64}", "", changed) == re.sub(r"[0-9a-f]{64}", "", html)


PAGE = page(typed(result()), "now")


def test_who_changes_a_page_and_its_digest_is_found_by_the_outside_word_alone():
    forged = page(typed(result("Nothing of the kind.")), "now")
    assert verify(forged) == []
    assert "the run's was" in verify(forged, digest(PAGE))[0]


def test_the_sentence_never_says_released_where_it_is_not():
    assert sentence(typed(result())).startswith("Released: 21 of 21") or sentence(typed(result())).startswith(
        "Released"
    )
    assert sentence(typed(result(verdict="fail") | {"released": False})).startswith("Blocked")
    part = result() | {"complete": False, "missing": ["winoqueer/preference/nonbinary"], "released": False}
    assert sentence(typed(part)).startswith("Not a release gate: 1 declared")


def test_a_result_of_another_schema_is_refused():
    with pytest.raises(DataError, match="rootfruit-result/2"):
        typed_result(result() | {"schema": "rootfruit-result/2"}, "the result", DataError)


def test_a_run_without_a_reference_or_any_figure_still_makes_a_page():
    value = copy.deepcopy(result(verdict="error"))
    value["run"]["reference"] = None
    value["released"] = False
    for check in value["checks"]:
        check.update(dict.fromkeys(("policy", "reference", "estimate", "low", "high"), None), samples=[], details={})
    html = page(typed(value), "now")
    assert "There is no reference" in html
    assert "21 error" in html


def test_the_command_repeats_what_was_not_default():
    run = result()["run"] | {
        "policy": {"path": "a b"},
        "settings": Settings(seed=3, absolute_only=True, beta=0.2).explain(),
    }
    command = reproduce(convert(run | {"reference": None}, Run))
    assert command == (
        "pytest --pyargs rootfruit_checks.bias_tests '--model=a b' --rootfruit-seed=3 --rootfruit-beta=0.2 "
        "--rootfruit-absolute-only"
    )


def test_the_page_is_made_again_from_the_store_and_verified(tmp_path, capsys):
    told = Settings(store=str(tmp_path), report=str(tmp_path / "run.html"), json=str(tmp_path / "run.json"))
    found, lost = result_file.deliver(told, typed(result()))
    assert lost == []
    assert json.loads((tmp_path / "run.json").read_text())["report"]["sha256"] == found
    for source in (tmp_path, tmp_path / "run.json"):
        again = tmp_path / "again.html"
        assert main(["report", str(source), "-o", str(again)]) == 0
        assert digest(again.read_text()) == found
    assert main(["report", "--verify", str(again), "--digest", found]) == 0
    again.write_text(again.read_text().replace("+0.020", "+0.010", 1))
    assert main(["report", "--verify", str(again), "--digest", found]) == 1
    assert "digest" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "{", "[]", '{"checks": 1}'])
def test_what_is_no_result_is_told_in_one_line(tmp_path, content, capsys):
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises((StoreError, DataError)):
        page(result_file.read(tmp_path), "now")
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_no_success(tmp_path):
    told = Settings(store=str(tmp_path / "none"), report=str(tmp_path))
    found, lost = result_file.deliver(told, typed(result()))
    assert found == ""
    assert "cannot be written" in lost[0]


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to render the page with")
def test_a_browser_shows_the_samples_and_runs_nothing_else(tmp_path):
    value = result()
    for number, check in enumerate(value["checks"]):
        check["samples"][0]["policy"] = PAYLOADS[number % len(PAYLOADS)]
    file = tmp_path / "page.html"
    file.write_text(page(typed(value), "now"), encoding="utf-8")
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile",
        "--dump-dom",
    ]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    seen = Seen(done.stdout)
    assert "owned" not in re.search(r"<title>(.*?)</title>", done.stdout)[1]
    cards = len(value["checks"])
    assert f"{cards} of {cards} samples" in done.stdout
    assert seen.tags.count("article") == cards
    assert "img" not in seen.tags
    assert len(seen.scripts) == 2


def test_a_bound_at_the_end_of_a_themes_range_is_no_figure():
    value = result()
    line = value["narratives"]["groups"][0]["themes"][0]
    line["policy"] = {"estimate": 0.25, "low": 0.0, "high": 1.0}
    line["change"] = {"estimate": 0.125, "low": -1.0, "high": 1.0}
    html = page(typed(value), "2026-01-01 00:00 UTC")
    (told,) = re.findall(r"<tr><th scope=\"row\">Violence</th><td>25\.0 %</td>(.*?)</tr>", html)
    cells = re.findall(r"<td>(.*?)</td>", told)
    assert cells[:2] == ["\u2013", "\u2013"]
    assert cells[3:6] == ["+0.125", "\u2013", "\u2013"]
