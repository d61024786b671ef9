"""Text from models, servers, files and other packages reaches no stream as it is: no command, no control character."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata

import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import typed

from rootfruit_checks.app.cli import main
from rootfruit_checks.base import console, errors
from rootfruit_checks.base.text import plain
from rootfruit_checks.catalog import extend, removal
from rootfruit_checks.engines.served.caller import Caller
from rootfruit_checks.report.github import commands
from rootfruit_checks.report.terminal import closing, wrapped
from rootfruit_checks.runs import progress

EVIL = (
    "x\n::error::owned\r::stop-commands::t ::warning::w\u2028::set-output name=a::b\x0b::add-mask::z\x85::debug::d "
    "##[error]o ##vso[task.complete]##teamcity[x] section_start:1:a\x1b[31m\x07\u202e\x9b1m\ufeff::notice::n \udc80"
)
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def check_clean(raw):
    """Check the bytes of a stream as a CI runner reads them."""
    text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    found = [c for c in text if (unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t") or c in BIDI]
    assert found == []
    for line in re.split("[\n\u2028\u2029]", text):
        assert not line.strip().strip("\u200b\ufeff").startswith("::"), line
        assert not re.search(r"##\w*\[", line), line
        assert not re.search("section_(start|end):", line), line


SHARDS = st.sampled_from(
    [*EVIL.split(" "), "::error::x", "##[group]", "##vso[", ":", "#", "[", "::", " ", "\n", "\t", "\r", "a"]
)


@given(st.lists(SHARDS | st.text(max_size=5), max_size=12).map("".join), st.integers(3, 40))
def test_a_plain_text_is_harmless_wherever_it_is_broken(text, width):
    clean = plain(text)
    check_clean(clean)
    check_clean("\n".join(wrapped(clean, width)))
    assert plain(clean) == clean, "twice is once"


@pytest.mark.parametrize("text", ["tests/test_a.py::test_b[c]", "a::b ratio 1:2", "# heading [x]", "C++ std::vector"])
def test_harmless_text_is_left_as_it_is(text):
    assert plain(text) == text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_line_is_one_line_whatever_the_stream_can_show(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console.say(EVIL + "naïve 彼女", stream)
    assert raw.getvalue().count(b"\n") == 1
    check_clean(raw.getvalue().decode(encoding))


@pytest.mark.parametrize(
    "kind", [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
)
def test_every_error_is_one_harmless_line(kind):
    check_clean(str(kind(EVIL)))
    assert "\n" not in str(kind(EVIL))


def test_a_servers_message_is_harmless():
    check_clean(plain(Caller("http://127.0.0.1:9/v1").secret.quote(EVIL)))


COMMANDS = [
    ["report", EVIL],
    ["report", EVIL, "-o", "out.html"],
    ["compare", EVIL, EVIL],
    ["card", EVIL],
    ["history", EVIL],
    ["history", f"{EVIL}.json", EVIL],
    ["merge", EVIL, EVIL],
    ["export", EVIL, "out.parquet"],
    ["coding", "export", EVIL, "out.csv"],
    ["coding", "import", EVIL, EVIL],
    ["data", "fetch", EVIL],
    ["data", "verify", EVIL],
    ["template", EVIL],
    ["audit", "--regard", EVIL],
    [EVIL],
    ["report", "--nonsense", EVIL],
    ["data", EVIL],
]


@pytest.mark.parametrize(
    "content", [None, "{}", json.dumps({"schema": EVIL, "run": {EVIL: EVIL}, "checks": [EVIL]}), EVIL]
)
@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: " ".join(argv).replace(EVIL, "E"))
def test_names_and_contents_of_files_are_told_harmlessly(tmp_path, monkeypatch, capfdbinary, argv, content):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROOTFRUIT_DATA", str(tmp_path / EVIL / "cache"))
    if content is not None:
        for name in (EVIL, f"{EVIL}.json"):
            (tmp_path / name).write_text(content, encoding="utf-8", errors="replace")
    try:
        status = main.main(argv)
    except SystemExit as stopped:
        status = stopped.code
    assert status in {0, 1, 2}
    told = capfdbinary.readouterr()
    assert told.out + told.err
    check_clean(told.out)
    check_clean(told.err)


def test_progress_is_told_harmlessly(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0)
    out = io.StringIO()
    lines = progress.Lines(out)
    lines.start(EVIL, 2)
    lines.step()
    lines.finish()
    assert out.getvalue()
    check_clean(out.getvalue())


def test_what_is_said_of_a_result_is_harmless():
    value = hostile.result(EVIL, "fail")
    for row in value["checks"]:
        row["explain"] = EVIL
    for line in closing(typed(value)):
        for width in (20, 80):
            check_clean("\n".join(wrapped(plain(line), width)))
    for line in commands({"GITHUB_ACTIONS": "true"}, typed(value), inconclusive="fail"):
        head, _, rest = line[2:].partition("::")
        assert re.match(r"(error|warning|notice) title=", head)
        check_clean(rest)


def test_extensions_cannot_register_hostile_names():
    """They become parts of test ids, which pytest prints."""
    rest = {
        "kind": "prompts",
        "metrics": {"disparity": 0.1},
        "clusters": {"subject": "subject"},
        "classifier": "regard",
    }
    for name, group in (
        (EVIL, "g"),
        ("a\n::error::x", "g"),
        ("::error::", "g"),
        ("good", EVIL),
        ("good", "::error::x"),
    ):
        with removal.isolated(), pytest.raises(errors.ConfigError) as told:
            extend.benchmark(name, groups={group: ["they"]}, source=EVIL, licence=EVIL, **rest)(lambda *_: [])
        check_clean(str(told.value))


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A gate over hostile models, with every file that it can write."""
    folder = tmp_path_factory.mktemp("gate")
    summary = folder / "summary.md"
    evil = EVIL.replace("\udc80", "")
    (folder / "junit.ini").write_text("")
    done = hostile.gate(
        folder, f"--model={evil}", "--reference=plain", *hostile.SMOKE, "--junitxml=junit.xml", "-rA", "-v",
        "--rootfruit-benchmarks=disclosure", f"--rootfruit-store={folder}/{evil.replace('/', '')}",
        environment={"GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip
    return folder, done


def test_a_gate_over_hostile_models_writes_nothing_harmful(gated):
    folder, done = gated
    assert done.returncode in {0, 1}, done.stdout[-3000:] + done.stderr[-2000:]
    assert "owned" in done.stdout, "the model is named"
    check_clean(done.stdout)
    check_clean(done.stderr)
    text = (folder / "junit.xml").read_text(encoding="utf-8")
    check_clean(re.sub("&#x[0-9A-Fa-f]+;", "", text))
    assert "owned" in (folder / "summary.md").read_text(encoding="utf-8")
    check_clean((folder / "summary.md").read_bytes())


def test_a_hostile_name_of_a_missing_model_is_one_harmless_line(tmp_path):
    evil = EVIL.replace("\udc80", "")
    given = [f"--model={evil}", f"--reference={evil}", f"--rootfruit-json={evil}/x"]
    done = hostile._run(tmp_path, [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *given], None)
    assert done.returncode != 0
    assert "owned" in done.stdout + done.stderr
    check_clean(done.stdout)
    check_clean(done.stderr)
