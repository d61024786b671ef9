"""GitHub's summary and annotations, read by a Markdown parser and by the runner's rules: hostile text stays text."""

from __future__ import annotations

import json
import re

import pytest
from hostile import MARKDOWN as MORE
from hostile import PAIR, PAYLOADS, gate, merge, result
from markdown_it import MarkdownIt
from msgspec import structs
from results import typed

from rootfruit_checks.base.text import plain
from rootfruit_checks.report import github
from rootfruit_checks.report.markdown import code, prose

COMMANDS = {"error", "warning", "notice", "debug", "add-mask", "stop-commands", "group", "endgroup", "set-output"}
# GitHub's passes over what Markdown has become: people, issues, bare addresses.
LOOKED_FOR = re.compile(r"(?:^|\W)@[a-z0-9]|(?:^|\W)(?:#|gh-)\d|\w+://\w|www\.\w|\w@\w", re.IGNORECASE)


def blocks(text):
    return MarkdownIt("gfm-like").parse(text)


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def shape(text):
    return [(token.type, token.tag) for token in flat(blocks(text)) if token.type not in {"text", "code_inline"}]


def hostile(payload):
    value = result(payload, "fail") | {"released": False}
    value["checks"] = [row for row in value["checks"] if row["gated"]][:12]
    value["checks"][-1]["verdict"] = value["checks"][-2]["verdict"] = "inconclusive"
    for row in value["checks"]:
        row["explain"] = payload
    return value


CLEAN = github.summary(typed(hostile("word")))


@pytest.mark.parametrize("payload", [*PAYLOADS, *MORE], ids=range(len(PAYLOADS) + len(MORE)))
def test_no_text_makes_anything_but_text(payload):
    text = github.summary(typed(hostile(payload)))
    assert shape(text) == shape(CLEAN)
    tokens = list(flat(blocks(text)))
    assert not [token for token in tokens if token.type in {"link_open", "image", "html_inline"}]
    ours = ["<details><summary>2 inconclusive</summary>", "</details>"]
    assert [token.content.strip() for token in tokens if token.type == "html_block"] == ours
    said = [token.content for token in tokens if token.type == "text"]
    assert not [one for one in said if LOOKED_FOR.search(one)]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("payload", [*PAYLOADS[:-2], *MORE], ids=range(len(PAYLOADS) - 2 + len(MORE)))
@pytest.mark.parametrize("way", [prose, code])
def test_a_reader_sees_what_there_was(payload, way):
    line = f"| a | x {way(payload)} x | b |"
    rows = [token for token in flat(blocks(f"| h | i | j |\n|---|---|---|\n{line}")) if token.type == "inline"]
    assert len(rows) == 6
    shown = "".join(child.content for child in rows[4].children)
    assert shown.replace("\u200b", "").split() == f"x {plain(payload).strip() or '(empty)'} x".split()


def test_the_table_has_every_gated_check_with_the_gravest_first():
    value = result(verdict="pass")
    value["checks"][3]["verdict"], value["released"] = "fail", False
    rows = [line for line in github.summary(typed(value)).splitlines() if line.startswith("| `")]
    gated = [row for row in value["checks"] if row["gated"]]
    assert len(rows) == len(gated)
    assert f"| `{value['checks'][3]['id']}` |" in rows[0]
    assert "**FAIL**" in rows[0]
    assert "**" not in "".join(rows[1:])


def read_by_the_runner(line):
    """The runner's own way: a command at the start of a line, else `##[command]` in its midst."""
    found = re.match(r"\s*::([a-z-]+)(?: ([^:]*(?::(?!:)[^:]*)*?))?::(.*)$", line)
    if found and found[1] in COMMANDS:
        told = dict(part.split("=", 1) for part in (found[2] or "").split(",") if "=" in part)
        back = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}

        def unescaped(text):
            return re.sub("%(?:0D|0A|3A|2C|25)", lambda hit: back[hit[0]], text)

        return found[1], {key: unescaped(text) for key, text in told.items()}, unescaped(found[3])
    found = re.search(r"##\[([a-z-]+)", line)
    return (found[1], {}, "") if found and found[1] in COMMANDS else None


