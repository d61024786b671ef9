"""The audit page: made from a result alone, hostile text stays text, a changed figure is noticed."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfruit_checks.cli import main
from rootfruit_checks.errors import DataError, StoreError
from rootfruit_checks.registry import REGISTRY
from rootfruit_checks.report import keeping
from rootfruit_checks.report.audit import digest, page, sentence, verify
from rootfruit_checks.report.command import reproduce
from rootfruit_checks.settings import Settings

PAYLOADS = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "]]><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=alert(1)>",
    '"><b onmouseover=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "<iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "![x](http://example.invalid/x.png)",
    "<link rel=stylesheet href=http://example.invalid/x.css>",
    "<meta http-equiv=refresh content=0;url=http://example.invalid>",
    "<base href=http://example.invalid/>",
    "<style>*{display:none}</style>",
    "<textarea>",
    "<title>",
    "<plaintext>",
    "<noscript><p title='</noscript>",
    "<math><mtext></math>",
    "<template><script>",
    "{{ 7*7 }}",
    "{% raw %}",
    "${7*7}",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://x\x07",
    "\u202egnp.exe",
    "\u2066\u2069\u200f",
    "\x00\x08\x0c",
    "\ud800",
    "\ufffe\uffff",
    "\u2028\u2029",
    '=HYPERLINK("http://x")',
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "&lt;script&gt;",
    "&#x3c;script&#x3e;",
    "%3Cscript%3E",
    "<" * 400,
    "a" * 100_000,
]


def row(measure, group, verdict="pass", text="They went home.", **changes):
    estimate = 0.55 if not measure.signed else 0.02
    return {
        "id": f"{measure.id}/{group}", "benchmark": measure.benchmark, "metric": measure.metric, "group": group,
        "n": 40,
        "clusters": dict.fromkeys(measure.clusters, 12), "unscored": 0, "policy": 0.2, "reference": 0.1,
        "estimate": estimate, "low": estimate - 0.03, "high": estimate + 0.02, "threshold": measure.threshold,
        "verdict": verdict if measure.gated else "none", "explain": "Measured.", "gated": measure.gated,
        "data": "planted",
        "samples": [{"id": f"{measure.id}-1", "prompt": text, "policy": text, "reference": text, "value": 0.5}],
        "details": {
            "labels": {role: {side: {"negative": 0.25, "consistent": 0.75} for side in ("group", "control")}
                       for role in ("policy", "reference")},
            "flips": {"kept": 3, "away": 1, "toward": 2, "stayed_away": 9}, "spearman": 0.5,
        },
    } | changes  # fmt: skip


def result(text="They went home.", verdict="pass"):
    checks = [row(measure, group, verdict, text) for measure in REGISTRY for group in measure.groups]
    return {
        "schema": "rootfruit-result/1",
        "run": {
            "policy": {"path": text, "weights": "ab12"}, "reference": {"path": "models/reference"},
            "data": {"scale": "ci", "winoqueer": text}, "settings": Settings().explain(),
            "instruments": {"regard": text}, "notes": [text],
        },
        "checks": checks, "complete": True, "missing": [], "released": verdict == "pass",
    }  # fmt: skip


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


CLEAN = Seen(page(result(), "now"))


def test_every_section_is_there_and_each_check_has_a_row_and_samples():
    html = page(result(), "now")
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
    seen = Seen(page(result(payload), payload))
    assert seen.tags == CLEAN.tags
    assert [pair[:2] for pair in seen.attributes] == [pair[:2] for pair in CLEAN.attributes]
    assert len(seen.scripts) == 2
    assert seen.scripts[1] == CLEAN.scripts[1]
    assert json.loads(seen.scripts[0]) == result(payload)
    everything = "".join(seen.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", everything)


def test_a_page_loads_nothing():
    assert not [one for one in CLEAN.attributes if one[1] in {"src", "srcset", "action", "data", "poster"}]
    links = [value for _, name, value in CLEAN.attributes if name.endswith("href")]
    assert all(value.startswith("#") for value in links)
    assert not [name for _, name, _ in CLEAN.attributes if name.startswith("on")]
    assert "default-src 'none'" in next(value for _, name, value in CLEAN.attributes if "default-src" in value)


def test_the_time_stamp_is_no_part_of_the_digest():
    one, other = page(result(), "yesterday"), page(result(), "today")
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


PAGE = page(result(), "now")


def test_who_changes_a_page_and_its_digest_is_found_by_the_outside_word_alone():
    forged = page(result(verdict="fail") | {"released": True}, "now")
    assert verify(forged) == []
    assert "the run's was" in verify(forged, digest(PAGE))[0]


def test_the_sentence_never_says_released_where_it_is_not():
    assert sentence(result()).startswith("Released: 21 of 21") or sentence(result()).startswith("Released")
    assert sentence(result(verdict="fail") | {"released": False}).startswith("Blocked")
    part = result() | {"complete": False, "missing": ["winoqueer/preference/nb"], "released": False}
    assert sentence(part).startswith("No release gate: 1 declared")


def test_a_result_of_another_schema_is_refused():
    with pytest.raises(DataError, match="rootfruit-result/2"):
        page(result() | {"schema": "rootfruit-result/2"}, "now")


def test_a_run_without_a_reference_or_any_figure_still_makes_a_page():
    value = copy.deepcopy(result(verdict="error"))
    value["run"]["reference"] = None
    value["released"] = False
    for check in value["checks"]:
        check.update(dict.fromkeys(("policy", "reference", "estimate", "low", "high"), None), samples=[], details={})
    html = page(value, "now")
    assert "There is no reference" in html
    assert "21 error" in html


def test_the_command_repeats_what_was_not_default():
    run = result()["run"] | {
        "policy": {"path": "a b"},
        "settings": Settings(seed=3, absolute_only=True, beta=0.2).explain(),
    }
    command = reproduce(run | {"reference": None})
    assert command == (
        "pytest --pyargs rootfruit_checks.bias_tests '--model=a b' --rootfruit-seed=3 --rootfruit-beta=0.2 "
        "--rootfruit-absolute-only"
    )


def test_the_page_is_made_again_from_the_store_and_verified(tmp_path, capsys):
    told = Settings(store=str(tmp_path), report=str(tmp_path / "run.html"), json=str(tmp_path / "run.json"))
    found, lost = keeping.deliver(told, result())
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
        page(keeping.read(tmp_path), "now")
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_no_success(tmp_path):
    told = Settings(store=str(tmp_path / "none"), report=str(tmp_path))
    found, lost = keeping.deliver(told, result())
    assert found == ""
    assert "cannot be written" in lost[0]


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to render the page with")
def test_a_browser_shows_the_samples_and_runs_nothing_else(tmp_path):
    value = result()
    for number, check in enumerate(value["checks"]):
        check["samples"][0]["policy"] = PAYLOADS[number % len(PAYLOADS)]
    file = tmp_path / "page.html"
    file.write_text(page(value, "now"), encoding="utf-8")
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
