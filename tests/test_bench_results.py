"""The page of measured figures is what the files give, and the index of `bench/` names every script."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
SCRIPTS = sorted(path for path in BENCH.glob("*.py") if "__main__" in path.read_text("utf-8") and path.stem != "record")
INDEX = (BENCH / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def record():
    # As a script finds it: beside itself.
    sys.path.insert(0, str(BENCH))
    try:
        import record
    finally:
        sys.path.remove(str(BENCH))
    return record


def test_results_page_is_what_the_files_give():
    done = subprocess.run(
        [sys.executable, str(BENCH / "record.py"), "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_results_page_says_first_that_it_is_generated():
    first = (BENCH / "RESULTS.md").read_text("utf-8").splitlines()[0]
    assert "python bench/record.py" in first
    assert "Do not edit" in first


def test_every_number_of_a_file_is_on_the_page():
    """Read with json alone, apart from our own types."""
    page = (BENCH / "RESULTS.md").read_text("utf-8")
    sections = page.split("\n## ")[1:]
    files = sorted((BENCH / "results").glob("*.json"))
    assert len(sections) == len(files) > 0
    for path in files:
        (section,) = [part for part in sections if f"From `results/{path.name}`." in part]
        shown = {
            tuple(cell.strip().replace(",", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            for line in section.splitlines()
            if line.startswith("|")
        }
        value = json.loads(path.read_text("utf-8"))
        assert value["date"] in section
        assert value["hardware"] in section
        assert ("transcribed" in section) == value["transcribed"]
        for table in value["tables"]:
            for row in table["rows"]:
                assert tuple(map(expected, table["columns"], row)) in shown, (path.name, row)


def expected(column, value):
    """Return how a value must look, without the commas of thousands."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value.replace("|", "\\|").replace(",", "")
    if column.get("kind") == "share":
        return "{:.{}f} %".format(100 * value, column.get("digits", 0))
    return str(value) if isinstance(value, int) else "{:.{}f}".format(value, column.get("digits", 0))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_in_the_index_and_writes_json(path):
    rows = [line for line in INDEX.splitlines() if line.startswith(f"| `{path.name}` |")]
    assert len(rows) == 1
    assert f"python bench/{path.name}" in rows[0]
    called = {node.func.id for node in ast.walk(ast.parse(path.read_text("utf-8")))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    assert {"add_option", "save"} <= called


def test_index_names_every_file_of_bench_and_every_result():
    assert {path.name for path in BENCH.glob("*.py")} <= set(re.findall(r"(\w+\.py)", INDEX))
    linked = set(re.findall(r"\]\(results/([\w-]+\.json)\)", INDEX))
    assert linked == {path.name for path in (BENCH / "results").glob("*.json")}


def test_links_of_the_index_and_the_page_lead_somewhere():
    for page in (BENCH / "README.md", BENCH / "RESULTS.md", *(BENCH / "archive").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_no_result_names_a_directory_of_the_machine_it_was_measured_on():
    for path in (BENCH / "results").glob("*.json"):
        assert not re.search(r"(?<![\w.])(/(work|home|tmp|root|mnt|Users)\b|~/)", path.read_text("utf-8")), path.name


def test_a_script_prints_the_same_with_and_without_json_and_writes_what_it_prints(tmp_path):
    command = [sys.executable, str(BENCH / "sequential.py"), "--quick", "--runs=3"]
    target = tmp_path / "made here.json"
    plain = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    done = subprocess.run([*command, "--json", str(target)], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    printed = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if re.match(r"\| \d", line)]
    value = json.loads(target.read_text("utf-8"))
    (table,) = value["tables"]
    assert len(printed) == len(table["rows"]) > 10
    for line, row in zip(printed, table["rows"], strict=True):
        assert line[4:] == [f"{share:.4f}" for share in row[4:]]
    assert value["command"] == "python bench/sequential.py --quick --runs=3"
    assert value["transcribed"] is False
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--model", "/models/SmolLM2", "--json"], "--model SmolLM2"),
        (["--model=/models/SmolLM2", "--json", "x.json", "--quick"], "--model=SmolLM2 --quick"),
        (["--json=x.json", "--cells", "a | 12 | *"], "--cells 'a | 12 | *'"),
        (["--model", "fixtures/models/sft"], "--model fixtures/models/sft"),
    ],
)
def test_command_is_kept_without_json_and_without_directories(record, words, shown):
    assert record.command(["/somewhere/bench/x.py", *words]) == f"python bench/x.py {shown}"


@pytest.mark.parametrize("where", ["", "missing/x.json"])
def test_a_json_file_that_cannot_be_written_is_refused_before_the_work(record, tmp_path, where, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    record.add_option(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([f"--json={tmp_path / where}"])
    assert ended.value.code == 2
    assert "argument --json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "value"), [("count", 1.5), ("count", "1"), ("number", "1"), ("share", True), ("text", 1)]
)
def test_a_value_of_another_kind_is_refused(record, kind, value):
    with pytest.raises(ValueError, match="is not a"):
        record.Table("t", (record.Column("c", kind),), ((value,),))


def test_a_row_of_another_length_is_refused(record):
    with pytest.raises(ValueError, match="2 values for 1 columns"):
        record.Table("t", (record.Column("c"),), (("a", "b"),))


@pytest.mark.parametrize("change", [{"surprise": 1}, {"transcribed": "yes"}, {"tables": [{"title": "t"}]}])
def test_a_file_of_another_form_is_refused_by_name(record, tmp_path, change):
    good = json.loads((BENCH / "results" / "scoring.json").read_text("utf-8"))
    path = tmp_path / "scoring.json"
    path.write_text(json.dumps(good), "utf-8")
    assert len(record.read(tmp_path)) == 1
    path.write_text(json.dumps({**good, **change}), "utf-8")
    with pytest.raises(SystemExit, match=r"scoring\.json: "):
        record.read(tmp_path)


def test_figures_of_another_script_are_refused(record, tmp_path):
    (tmp_path / "power.json").write_bytes((BENCH / "results" / "scoring.json").read_bytes())
    with pytest.raises(SystemExit, match="holds figures of scoring"):
        record.read(tmp_path)


def test_a_record_survives_json(record):
    for name, value in record.read():
        assert msgspec.json.decode(record.encode(value), type=record.Record) == value, name
        # A file is as `encode` writes it, so that a change is seen as one line.
        assert (BENCH / "results" / name).read_bytes() == record.encode(value)