@pytest.mark.parametrize("payload", [*PAYLOADS, *MORE], ids=range(len(PAYLOADS) + len(MORE)))
def test_an_annotation_is_one_command_and_carries_its_text(payload):
    value = hostile(payload)
    found = typed(value)
    named = [structs.replace(row, id=f"{at} {payload}") for at, row in enumerate(found.checks)]
    lines = github.commands({"GITHUB_ACTIONS": "true"}, structs.replace(found, checks=named), inconclusive="fail")
    assert len(lines) == 10
    for line in lines[:-1]:
        assert not re.search("[\r\n\x1b]", line)
        kind, properties, message = read_by_the_runner(line)
        assert kind == "error"
        words = ("FAIL", "INCONCLUSIVE")
        assert properties["title"] in {plain(f"rootfruit: {word} {row.id}", 200) for word in words for row in named}
        assert message == plain(payload, 1000)
    gated = sum(row["gated"] for row in value["checks"])
    assert f"{gated - 9} more checks" in lines[-1]


@pytest.mark.parametrize("payload", MORE)
def test_no_line_that_quotes_text_holds_a_command(payload):
    assert read_by_the_runner("note: " + plain(payload)) is None
    assert read_by_the_runner(plain(payload)) is None
    assert read_by_the_runner(plain(f" \n{payload}")) is None


def test_annotations_follow_what_blocks():
    value = result()
    gated = [row for row in value["checks"] if row["gated"]]
    gated[0]["verdict"], gated[1]["verdict"], gated[2]["verdict"] = "inconclusive", "fail", "error"
    value["released"] = False
    environment = {"GITHUB_ACTIONS": "true"}
    told = [read_by_the_runner(line) for line in github.commands(environment, typed(value), inconclusive="warn")]
    assert [(kind, properties["title"].split()[1]) for kind, properties, _ in told] == [
        ("error", "ERROR"), ("error", "FAIL"), ("warning", "INCONCLUSIVE"),
    ]  # fmt: skip
    blocking = [read_by_the_runner(line) for line in github.commands(environment, typed(value), inconclusive="fail")]
    assert [kind for kind, _, _ in blocking] == ["error"] * 3
    part = value | {"complete": False, "missing": ["winoqueer/preference/nonbinary"]}
    assert github.commands(environment, typed(part), inconclusive="fail")[-1].startswith(
        "::notice title=rootfruit::Not a rel"
    )
    assert github.commands({"GITHUB_ACTIONS": "false"}, typed(value), inconclusive="fail") == []
    assert github.commands({}, typed(value), inconclusive="fail") == []


def test_a_full_summary_is_no_lost_summary_of_others(tmp_path):
    file = tmp_path / "summary.md"
    environment = {"GITHUB_STEP_SUMMARY": str(file)}
    file.write_text("x" * (1024 * 1024 - 500))
    assert github.deliver(environment, typed(result())) == ""
    assert file.stat().st_size < 1024 * 1024
    assert "see the step&#39;s log" in file.read_text() or "see the step's log" in file.read_text()
    file.write_text("x" * (1024 * 1024 - 5))
    assert "is full" in github.deliver(environment, typed(result()))
    assert "cannot be written" in github.deliver({"GITHUB_STEP_SUMMARY": str(tmp_path)}, typed(result()))
    assert github.deliver({}, typed(result())) == ""


def test_a_run_writes_once_from_whichever_process_leads(tmp_path):
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    environment = {"GITHUB_STEP_SUMMARY": str(file), "GITHUB_ACTIONS": "true"}
    done = gate(tmp_path, *PAIR, "-p", "no:html", "-n", "2", environment=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.count("## rootfruit: Blocked") == 1
    assert "**FAIL** `winoqueer/preference/nonbinary`" in text
    told = [read_by_the_runner(line) for line in done.stdout.splitlines()]
    titles = [found[1]["title"] for found in told if found]
    assert titles.count("rootfruit: FAIL winoqueer/preference/nonbinary") == 1
    assert all(found[0] == "error" for found in told if found)
    # A share gates nothing and says nothing there; what is merged is a gate, and decides on the same tables.
    for index in (1, 2):
        mine = ("-p", "no:html", f"--rootfruit-shard={index}/2", f"--rootfruit-store=s{index}")
        share = gate(tmp_path, *PAIR, *mine, "--rootfruit-json=share.json", environment=environment)
        assert share.returncode == 0, share.stdout + share.stderr
        assert file.read_text() == text
        assert not [line for line in share.stdout.splitlines() if read_by_the_runner(line)]
    merged = merge(tmp_path, "s1", "s2", environment=environment)
    assert file.read_text().count("## rootfruit: Blocked") == 2, merged.stdout + merged.stderr
    found = [json.loads((tmp_path / name).read_text())["run"]["tables"] for name in ("result.json", "merged.json")]
    assert found[0] == found[1]
    assert len(found[0]) == 6
